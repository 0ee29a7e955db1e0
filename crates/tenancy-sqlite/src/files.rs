//! One file a tenant.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tenancy::{TenantContext, TenantError, TenantId, TenantNotFoundError, UnauthorizedTenantAccessError};

use crate::access::{TenantReader, TenantTx};
use crate::config::Config;
use crate::error::Error;
use crate::folder::{Folder, sync_file};
use crate::pool::{Loan, Pool};
use crate::session::Session;

/// One SQLite file a tenant, opened only in the tenant's context.
///
/// A clone is the same files. Calls block: in an async program they belong into `spawn_blocking`, with
/// [`TenantContext::bind`].
///
/// A tenant has one connection, which its calls use one after the other; those of others run beside them.
#[derive(Clone, Debug)]
pub struct TenantFiles {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    // Files are closed before others may have the folder.
    pool: Pool,
    config: Config,
    folder: Folder,
}

impl TenantFiles {
    /// Opens the folder, and keeps other processes out of it.
    ///
    /// A folder that is made is its owner's alone (`0700`), and so is each file (`0600`). Nobody else is to touch what
    /// is in it while it is open.
    ///
    /// # Errors
    ///
    /// - [`Error::FolderTaken`] where somebody has it open.
    /// - [`Error::Config`] where the versions of the migrations have gaps.
    /// - [`Error::Io`] where the folder can't be made or used.
    pub fn open(config: Config) -> Result<Self, Error> {
        config.check()?;
        let folder = Folder::open(&config.folder)?;
        let pool = Pool::new(config.max_open, config.busy_timeout);
        Ok(Self { inner: Arc::new(Inner { pool, config, folder }) })
    }

    /// Runs a body that reads the file of the context's tenant.
    ///
    /// It sees one state of it. A tenant without a file sees empty tables, and gets no file.
    ///
    /// # Errors
    ///
    /// The body's, and before it runs:
    /// - [`Error::Tenant`] without a tenant in the context.
    /// - [`Error::Nested`] in a body of the same tenant; [`Error::Busy`] where the wait was too long.
    /// - [`Error::Corrupt`], [`Error::NotAFile`], [`Error::Foreign`], [`Error::UnknownVersion`], [`Error::Migration`], [`Error::Full`],
    ///   [`Error::Io`] and [`Error::Sqlite`] where the file can't be opened.
    ///
    /// [`Error::TxEscaped`] where the body ended its transaction and passed over the error.
    pub fn read<T, E: From<Error>>(
        &self,
        body: impl FnOnce(&TenantReader<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let tenant = tenant()?;
        let mut loan = self.inner.pool.lend(tenant)?;
        let empty;
        let session = if let Some(session) = self.inner.session(tenant, &mut loan, false)? {
            session
        } else {
            empty = Session::empty(tenant, &self.inner.config)?;
            &empty
        };
        let transaction = session.begin_read()?;
        let value = transaction.body(|| body(&TenantReader::new(session, tenant)))?;
        // And is rolled back: a read leaves nothing.
        transaction.intact()?;
        Ok(value)
    }

    /// Runs a body in a transaction that writes the file of the context's tenant, and makes the file if it is the first.
    ///
    /// What it wrote is kept when it gave `Ok` and the commit worked: then a power cut does not undo it. After an `Err`
    /// or a panic nothing of it is kept, but for the file itself. Whether there is such a tenant is for the caller to know.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read); and of the commit: [`Error::Full`], and [`Error::Sqlite`] where a deferred foreign key
    /// fails.
    pub fn write<T, E: From<Error>>(&self, body: impl FnOnce(&TenantTx<'_>) -> Result<T, E>) -> Result<T, E> {
        let tenant = tenant()?;
        let mut loan = self.inner.pool.lend(tenant)?;
        let session = self.inner.session(tenant, &mut loan, true)?.ok_or_else(|| no_file(tenant))?;
        let transaction = session.begin_write()?;
        let value = transaction.body(|| body(&TenantTx::new(session, tenant)))?;
        transaction.commit()?;
        Ok(value)
    }

    /// Whether the context's tenant has a file.
    ///
    /// # Errors
    ///
    /// [`Error::Tenant`] without a tenant in the context; [`Error::NotAFile`] and [`Error::Io`].
    pub fn exists(&self) -> Result<bool, Error> {
        self.inner.folder.has(tenant()?)
    }

    /// Copies the file of the context's tenant, as it is now, to a file that is not there yet.
    ///
    /// The tenant's other calls wait until it is done, or fail as [`Busy`](Error::Busy).
    ///
    /// The copy is one file, without a log, and its owner's alone. It is not kept where the copy failed; a process that
    /// is killed leaves one that is empty, or that SQLite rolls back.
    ///
    /// # Errors
    ///
    /// - [`Error::Tenant`] without a tenant in the context, and where the tenant has no file.
    /// - [`Error::Io`] where the target is there, or can't be made.
    /// - [`Error::Config`] where it is in the folder of the tenants' files.
    /// - As [`read`](Self::read) where the file can't be opened or copied.
    pub fn backup(&self, to: impl AsRef<Path>) -> Result<(), Error> {
        let tenant = tenant()?;
        let mut loan = self.inner.pool.lend(tenant)?;
        let session = self.inner.session(tenant, &mut loan, false)?.ok_or_else(|| no_file(tenant))?;
        let to = self.inner.folder.create_elsewhere(to.as_ref())?;
        let copied = session.copy_to(&to).and_then(|()| Ok(sync_file(&to)?));
        if copied.is_err() {
            // The first error says more than one of the cleaning up.
            let _ = fs::remove_file(&to);
        }
        copied
    }

    /// Removes the file of the context's tenant and what SQLite keeps beside it, and says whether there was one.
    ///
    /// It waits for the calls that use it. Whoever comes later finds a tenant without a file.
    ///
    /// # Errors
    ///
    /// - [`Error::Tenant`] without a tenant in the context.
    /// - [`Error::Nested`] in a body of the same tenant; [`Error::Busy`] where the wait was too long.
    /// - [`Error::NotAFile`] and [`Error::Io`] where it can't be removed.
    pub fn remove(&self) -> Result<bool, Error> {
        let tenant = tenant()?;
        let mut loan = self.inner.pool.lend(tenant)?;
        loan.hang_up();
        self.inner.folder.has(tenant)?;
        self.inner.folder.remove(tenant)
    }

    /// The tenants that have a file, in the order of their ids: for [`TenantId::PLATFORM`] alone.
    ///
    /// # Errors
    ///
    /// [`Error::Tenant`] without a tenant in the context, and for any other; [`Error::Io`].
    pub fn tenants(&self) -> Result<Vec<TenantId>, Error> {
        let tenant = tenant()?;
        if !tenant.is_platform() {
            return Err(TenantError::from(UnauthorizedTenantAccessError::new(TenantId::PLATFORM)).into());
        }
        self.inner.folder.tenants()
    }
}

impl Inner {
    /// The connection of a loan, opened if it is not. None: the tenant has no file, and none is to be made.
    fn session<'l>(
        &self,
        tenant: TenantId,
        loan: &'l mut Loan<'_>,
        create: bool,
    ) -> Result<Option<&'l Session>, Error> {
        if loan.session().is_none() {
            let is_new = !self.folder.has(tenant)?;
            if is_new && !create {
                return Ok(None);
            }
            if is_new {
                self.folder.create(tenant)?;
            }
            let opened = Session::open(tenant, &self.folder.file(tenant), &self.config);
            if is_new && opened.is_err() {
                // Nobody has seen it. The first error says more than one of the cleaning up.
                let _ = self.folder.remove(tenant);
            }
            loan.keep(opened?);
        }
        Ok(loan.session())
    }
}

fn tenant() -> Result<TenantId, Error> {
    Ok(TenantContext::get()?)
}

fn no_file(tenant: TenantId) -> Error {
    TenantError::from(TenantNotFoundError::new(tenant)).into()
}
