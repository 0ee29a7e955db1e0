//! A cache of notes.

use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::ConnectionLike;
use tenancy::{TenantContext, TenantFutureExt};
use tenancy_redis::TenantCache;
use tenancy_redis::cache::CacheError;
use tracing::Instrument;
use uuid::Uuid;

use super::{Note, Notes, NotesError, Stored};

/// The lifetime of a cached note. If Redis fails during a change, the old note can be visible for this time.
const TTL: Duration = Duration::from_secs(60);

/// A store that caches the notes of another one, separately for each tenant.
///
/// If Redis fails, notes are read from the store. A changed note is removed from the cache, and not stored: of two
/// concurrent changes, the older one could be stored last. Lists are not cached.
///
/// The key of a note is `t:{tenant}:cache:notes:{store}:{note}`, so that a store never reads the cache of another.
pub struct CachedNotes<N, C>(Arc<Inner<N, C>>);

struct Inner<N, C> {
    notes: N,
    cache: TenantCache<C>,
    store: StoreId,
}

/// The id of a store in its keys.
enum StoreId {
    /// A random id: only this process uses the store.
    Own(Mutex<Uuid>),
    Shared(Uuid),
}

impl<N: Notes, C: ConnectionLike + Clone + Send + Sync + 'static> CachedNotes<N, C> {
    /// Creates a cache for a store that only this process uses. A random id separates it from earlier caches.
    pub fn new(notes: N, connection: C) -> Self {
        Self::with(notes, connection, StoreId::Own(Mutex::new(Uuid::new_v4())))
    }

    /// Creates a cache for a store that several processes use, with the id of the store.
    ///
    /// For up to a minute, another process can read the old note if Redis failed during the change, or if it read the
    /// store before the change and filled the cache after it.
    pub fn of_store(id: Uuid, notes: N, connection: C) -> Self {
        Self::with(notes, connection, StoreId::Shared(id))
    }

    fn with(notes: N, connection: C, store: StoreId) -> Self {
        let cache = TenantCache::new(connection).namespace("notes").ttl(TTL).jitter(0.1);
        Self(Arc::new(Inner { notes, cache, store }))
    }

    /// Changes a note, then removes it from the cache. Both are completed even if the caller is gone. Otherwise the cache
    /// could keep the old note.
    fn change<T: Send + 'static>(
        &self,
        id: Uuid,
        change: impl for<'n> FnOnce(&'n N) -> Stored<'n, T> + Send + 'static,
    ) -> Stored<'_, T> {
        let tenant = match TenantContext::get() {
            Ok(tenant) => tenant,
            Err(error) => return Box::pin(ready(Err(error.into()))),
        };
        let inner = Arc::clone(&self.0);
        let changed = async move {
            let changed = change(&inner.notes).await;
            // After an error, the note may have been changed.
            inner.forget(id).await;
            changed
        };
        let changed = tokio::spawn(changed.in_tenant(tenant).in_current_span());
        Box::pin(async move { changed.await.unwrap_or_else(|error| Err(NotesError::Store(error.into()))) })
    }
}

impl<N: Notes, C: ConnectionLike + Clone + Send + Sync + 'static> Inner<N, C> {
    async fn forget(&self, id: Uuid) {
        let removed = self.cache.remove(&self.store.key(id)).await;
        if let (Err(_), StoreId::Own(store)) = (removed, &self.store) {
            // With another id, no old note is in the cache.
            *store.lock().unwrap_or_else(PoisonError::into_inner) = Uuid::new_v4();
        }
    }
}

impl StoreId {
    fn key(&self, note: Uuid) -> String {
        let store = match self {
            Self::Own(store) => *store.lock().unwrap_or_else(PoisonError::into_inner),
            Self::Shared(store) => *store,
        };
        format!("{}:{}", store.simple(), note.simple())
    }
}

impl<N: Notes, C: ConnectionLike + Clone + Send + Sync + 'static> Notes for CachedNotes<N, C> {
    fn list(&self, after: Option<Uuid>, limit: usize) -> Stored<'_, Vec<Note>> {
        self.0.notes.list(after, limit)
    }

    /// Does not fill the cache: a concurrent change of the new note could be overwritten.
    fn create(&self, text: String) -> Stored<'_, Note> {
        self.0.notes.create(text)
    }

    fn get(&self, id: Uuid) -> Stored<'_, Option<Note>> {
        let Inner { notes, cache, store } = &*self.0;
        let note = cache.get_or_set(&store.key(id), move || notes.get(id));
        Box::pin(async move { note.await.map_err(NotesError::from) })
    }

    fn update(&self, id: Uuid, text: String) -> Stored<'_, Option<Note>> {
        self.change(id, move |notes| notes.update(id, text))
    }

    fn delete(&self, id: Uuid) -> Stored<'_, bool> {
        self.change(id, move |notes| notes.delete(id))
    }

    /// The cache may contain that there is no note with the id.
    fn restore(&self, note: Note) -> Stored<'_, bool> {
        self.change(note.id, move |notes| notes.restore(note))
    }
}

impl From<CacheError<NotesError>> for NotesError {
    fn from(error: CacheError<NotesError>) -> Self {
        match error {
            CacheError::NoTenant(error) => Self::NoTenant(error),
            // Other callers may share the error.
            CacheError::Load(error) => match &*error {
                Self::NoTenant(error) => Self::NoTenant(*error),
                Self::Full => Self::Full,
                Self::Taken => Self::Taken,
                Self::NoRoom => Self::NoRoom,
                Self::Unavailable => Self::Unavailable,
                Self::Store(_) => Arc::try_unwrap(error).unwrap_or_else(|error| Self::Store(error.into())),
            },
            error => Self::Store(error.into()),
        }
    }
}

/// Shows no note and no key.
impl<N, C> fmt::Debug for CachedNotes<N, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedNotes").field("cache", &self.0.cache).finish_non_exhaustive()
    }
}
