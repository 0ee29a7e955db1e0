//! The cache and its entries.

use std::fmt;
use std::task::Poll;
use std::time::Duration;

use quick_cache::sync::{Cache, EntryAction, EntryResult};
use tenancy::{Directory, TenantId, TenantStatus};
use tokio::time::Instant;

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
    entries: Cache<TenantId, Entry>,
    ttl: Duration,
    unknown_ttl: Duration,
}

/// The directory's answer; `None` if it failed.
type Answer = Option<Option<TenantStatus>>;

#[derive(Clone, Copy)]
struct Entry {
    answer: Answer,
    came: Instant,
    until: Instant,
}

/// The time to live of an answer whose end is later than the clock can represent.
const A_LIFETIME: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

impl Entry {
    fn new(answer: Answer, asked: Instant, ttl: Duration) -> Self {
        let until = asked.checked_add(ttl).unwrap_or_else(|| asked + A_LIFETIME);
        Self { answer, came: Instant::now(), until }
    }

    fn is_fresh(&self) -> bool {
        Instant::now() < self.until
    }

    /// Whether the answer is valid for a lookup that began at this time: it arrived later, or it has not expired.
    fn is_for(&self, asked: Instant) -> bool {
        self.came > asked || self.is_fresh()
    }
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
        Self { directory, entries: Cache::new(capacity.max(1)), ttl: TTL, unknown_ttl: UNKNOWN_TTL }
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
        // A query in progress loses its entry, so that its answer is not cached.
        self.entries.remove(&tenant);
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
        let asked = Instant::now();
        let found = self.entries.entry_async(&tenant, |_, entry| {
            if entry.is_for(asked) {
                EntryAction::Retain(entry.answer)
            } else {
                EntryAction::ReplaceWithGuard
            }
        });
        let place = match found.await {
            EntryResult::Retained(answer) => return answer.ok_or(CachedError::Shared),
            EntryResult::Vacant(place) | EntryResult::Replaced(place, _) => Some(place),
            // Neither is requested here.
            EntryResult::Removed(..) | EntryResult::Timeout => None,
        };
        // The wait for other lookups is over, so the query begins now. If this future is dropped, the next waiter
        // receives the place.
        let asked = Instant::now();
        let status = self.directory.status(tenant).await;
        let (answer, ttl) = match &status {
            Ok(None) => (Some(None), self.unknown_ttl),
            Ok(status) => (Some(*status), self.ttl),
            Err(_) => (None, Duration::ZERO),
        };
        // Fails if the tenant was invalidated in between. The answer is returned only to lookups that began before.
        let _ = place.map(|place| place.insert(Entry::new(answer, asked, ttl)));
        status.map_err(CachedError::Directory)
    }

    fn status_now(&self, tenant: TenantId) -> Poll<Option<TenantStatus>> {
        match self.entries.get(&tenant) {
            Some(entry) if entry.is_fresh() => entry.answer.map_or(Poll::Pending, Poll::Ready),
            _ => Poll::Pending,
        }
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
