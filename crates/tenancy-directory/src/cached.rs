//! A directory behind a cache.

use std::fmt;
use std::task::Poll;
use std::time::Duration;

use tenancy::{Directory, TenantId, TenantStatus};

use crate::entries::{Entries, LoadError};

const TTL: Duration = Duration::from_secs(30);
const UNKNOWN_TTL: Duration = Duration::from_secs(2);

/// A cache of directory lookups.
///
/// An answer is cached for [30 s](Self::ttl) if the tenant exists, and for [2 s](Self::unknown_ttl) if it does not, so
/// that a new tenant is found soon.
///
/// Concurrent lookups of one tenant share a single query. Failures are shared with current waiters but not cached. An
/// expired answer is never returned: if the directory fails then, the lookup fails. The time to live counts from the
/// start of the query. A suspended tenant is therefore rejected at the latest after that time, and at once after
/// [`invalidate`](Self::invalidate).
///
/// ```
/// use std::time::Duration;
/// use tenancy::{Directory, TenantId, TenantStatus};
/// use tenancy_directory::CachedDirectory;
///
/// async fn by_database(tenant: TenantId) -> Result<Option<TenantStatus>, std::io::Error> {
///     # let _ = tenant;
///     Ok(Some(TenantStatus::Active))
/// }
///
/// let directory = CachedDirectory::new(by_database, 100_000).ttl(Duration::from_secs(5));
/// directory.invalidate(TenantId::PLATFORM);
/// ```
pub struct CachedDirectory<D> {
    directory: D,
    /// `None` for a tenant that the directory does not know.
    entries: Entries<Option<TenantStatus>>,
    ttl: Duration,
    unknown_ttl: Duration,
}

/// Why a cached lookup failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CachedError<E> {
    /// The directory failed.
    Directory(E),
    /// The query of a concurrent lookup of the same tenant failed.
    Shared,
}

impl<E: fmt::Display> fmt::Display for CachedError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(error) => error.fmt(f),
            Self::Shared => f.write_str("the directory failed in a concurrent lookup of the same tenant"),
        }
    }
}

impl<E: std::error::Error> std::error::Error for CachedError<E> {}

impl<D: Directory> CachedDirectory<D> {
    /// Creates a cache of about `capacity` answers. It evicts those that were used least recently or least often.
    pub fn new(directory: D, capacity: usize) -> Self {
        Self { directory, entries: Entries::new(capacity), ttl: TTL, unknown_ttl: UNKNOWN_TTL }
    }

    /// Sets how long the state of a tenant is cached. The default is 30 s.
    #[must_use]
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { ttl, ..self }
    }

    /// Sets how long it is cached that a tenant does not exist. The default is 2 s.
    #[must_use]
    pub fn unknown_ttl(self, unknown_ttl: Duration) -> Self {
        Self { unknown_ttl, ..self }
    }

    /// Removes a tenant's answer. Lookups that begin after this call query the directory again.
    pub fn invalidate(&self, tenant: TenantId) {
        self.entries.remove(tenant);
    }

    /// Removes all answers.
    pub fn invalidate_all(&self) {
        self.entries.clear();
    }

    /// Returns the directory behind the cache.
    pub fn directory(&self) -> &D {
        &self.directory
    }
}

impl<D: Directory> Directory for CachedDirectory<D> {
    type Error = CachedError<D::Error>;

    async fn status(&self, tenant: TenantId) -> Result<Option<TenantStatus>, Self::Error> {
        let query = async {
            let status = self.directory.status(tenant).await?;
            Ok((status, if status.is_some() { self.ttl } else { self.unknown_ttl }))
        };
        self.entries.get_or_load(tenant, query).await.map_err(|error| match error {
            LoadError::Own(error) => CachedError::Directory(error),
            LoadError::Shared => CachedError::Shared,
        })
    }

    fn status_now(&self, tenant: TenantId) -> Poll<Option<TenantStatus>> {
        self.entries.fresh(tenant).map_or(Poll::Pending, Poll::Ready)
    }
}

/// The number of answers and the limits, without the answers.
impl<D> fmt::Debug for CachedDirectory<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedDirectory")
            .field("len", &self.entries.len())
            .field("ttl", &self.ttl)
            .field("unknown_ttl", &self.unknown_ttl)
            .finish_non_exhaustive()
    }
}
