//! A cache around a slower directory.

use std::fmt;
use std::task::Poll;
use std::time::Duration;

use quick_cache::sync::{Cache, EntryAction, EntryResult};
use tenancy::{TenantId, TenantStatus};
use tokio::time::Instant;

use crate::Directory;

const TTL: Duration = Duration::from_secs(30);
const UNKNOWN_TTL: Duration = Duration::from_secs(2);

/// A directory's answers, kept for a while: [30 s](Self::ttl) for a tenant that it knows,
/// [2 s](Self::unknown_ttl) for an unknown id, so that a new tenant is not hidden for long.
///
/// An answer is asked for once for all who wait for it, and so is a failure, which is not kept for those who
/// come later. Past its time no answer is given, also where the directory fails: then the failure is. The time
/// counts from the question, so a suspended tenant is denied at the latest that long after, and at once by
/// [`invalidate`](Self::invalidate).
///
/// ```
/// use std::time::Duration;
/// use tenancy::{TenantId, TenantStatus};
/// use tenancy_tower::Cached;
///
/// async fn by_database(tenant: TenantId) -> Result<Option<TenantStatus>, std::io::Error> {
///     # let _ = tenant;
///     Ok(Some(TenantStatus::Active))
/// }
///
/// let directory = Cached::new(by_database, 100_000).ttl(Duration::from_secs(5));
/// directory.invalidate(TenantId::PLATFORM);
/// ```
pub struct Cached<D> {
    directory: D,
    entries: Cache<TenantId, Entry>,
    ttl: Duration,
    unknown_ttl: Duration,
}

/// What the directory said; `None` where it failed.
type Answer = Option<Option<TenantStatus>>;

#[derive(Clone, Copy)]
struct Entry {
    answer: Answer,
    came: Instant,
    until: Instant,
}

/// As long as a time that is past what the clock can say.
const A_LIFETIME: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

impl Entry {
    fn new(answer: Answer, asked: Instant, ttl: Duration) -> Self {
        let until = asked.checked_add(ttl).unwrap_or_else(|| asked + A_LIFETIME);
        Self { answer, came: Instant::now(), until }
    }

    fn is_fresh(&self) -> bool {
        Instant::now() < self.until
    }

    /// Whether it came while somebody waited who had asked at that time: however short it is kept.
    fn is_for(&self, asked: Instant) -> bool {
        self.came > asked || self.is_fresh()
    }
}

/// Why a cached directory can't say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CachedError<E> {
    /// The directory failed.
    Directory(E),
    /// The directory failed for somebody else, who asked for the same tenant at the same time.
    Shared,
}

impl<E: fmt::Display> fmt::Display for CachedError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(error) => error.fmt(f),
            Self::Shared => f.write_str("the directory failed for a request that asked at the same time"),
        }
    }
}

impl<E: std::error::Error> std::error::Error for CachedError<E> {}

impl<D: Directory> Cached<D> {
    /// Keeps about as many answers as `capacity`, those that were asked for most of late.
    pub fn new(directory: D, capacity: usize) -> Self {
        Self { directory, entries: Cache::new(capacity.max(1)), ttl: TTL, unknown_ttl: UNKNOWN_TTL }
    }

    /// How long the state of a known tenant is kept.
    #[must_use]
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { ttl, ..self }
    }

    /// How long it is kept that an id is unknown.
    #[must_use]
    pub fn unknown_ttl(self, unknown_ttl: Duration) -> Self {
        Self { unknown_ttl, ..self }
    }

    /// Forgets a tenant's state. Who asks from now on gets an answer that was asked for from now on.
    pub fn invalidate(&self, tenant: TenantId) {
        // A load that is under way loses its place, and with it what it finds.
        self.entries.remove(&tenant);
    }

    /// Forgets all states.
    pub fn invalidate_all(&self) {
        self.entries.clear();
    }

    /// The directory behind the cache.
    pub fn directory(&self) -> &D {
        &self.directory
    }
}

impl<D: Directory> Directory for Cached<D> {
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
            // Neither is asked for here.
            EntryResult::Removed(..) | EntryResult::Timeout => None,
        };
        // The wait is over: what is asked now is as old as now. Where this future is dropped, the place goes to
        // the next who waits.
        let asked = Instant::now();
        let status = self.directory.status(tenant).await;
        let (answer, ttl) = match &status {
            Ok(None) => (Some(None), self.unknown_ttl),
            Ok(status) => (Some(*status), self.ttl),
            Err(_) => (None, Duration::ZERO),
        };
        // Fails where it was invalidated in between: then the answer is for who has asked before.
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

/// Shows how many answers are kept, and none of them.
impl<D> fmt::Debug for Cached<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached")
            .field("len", &self.entries.len())
            .field("ttl", &self.ttl)
            .field("unknown_ttl", &self.unknown_ttl)
            .finish_non_exhaustive()
    }
}
