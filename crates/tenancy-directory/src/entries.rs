//! Values by tenant that expire, loaded once for all concurrent lookups.

use std::future::Future;
use std::time::Duration;

use quick_cache::sync::{Cache, EntryAction, EntryResult};
use tenancy::TenantId;
use tokio::time::Instant;

/// The time to live of a value whose end is later than the clock can represent.
const FAR_FUTURE: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);

/// A bounded map of values that expire. The least recently or least often used values are evicted first.
pub(crate) struct Entries<V> {
    cache: Cache<TenantId, Entry<V>>,
}

#[derive(Clone)]
struct Entry<V> {
    /// `None` if the load failed. Only lookups that waited for this load read it.
    value: Option<V>,
    loaded: Instant,
    expires: Instant,
}

/// Why a load failed.
pub(crate) enum LoadError<E> {
    /// The load of this lookup failed.
    Own(E),
    /// The load of a concurrent lookup of the same tenant failed.
    Shared,
}

impl<V: Clone> Entry<V> {
    fn new(value: Option<V>, asked: Instant, ttl: Duration) -> Self {
        let expires = asked.checked_add(ttl).unwrap_or_else(|| asked + FAR_FUTURE);
        Self { value, loaded: Instant::now(), expires }
    }

    fn is_fresh(&self) -> bool {
        Instant::now() < self.expires
    }

    /// Returns whether the value is valid for a lookup that began at `asked`: it was loaded later, or has not expired.
    fn is_for(&self, asked: Instant) -> bool {
        self.loaded > asked || self.is_fresh()
    }
}

impl<V: Clone> Entries<V> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { cache: Cache::new(capacity.max(1)) }
    }

    pub(crate) fn len(&self) -> usize {
        self.cache.len()
    }

    /// Removes the tenant's value. A load in progress loses its entry, so that its value is not cached.
    pub(crate) fn remove(&self, tenant: TenantId) {
        self.cache.remove(&tenant);
    }

    pub(crate) fn clear(&self) {
        self.cache.clear();
    }

    /// Returns the tenant's value if it has not expired.
    pub(crate) fn fresh(&self, tenant: TenantId) -> Option<V> {
        self.cache.get(&tenant).filter(Entry::is_fresh)?.value
    }

    /// Returns the tenant's value, or polls `load`, which returns a value and its time to live.
    ///
    /// The time to live counts from the start of the load. If the future is dropped, another waiting lookup loads.
    pub(crate) async fn get_or_load<E>(
        &self,
        tenant: TenantId,
        load: impl Future<Output = Result<(V, Duration), E>>,
    ) -> Result<V, LoadError<E>> {
        let asked = Instant::now();
        let found = self.cache.entry_async(&tenant, |_, entry| {
            if entry.is_for(asked) {
                EntryAction::Retain(entry.value.clone())
            } else {
                EntryAction::ReplaceWithGuard
            }
        });
        let place = match found.await {
            EntryResult::Retained(value) => return value.ok_or(LoadError::Shared),
            EntryResult::Vacant(place) | EntryResult::Replaced(place, _) => Some(place),
            // Neither is requested here.
            EntryResult::Removed(..) | EntryResult::Timeout => None,
        };
        // The wait for other lookups is over, so the load begins now.
        let asked = Instant::now();
        let loaded = load.await;
        let entry = match &loaded {
            Ok((value, ttl)) => Entry::new(Some(value.clone()), asked, *ttl),
            Err(_) => Entry::new(None, asked, Duration::ZERO),
        };
        // Fails if the tenant's value was removed in between. Then only this lookup returns the value.
        let _ = place.map(|place| place.insert(entry));
        loaded.map(|(value, _)| value).map_err(LoadError::Own)
    }
}
