//! The notes of each tenant in its own file, by `tenancy-sqlite`.

use std::io;
use std::path::Path;

use rusqlite::{OptionalExtension, Row};
use tenancy::{TenantContext, TenantFutureExt, TenantId};
use tenancy_sqlite::{AsyncTenantFiles, Config, Error, Migration, TenantFiles};

use crate::service::{Note, Store};
use crate::{NOTES, TEXT, tenant};

const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "notes",
    sql: "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT",
}];

/// The notes in the tenants' files.
#[derive(Clone, Debug)]
pub struct FileStore(AsyncTenantFiles);

impl FileStore {
    /// Opens the files in a folder with the default settings, and fills those of this many tenants.
    ///
    /// # Panics
    ///
    /// If the folder cannot be used.
    pub fn filled(folder: &Path, tenants: usize) -> Self {
        let files = TenantFiles::open(Config::new(folder).migrations(MIGRATIONS)).expect("a folder");
        for number in 0..tenants {
            let filled = TenantContext::scope(tenant(number), || {
                files.write(|tx| {
                    (0..NOTES).try_for_each(|_| {
                        tx.execute("INSERT INTO notes (text) VALUES (?1)", [TEXT]).map(drop)
                    })
                })
            });
            filled.expect("notes");
        }
        Self(AsyncTenantFiles::new(files))
    }
}

fn note(row: &Row<'_>) -> rusqlite::Result<Note> {
    Ok(Note { id: row.get(0)?, text: row.get(1)? })
}

impl Store for FileStore {
    async fn get(&self, tenant: TenantId, id: i64) -> io::Result<Option<Note>> {
        let found = self.0.read(move |file| {
            let mut statement = file.prepare_cached("SELECT id, text FROM notes WHERE id = ?1")?;
            Ok::<_, Error>(statement.query_row([id], note).optional()?)
        });
        found.in_tenant(tenant).await.map_err(io::Error::other)
    }

    async fn list(&self, tenant: TenantId, after: i64, limit: i64) -> io::Result<Vec<Note>> {
        const SQL: &str = "SELECT id, text FROM notes WHERE id > ?1 ORDER BY id LIMIT ?2";
        let found = self.0.read(move |file| file.query(SQL, [after, limit], note));
        found.in_tenant(tenant).await.map_err(io::Error::other)
    }

    async fn add(&self, tenant: TenantId, text: String) -> io::Result<Note> {
        let added = self.0.write(move |tx| {
            tx.execute("INSERT INTO notes (text) VALUES (?1)", [&text])?;
            Ok::<_, Error>(Note { id: tx.last_insert_rowid(), text })
        });
        added.in_tenant(tenant).await.map_err(io::Error::other)
    }
}
