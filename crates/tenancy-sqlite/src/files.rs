//! One file per tenant.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tenancy::{TenantContext, TenantError, TenantId, TenantNotFoundError, UnauthorizedTenantAccessError};

use crate::access::{TenantReader, TenantTx};
use crate::config::Config;
use crate::error::Error;
use crate::folder::{Folder, sync_file};
use crate::nesting;
use crate::pool::{Access, Lease, Pool};
use crate::session::Session;

/// The size of a write-ahead log above which the tenant's connections are closed, which empties the log.
///
/// A log usually stays below 4 MiB. It grows after a large transaction, and while there is always a read that uses it.
const MAX_LOG: u64 = 8 << 20;
/// The longest wait of a write for the reads that use such a log.
const LOG_WAIT: Duration = Duration::from_millis(100);

/// One SQLite file per tenant, opened only in the tenant's context.
///
/// A clone shares the files. Reads of a tenant run beside each other and beside a write; writes of a tenant run one after
/// the other. Calls that wait are served in order of arrival, and those of different tenants do not wait for each other.
///
/// The methods block. Async code uses `AsyncTenantFiles` (feature `tokio`), or `spawn_blocking` with
/// [`TenantContext::bind`].
#[derive(Clone, Debug)]
pub struct TenantFiles {
    inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    // The files are closed before the folder is unlocked.
    pub(crate) pool: Arc<Pool>,
    config: Config,
    folder: Folder,
}

impl TenantFiles {
    /// Opens the folder and locks it against other processes.
    ///
    /// Only the process's user can access a folder (`0700`) and files (`0600`) that are created. Other programs must not
    /// change the folder while it is open.
    ///
    /// # Errors
    ///
    /// - [`Error::FolderTaken`] if the folder is already open.
    /// - [`Error::Config`] if the versions of the migrations have gaps.
    /// - [`Error::Io`] if the folder cannot be created or used.
    pub fn open(config: Config) -> Result<Self, Error> {
        config.check()?;
        let folder = Folder::open(&config.folder)?;
        let pool = Pool::new(config.max_open.get(), config.max_readers.get(), config.busy_timeout);
        Ok(Self { inner: Arc::new(Inner { pool: Arc::new(pool), config, folder }) })
    }

    /// Runs a body that reads the file of the current tenant.
    ///
    /// The body sees one state of the file. A tenant without a file sees empty tables, and no file is created.
    ///
    /// # Errors
    ///
    /// Returns the body's error. Before the body runs:
    /// - [`Error::Tenant`] if the context has no tenant.
    /// - [`Error::Nested`] inside of a body of the same tenant.
    /// - [`Error::Busy`] if no connection was free in time.
    /// - [`Error::TooManyOpenFiles`] if the process has no file descriptors left.
    /// - [`Error::Corrupt`], [`Error::NotAFile`], [`Error::Foreign`], [`Error::UnknownVersion`], [`Error::Migration`],
    ///   [`Error::Full`], [`Error::Io`] and [`Error::Sqlite`] if the file cannot be opened.
    ///
    /// Returns [`Error::TxEscaped`] if the body ended its transaction and ignored the error.
    pub fn read<T, E: From<Error>>(
        &self,
        body: impl FnOnce(&TenantReader<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let tenant = tenant()?;
        let lease = self.inner.pool.lease(tenant, Access::Read)?;
        self.inner.read(tenant, lease, body)
    }

    /// Runs a body in a transaction that writes the file of the current tenant. The first write creates the file.
    ///
    /// If the body returns `Ok`, the transaction is committed, and survives a power cut. If the body returns `Err` or panics,
    /// the transaction is rolled back; a file that was created stays. The caller is responsible for the check that the
    /// tenant exists.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`read`](Self::read), and those of the commit: [`Error::Full`], and [`Error::Sqlite`] if a
    /// deferred foreign key fails.
    pub fn write<T, E: From<Error>>(&self, body: impl FnOnce(&TenantTx<'_>) -> Result<T, E>) -> Result<T, E> {
        let tenant = tenant()?;
        let lease = self.inner.pool.lease(tenant, Access::Write)?;
        self.inner.write(tenant, lease, body)
    }

    /// Returns whether the current tenant has a file.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Tenant`] if the context has no tenant, [`Error::NotAFile`] and [`Error::Io`].
    pub fn exists(&self) -> Result<bool, Error> {
        self.inner.folder.has(tenant()?)
    }

    /// Copies the current state of the current tenant's file to a new file.
    ///
    /// The tenant's other calls run beside the backup. The copy is one file, without a log, and only the process's user can
    /// access it. If the copy fails, it is removed. A process that is killed leaves a file that is empty, or that SQLite rolls
    /// back.
    ///
    /// # Errors
    ///
    /// - [`Error::Tenant`] if the context has no tenant, or the tenant has no file.
    /// - [`Error::Io`] if the target exists, or cannot be created.
    /// - [`Error::Config`] if the target is in the folder of the tenants' files.
    /// - The errors of [`read`](Self::read) if the file cannot be opened or copied.
    pub fn backup(&self, to: impl AsRef<Path>) -> Result<(), Error> {
        let tenant = tenant()?;
        let lease = self.inner.pool.lease(tenant, Access::Read)?;
        self.inner.backup(tenant, lease, to.as_ref())
    }

    /// Removes the file of the current tenant and the files beside it, and returns whether there was one.
    ///
    /// Waits for the calls that use the file. Later calls find a tenant without a file.
    ///
    /// # Errors
    ///
    /// - [`Error::Tenant`] if the context has no tenant.
    /// - [`Error::Nested`] inside of a body of the same tenant.
    /// - [`Error::Busy`] if the other calls did not end in time.
    /// - [`Error::NotAFile`] and [`Error::Io`] if the file cannot be removed.
    pub fn remove(&self) -> Result<bool, Error> {
        let tenant = tenant()?;
        let lease = self.inner.pool.lease(tenant, Access::Exclusive)?;
        self.inner.remove(tenant, lease)
    }

    /// Returns the tenants that have a file, in the order of their ids. Only [`TenantId::PLATFORM`] may call this.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Tenant`] if the context has no tenant or another one, and [`Error::Io`].
    pub fn tenants(&self) -> Result<Vec<TenantId>, Error> {
        let tenant = tenant()?;
        if !tenant.is_platform() {
            return Err(TenantError::from(UnauthorizedTenantAccessError::new(TenantId::PLATFORM)).into());
        }
        self.inner.folder.tenants()
    }

    #[cfg(feature = "tokio")]
    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }
}

impl Inner {
    pub(crate) fn read<T, E: From<Error>>(
        &self,
        tenant: TenantId,
        mut lease: Lease,
        body: impl FnOnce(&TenantReader<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let empty;
        let session = if let Some(session) = self.session(tenant, &mut lease, false)? {
            session
        } else {
            empty = Session::empty(tenant, &self.config)?;
            &empty
        };
        let _running = nesting::enter(self.pool.id(), tenant);
        let transaction = session.begin_read()?;
        let value = transaction.body(|| body(&TenantReader::new(session, tenant)))?;
        // The transaction is rolled back on drop: a read changes nothing.
        transaction.intact()?;
        Ok(value)
    }

    /// Runs a body that reads, and returns `None` if it used up its ticks or the lease has no connection.
    #[cfg(feature = "tokio")]
    pub(crate) fn read_within<T, E: From<Error>>(
        &self,
        tenant: TenantId,
        lease: &Lease,
        ticks: u32,
        body: impl FnOnce(&TenantReader<'_>) -> Result<T, E>,
    ) -> Option<Result<T, E>> {
        let session = lease.session()?;
        let _running = nesting::enter(self.pool.id(), tenant);
        let transaction = match session.begin_read() {
            Ok(transaction) => transaction,
            Err(error) => return Some(Err(error.into())),
        };
        let result = transaction.body_within(Some(ticks), || body(&TenantReader::new(session, tenant)));
        if transaction.is_exhausted() {
            return None;
        }
        let intact = transaction.intact();
        Some(result.and_then(|value| intact.map(|()| value).map_err(E::from)))
    }

    pub(crate) fn write<T, E: From<Error>>(
        &self,
        tenant: TenantId,
        mut lease: Lease,
        body: impl FnOnce(&TenantTx<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let session = self.session(tenant, &mut lease, true)?.ok_or_else(|| no_file(tenant))?;
        let value = {
            let _running = nesting::enter(self.pool.id(), tenant);
            let transaction = session.begin_write()?;
            let value = transaction.body(|| body(&TenantTx::new(session, tenant)))?;
            transaction.commit()?;
            value
        };
        drop(lease);
        self.bound_log(tenant);
        Ok(value)
    }

    pub(crate) fn backup(&self, tenant: TenantId, mut lease: Lease, to: &Path) -> Result<(), Error> {
        let session = self.session(tenant, &mut lease, false)?.ok_or_else(|| no_file(tenant))?;
        let to = self.folder.create_elsewhere(to)?;
        let copied = session.copy_to(&to).and_then(|()| Ok(sync_file(&to)?));
        if copied.is_err() {
            // The first error says more than an error of the removal.
            let _ = fs::remove_file(&to);
        }
        copied
    }

    pub(crate) fn remove(&self, tenant: TenantId, mut lease: Lease) -> Result<bool, Error> {
        lease.close();
        self.folder.has(tenant)?;
        self.folder.remove(tenant)
    }

    /// Closes the tenant's connections if its log has become too large.
    fn bound_log(&self, tenant: TenantId) {
        if self.folder.log_size(tenant) <= MAX_LOG {
            return;
        }
        // The write is committed, whether this succeeds or not. The next write tries again.
        if let Ok(mut lease) = self.pool.lease_within(LOG_WAIT, tenant, Access::Exclusive) {
            lease.close();
        }
    }

    /// Returns the connection of a lease, and opens one if it has none. Returns `None` if the tenant has no file, and none is
    /// to be created.
    fn session<'l>(
        &self,
        tenant: TenantId,
        lease: &'l mut Lease,
        create: bool,
    ) -> Result<Option<&'l Session>, Error> {
        if lease.session().is_none() {
            let is_new = !self.folder.has(tenant)?;
            if is_new && !create {
                lease.open_none();
                return Ok(None);
            }
            lease.make_room();
            let session = loop {
                match self.open_file(tenant, is_new) {
                    Err(Error::TooManyOpenFiles) if self.pool.close_one() => {}
                    opened => break opened?,
                }
            };
            lease.keep(session);
        }
        Ok(lease.session())
    }

    fn open_file(&self, tenant: TenantId, is_new: bool) -> Result<Session, Error> {
        let create = || if is_new { self.folder.create(tenant) } else { Ok(()) };
        let opened = create().and_then(|()| Session::open(tenant, &self.folder.file(tenant), &self.config));
        if is_new && opened.is_err() {
            // No other call has used the file. The first error says more than an error of the removal.
            let _ = self.folder.remove(tenant);
        }
        opened
    }
}

pub(crate) fn tenant() -> Result<TenantId, Error> {
    Ok(TenantContext::get()?)
}

fn no_file(tenant: TenantId) -> Error {
    TenantError::from(TenantNotFoundError::new(tenant)).into()
}
