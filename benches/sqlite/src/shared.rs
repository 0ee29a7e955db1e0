//! The notes of all tenants in one file, as a service does it by hand with rusqlite.
//!
//! The file has a write-ahead log and the same `synchronous` as the tenants' files. A pool has eight connections with cached
//! statements. Writes take a lock first, because SQLite's own wait for a lock sleeps for milliseconds.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use tenancy::TenantId;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::service::{Note, Store};
use crate::{NOTES, TEXT, tenant};

const CONNECTIONS: usize = 8;

/// On which thread a read runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reads {
    /// On the thread of its task, as fast as possible. A slow read would block the runtime.
    Inline,
    /// On a thread for blocking work, as usual.
    SpawnBlocking,
}

/// The notes in one file.
#[derive(Clone, Debug)]
pub struct SharedStore {
    pool: Arc<Pool>,
    reads: Reads,
}

#[derive(Debug)]
struct Pool {
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
    writes: tokio::sync::Mutex<()>,
}

impl SharedStore {
    /// Creates a file in a folder, with the notes of this many tenants.
    ///
    /// # Panics
    ///
    /// If the folder cannot be used.
    pub fn filled(folder: &Path, tenants: usize, reads: Reads) -> Self {
        let open = || {
            let connection = Connection::open(folder.join("shared.sqlite"))?;
            connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")?;
            Ok(connection)
        };
        let idle: rusqlite::Result<Vec<_>> = (0..CONNECTIONS).map(|_| open()).collect();
        let mut idle = idle.expect("a file");
        fill(&mut idle[0], tenants).expect("notes");
        let (idle, permits) = (Mutex::new(idle), Semaphore::new(CONNECTIONS));
        Self { pool: Arc::new(Pool { idle, permits, writes: tokio::sync::Mutex::default() }), reads }
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        match self.reads {
            Reads::Inline => {
                let _permit = self.pool.permits.acquire().await.map_err(io::Error::other)?;
                self.pool.with(work)
            }
            Reads::SpawnBlocking => self.hop(work).await,
        }
    }

    /// Works on a thread for blocking work.
    async fn hop<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let _permit = self.pool.permits.acquire().await.map_err(io::Error::other)?;
        let pool = Arc::clone(&self.pool);
        spawn_blocking(move || pool.with(work)).await?
    }
}

impl Pool {
    fn with<T>(&self, work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> io::Result<T> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut connection = idle().pop().expect("a permit is a connection");
        let result = work(&mut connection);
        idle().push(connection);
        result.map_err(io::Error::other)
    }
}

fn fill(connection: &mut Connection, tenants: usize) -> rusqlite::Result<()> {
    connection.execute_batch(
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, tenant BLOB NOT NULL, number INTEGER NOT NULL, text TEXT NOT NULL) STRICT;
         CREATE UNIQUE INDEX by_tenant ON notes (tenant, number)",
    )?;
    let transaction = connection.transaction()?;
    for number in 0..tenants {
        for _ in 0..NOTES {
            add(&transaction, tenant(number), TEXT)?;
        }
    }
    transaction.commit()
}

/// Adds a note with the tenant's next number.
fn add(connection: &Connection, tenant: TenantId, text: &str) -> rusqlite::Result<i64> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO notes (tenant, number, text) \
         VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM notes WHERE tenant = ?1), ?2) RETURNING number",
    )?;
    statement.query_row(params![tenant.as_bytes(), text], |row| row.get(0))
}

fn note(row: &Row<'_>) -> rusqlite::Result<Note> {
    Ok(Note { id: row.get(0)?, text: row.get(1)? })
}

impl Store for SharedStore {
    async fn get(&self, tenant: TenantId, id: i64) -> io::Result<Option<Note>> {
        let find = move |connection: &mut Connection| {
            let sql = "SELECT number, text FROM notes WHERE tenant = ?1 AND number = ?2";
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_row(params![tenant.as_bytes(), id], note).optional()
        };
        self.read(find).await
    }

    async fn list(&self, tenant: TenantId, after: i64, limit: i64) -> io::Result<Vec<Note>> {
        let list = move |connection: &mut Connection| {
            let sql =
                "SELECT number, text FROM notes WHERE tenant = ?1 AND number > ?2 ORDER BY number LIMIT ?3";
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_map(params![tenant.as_bytes(), after, limit], note)?.collect()
        };
        self.read(list).await
    }

    async fn add(&self, tenant: TenantId, text: String) -> io::Result<Note> {
        let _writes = self.pool.writes.lock().await;
        let add = move |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let id = add(&transaction, tenant, &text)?;
            transaction.commit()?;
            Ok(Note { id, text })
        };
        self.hop(add).await
    }
}
