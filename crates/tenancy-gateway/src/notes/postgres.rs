//! The store of notes in Postgres.

use std::fmt;
use std::future::ready;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tenancy::{TenantContext, TenantFutureExt};
use tenancy_postgres::table::Order;
use tenancy_postgres::{Error, TenantDb};
use tokio::time::timeout;
use uuid::Uuid;

use super::{Note, Notes, NotesError, Stored, next};
use crate::database::{Database, LONGEST};
use crate::semaphores::TenantSemaphores;

const TABLE: &str = "gateway.notes";
const COLUMNS: &str = "id, text, created_at";

/// Locks the tenant of the transaction, so that instances create its notes one after the other.
const LOCK: &str = "SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(\
     pg_catalog.concat('gateway.notes ', tenancy.tenant_id()), 0))";

/// A store in a database that instances share.
///
/// Each statement runs in a transaction of the tenant, in which the database returns no row of another tenant.
pub struct PgNotes {
    db: TenantDb,
    /// The maximum number of notes of a tenant.
    most: usize,
    permits: Arc<TenantSemaphores>,
}

#[derive(Deserialize)]
struct Row {
    id: Uuid,
    text: String,
    created_at: Timestamp,
}

#[derive(Deserialize)]
struct Id {
    id: Uuid,
}

#[derive(Serialize)]
struct New {
    id: Uuid,
    text: String,
}

#[derive(Serialize)]
struct Old {
    id: Uuid,
    text: String,
    created_at: Timestamp,
}

#[derive(Serialize)]
struct Text {
    text: String,
}

impl PgNotes {
    /// Creates a store, with a maximum number of notes per tenant.
    pub fn with_limit(most: usize, database: &Database) -> Self {
        Self { db: database.db.clone(), most, permits: Arc::clone(&database.permits) }
    }

    /// Runs a future in the current tenant, which is read when this is called, with a time limit.
    fn own<'a, T: Send + 'a>(
        &'a self,
        work: impl Future<Output = Result<T, NotesError>> + Send + 'a,
    ) -> Stored<'a, T> {
        let tenant = match TenantContext::get() {
            Ok(tenant) => tenant,
            Err(error) => return Box::pin(ready(Err(error.into()))),
        };
        let done = async move {
            let _permit = self.permits.acquire(tenant).await;
            work.await
        };
        let done = timeout(LONGEST, done.in_tenant(tenant));
        Box::pin(async { done.await.unwrap_or(Err(NotesError::Unavailable)) })
    }

    async fn insert(&self, text: String) -> Result<Note, NotesError> {
        self.db
            .tx(async |tx| {
                tx.query_unverified(LOCK, &[]).await?;
                let notes = tx.table(TABLE);
                if notes.select("id").count().await? >= self.most as u64 {
                    return Err(NotesError::Full);
                }
                let last = notes.select("id").order("id", Order::Desc).limit(1).maybe_single::<Id>().await?;
                let new = New { id: next(Uuid::now_v7(), last.map(|last| last.id)), text };
                Ok(notes.insert(new).returning(COLUMNS).single::<Row>().await?.into())
            })
            .await
    }

    async fn put_back(&self, note: Note) -> Result<bool, NotesError> {
        self.db
            .tx(async |tx| {
                tx.query_unverified(LOCK, &[]).await?;
                let notes = tx.table(TABLE);
                if let Some(found) = notes.select(COLUMNS).eq("id", note.id).maybe_single::<Row>().await? {
                    return Note::from(found).instead_of(&note);
                }
                if notes.select("id").count().await? >= self.most as u64 {
                    return Err(NotesError::Full);
                }
                notes.insert(Old::from(note)).returning(COLUMNS).single::<Row>().await?;
                Ok(true)
            })
            .await
    }
}

impl Notes for PgNotes {
    fn list(&self, after: Option<Uuid>, limit: usize) -> Stored<'_, Vec<Note>> {
        self.own(async move {
            let notes = self.db.table(TABLE).select(COLUMNS).gt("id", after.unwrap_or_default());
            let rows = notes.order("id", Order::Asc).limit(limit as u64).rows::<Row>().await?;
            Ok(rows.into_iter().map(Note::from).collect())
        })
    }

    fn create(&self, text: String) -> Stored<'_, Note> {
        self.own(self.insert(text))
    }

    fn get(&self, id: Uuid) -> Stored<'_, Option<Note>> {
        self.own(async move {
            let note = self.db.table(TABLE).select(COLUMNS).eq("id", id).maybe_single::<Row>().await?;
            Ok(note.map(Note::from))
        })
    }

    fn update(&self, id: Uuid, text: String) -> Stored<'_, Option<Note>> {
        self.own(async move {
            let updated = self.db.table(TABLE).update(Text { text }).eq("id", id).returning(COLUMNS);
            Ok(updated.maybe_single::<Row>().await?.map(Note::from))
        })
    }

    fn delete(&self, id: Uuid) -> Stored<'_, bool> {
        self.own(async move { Ok(self.db.table(TABLE).delete().eq("id", id).execute().await? > 0) })
    }

    fn restore(&self, note: Note) -> Stored<'_, bool> {
        self.own(self.put_back(note))
    }
}

impl From<Row> for Note {
    fn from(Row { id, text, created_at }: Row) -> Self {
        Self { id, text, created: created_at }
    }
}

/// Truncates the time to microseconds. The server would round it, so that it would change with each import.
impl From<Note> for Old {
    fn from(Note { id, text, created }: Note) -> Self {
        let created_at = Timestamp::from_microsecond(created.as_microsecond()).unwrap_or(created);
        Self { id, text, created_at }
    }
}

impl From<Error> for NotesError {
    fn from(error: Error) -> Self {
        if error.is_transient() {
            tracing::warn!(%error, "note database failed");
            return Self::Unavailable;
        }
        Self::Store(error.into())
    }
}

/// Shows no note.
impl fmt::Debug for PgNotes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgNotes").field("db", &self.db).field("most", &self.most).finish_non_exhaustive()
    }
}
