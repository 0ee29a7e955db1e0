//! Notes in another store, kept in Redis for a while.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::ConnectionManager;
use tenancy_redis::TenantCache;
use tenancy_redis::cache::CacheError;
use uuid::Uuid;

use super::{Note, Notes, NotesError, Stored};
use crate::redis::TIMEOUT;

/// How long a note may be read after it was changed while Redis did not answer.
const TTL: Duration = Duration::from_mins(1);
const NEGATIVE_TTL: Duration = Duration::from_secs(5);

/// Another store, asked once for a note that is read often. Each tenant has a cache of its own.
pub struct CachedNotes {
    store: Arc<dyn Notes>,
    /// Which store it is: what one had is not there in another.
    id: Uuid,
    cache: TenantCache<ConnectionManager>,
}

impl CachedNotes {
    /// Before a store of this id, which all who have the same notes have in common, and nobody else.
    pub fn new(store: Arc<dyn Notes>, id: Uuid, connection: ConnectionManager) -> Self {
        let cache = TenantCache::new(connection)
            .namespace("notes")
            .ttl(TTL)
            .negative_ttl(NEGATIVE_TTL)
            .jitter(0.1)
            .timeout(TIMEOUT);
        Self { store, id, cache }
    }

    fn key(&self, note: Uuid) -> String {
        format!("{}:{note}", self.id.simple())
    }

    /// What the store comes to, and then the note is not in the cache any more.
    fn changing<'a, T: Send + 'a>(&'a self, note: Uuid, changed: Stored<'a, T>) -> Stored<'a, T> {
        let key = self.key(note);
        // Called here, where the tenant is the caller's; it is polled after the store is done.
        let removed = self.cache.remove(&key);
        Box::pin(async move {
            let changed = changed.await;
            if let Err(error) = removed.await {
                tracing::warn!(%error, "a changed note may be read as it was for {} s", TTL.as_secs());
            }
            changed
        })
    }
}

impl Notes for CachedNotes {
    fn list(&self, after: Option<Uuid>, limit: usize) -> Stored<'_, Vec<Note>> {
        self.store.list(after, limit)
    }

    fn create(&self, text: String) -> Stored<'_, Note> {
        self.store.create(text)
    }

    fn get(&self, id: Uuid) -> Stored<'_, Option<Note>> {
        let found = self.cache.get_or_set(&self.key(id), move || self.store.get(id));
        Box::pin(async move { found.await.map_err(NotesError::from) })
    }

    fn update(&self, id: Uuid, text: String) -> Stored<'_, Option<Note>> {
        self.changing(id, self.store.update(id, text))
    }

    fn delete(&self, id: Uuid) -> Stored<'_, bool> {
        self.changing(id, self.store.delete(id))
    }
}

impl From<CacheError<NotesError>> for NotesError {
    fn from(error: CacheError<NotesError>) -> Self {
        match error {
            CacheError::NoTenant(error) => Self::NoTenant(error),
            error => Self::Store(Box::new(error)),
        }
    }
}

impl fmt::Debug for CachedNotes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CachedNotes").field("id", &self.id).finish_non_exhaustive()
    }
}
