//! A cache in front of notes.

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

/// How long a note is cached. A change of which Redis could not be told may be hidden for so long.
const TTL: Duration = Duration::from_secs(60);

/// Notes of another store, read from a cache of each tenant's own where it has them.
///
/// Where Redis fails, they are read from the store. A note that was changed or deleted is forgotten, and not kept
/// as it is now: of two changes at the same time the older one could be kept last. Lists are not cached.
///
/// The key of a note on the server is `t:{tenant}:cache:notes:{store}:{note}`, so that a store never reads what
/// was cached of another.
pub struct CachedNotes<N, C>(Arc<Inner<N, C>>);

struct Inner<N, C> {
    notes: N,
    cache: TenantCache<C>,
    store: StoreId,
}

/// By what the keys of a store's notes begin.
enum StoreId {
    /// Nobody else reads the store, and so nobody else has to know it.
    Own(Mutex<Uuid>),
    Shared(Uuid),
}

impl<N: Notes, C: ConnectionLike + Clone + Send + Sync + 'static> CachedNotes<N, C> {
    /// For a store that this process has to itself, in its memory for one. It gets a random id: what was cached of
    /// another, or of an earlier one, is never read.
    pub fn new(notes: N, connection: C) -> Self {
        Self::with(notes, connection, StoreId::Own(Mutex::new(Uuid::new_v4())))
    }

    /// For a store that outlives the process, or that several have, a database for one: the same id is the same
    /// store.
    ///
    /// Another process may read a note as it was for up to a minute where Redis failed when it was changed, or
    /// where it read the store before the change and cached it after.
    pub fn of_store(id: Uuid, notes: N, connection: C) -> Self {
        Self::with(notes, connection, StoreId::Shared(id))
    }

    fn with(notes: N, connection: C, store: StoreId) -> Self {
        let cache = TenantCache::new(connection).namespace("notes").ttl(TTL).jitter(0.1);
        Self(Arc::new(Inner { notes, cache, store }))
    }

    /// Changes a note, then forgets what is cached of it. Both are done even if nobody waits any more: a caller
    /// who goes away in between would leave the note as it was in the cache.
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
            // Where it failed, nobody knows what was done.
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
            // Under another id nothing of it is cached.
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

    /// Nothing is cached of an id that nobody knew, and who changes the note at once must not find it cached as it
    /// was made.
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

    /// That there is none of the id may be cached.
    fn restore(&self, note: Note) -> Stored<'_, bool> {
        self.change(note.id, move |notes| notes.restore(note))
    }
}

impl From<CacheError<NotesError>> for NotesError {
    fn from(error: CacheError<NotesError>) -> Self {
        match error {
            CacheError::NoTenant(error) => Self::NoTenant(error),
            // Others may wait for the same.
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

/// Shows nothing of the notes, and no key.
impl<N, C> fmt::Debug for CachedNotes<N, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedNotes").field("cache", &self.0.cache).finish_non_exhaustive()
    }
}
