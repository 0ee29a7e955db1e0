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
/// An answer is asked for once for all who wait for it. Past its time it is never given, also where the
/// directory fails: then the failure is. The time counts from the question, so a suspended tenant is denied
/// at the latest that long after, and at once by [`invalidate`](Self::invalidate).
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

#[derive(Clone, Copy)]
struct Entry {
    status: Option<TenantStatus>,
    until: Instant,
}

impl Entry {
    fn fresh(self) -> Poll<Option<TenantStatus>> {
        if Instant::now() < self.until { Poll::Ready(self.status) } else { Poll::Pending }
    }
}

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

    async fn load(&self, tenant: TenantId) -> Result<Entry, D::Error> {
        let asked = Instant::now();
        let status = self.directory.status(tenant).await?;
        let ttl = if status.is_some() { self.ttl } else { self.unknown_ttl };
        // A time that is past all clocks is as good as none that is kept.
        Ok(Entry { status, until: asked.checked_add(ttl).unwrap_or(asked) })
    }
}

impl<D: Directory> Directory for Cached<D> {
    type Error = D::Error;

    async fn status(&self, tenant: TenantId) -> Result<Option<TenantStatus>, D::Error> {
        let found = self.entries.entry_async(&tenant, |_, entry| match entry.fresh() {
            Poll::Ready(status) => EntryAction::Retain(status),
            Poll::Pending => EntryAction::ReplaceWithGuard,
        });
        match found.await {
            EntryResult::Retained(status) => Ok(status),
            EntryResult::Vacant(place) | EntryResult::Replaced(place, _) => {
                // Where it fails or is dropped, the place goes to the next who waits.
                let entry = self.load(tenant).await?;
                // Fails where it was invalidated in between: then the answer is for who has asked before.
                let _ = place.insert(entry);
                Ok(entry.status)
            }
            // Neither is asked for here.
            EntryResult::Removed(..) | EntryResult::Timeout => self.directory.status(tenant).await,
        }
    }

    fn status_now(&self, tenant: TenantId) -> Poll<Option<TenantStatus>> {
        self.entries.get(&tenant).map_or(Poll::Pending, Entry::fresh)
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
