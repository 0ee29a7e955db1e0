//! Calls from async code.

use std::io;
use std::panic::resume_unwind;
use std::path::Path;

use tenancy::{TenantContext, TenantId};
use tokio::task::{JoinError, spawn_blocking};
use tokio::time;

use crate::access::{TenantReader, TenantTx};
use crate::error::Error;
use crate::files::{TenantFiles, tenant};
use crate::pool::{Access, Lease};

/// The work of a read on the thread of its task: up to 4,000 instructions of SQLite, about 100 microseconds.
const TICKS: u32 = 3;

/// The files of [`TenantFiles`], for async code.
///
/// A method uses the tenant of the task's context, as the methods of [`TenantFiles`] do. Calls that wait for a connection
/// block no thread. The methods need a tokio runtime with a timer.
///
/// - A read of a file that is open runs on the thread of its task: passing it to another thread takes longer than a usual
///   read. A read that is long, or that must wait or open the file, runs on a thread for blocking work.
/// - All other calls run on a thread for blocking work: a commit waits for the disk. A tenant uses as many of these threads
///   as it has connections.
///
/// If the future of a call is dropped while the call runs on another thread, the call still completes.
///
/// ```
/// use tenancy::{TenantFutureExt, tenant_id};
/// use tenancy_sqlite::{AsyncTenantFiles, Config, Error, Migration, TenantFiles};
///
/// const MIGRATIONS: &[Migration] =
///     &[Migration { version: 1, name: "notes", sql: "CREATE TABLE notes (body TEXT NOT NULL) STRICT" }];
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Error> {
/// # let scratch = tempfile::tempdir()?;
/// # let folder = scratch.path().join("tenants");
/// let files = AsyncTenantFiles::new(TenantFiles::open(Config::new(folder).migrations(MIGRATIONS))?);
/// let acme = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
///
/// let count = async {
///     files.write(|file| file.execute("INSERT INTO notes VALUES (?1)", ["hello"])).await?;
///     files.read(|file| file.query_row("SELECT count(*) FROM notes", (), |row| row.get::<_, i64>(0))).await
/// };
/// assert_eq!(count.in_tenant(acme).await?, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AsyncTenantFiles {
    files: TenantFiles,
}

impl AsyncTenantFiles {
    /// Creates a handle for async code. It shares the files.
    pub fn new(files: TenantFiles) -> Self {
        Self { files }
    }

    /// Returns the handle for blocking code.
    pub fn blocking(&self) -> &TenantFiles {
        &self.files
    }

    /// Runs a body that reads the file of the current tenant; see [`TenantFiles::read`].
    ///
    /// The body can run twice: if it takes too long for the thread of the task, it is interrupted, its result is ignored,
    /// and it starts again on a thread for blocking work. The interrupted statement fails with [`Error::TimeLimit`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`TenantFiles::read`], and [`Error::Io`] if the runtime shuts down.
    ///
    /// # Panics
    ///
    /// Panics if the body panics.
    pub async fn read<T, E>(
        &self,
        body: impl Fn(&TenantReader<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let tenant = tenant()?;
        let inner = self.files.inner();
        let lease = if let Some(lease) = inner.pool.lease_now(tenant) {
            if let Some(result) = inner.read_within(tenant, &lease, TICKS, &body) {
                return result;
            }
            lease
        } else {
            self.lease(tenant, Access::Read).await?
        };
        let files = self.files.clone();
        run(move || files.inner().read(tenant, lease, body)).await?
    }

    /// Runs a body in a transaction that writes the file of the current tenant; see [`TenantFiles::write`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`TenantFiles::write`], and [`Error::Io`] if the runtime shuts down.
    ///
    /// # Panics
    ///
    /// Panics if the body panics.
    pub async fn write<T, E>(
        &self,
        body: impl FnOnce(&TenantTx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let tenant = tenant()?;
        let lease = self.lease(tenant, Access::Write).await?;
        let files = self.files.clone();
        run(move || files.inner().write(tenant, lease, body)).await?
    }

    /// Returns whether the current tenant has a file; see [`TenantFiles::exists`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`TenantFiles::exists`], and [`Error::Io`] if the runtime shuts down.
    pub async fn exists(&self) -> Result<bool, Error> {
        let files = self.files.clone();
        run(move || files.exists()).await?
    }

    /// Copies the file of the current tenant to a new file; see [`TenantFiles::backup`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`TenantFiles::backup`], and [`Error::Io`] if the runtime shuts down.
    pub async fn backup(&self, to: impl AsRef<Path>) -> Result<(), Error> {
        let tenant = tenant()?;
        let lease = self.lease(tenant, Access::Read).await?;
        let (files, to) = (self.files.clone(), to.as_ref().to_owned());
        run(move || files.inner().backup(tenant, lease, &to)).await?
    }

    /// Removes the file of the current tenant; see [`TenantFiles::remove`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`TenantFiles::remove`], and [`Error::Io`] if the runtime shuts down.
    pub async fn remove(&self) -> Result<bool, Error> {
        let tenant = tenant()?;
        let lease = self.lease(tenant, Access::Exclusive).await?;
        let files = self.files.clone();
        run(move || files.inner().remove(tenant, lease)).await?
    }

    /// Returns the tenants that have a file; see [`TenantFiles::tenants`].
    ///
    /// # Errors
    ///
    /// Returns the errors of [`TenantFiles::tenants`], and [`Error::Io`] if the runtime shuts down.
    pub async fn tenants(&self) -> Result<Vec<TenantId>, Error> {
        let files = self.files.clone();
        run(move || files.tenants()).await?
    }

    async fn lease(&self, tenant: TenantId, access: Access) -> Result<Lease, Error> {
        let pool = &self.files.inner().pool;
        time::timeout(pool.timeout(), pool.acquire(tenant, access)?).await.unwrap_or(Err(Error::Busy))
    }
}

/// Runs a call in the current context, on a thread for blocking work.
async fn run<R: Send + 'static>(call: impl FnOnce() -> R + Send + 'static) -> Result<R, Error> {
    spawn_blocking(TenantContext::bind(call)).await.map_err(|error: JoinError| match error.try_into_panic() {
        Ok(panic) => resume_unwind(panic),
        Err(_) => Error::Io(io::Error::new(io::ErrorKind::Interrupted, "the runtime shuts down")),
    })
}
