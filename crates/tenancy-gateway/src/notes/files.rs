//! The store of notes in the tenants' files.

use std::fmt;
use std::future::ready;

use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, params};
use tenancy::{TenantContext, TenantFutureExt};
use tenancy_sqlite::{Error, TenantFiles, TenantReader, TenantTx};
use tokio::task::JoinError;
use uuid::Uuid;

use super::{Note, Notes, NotesError, Stored, next};
use crate::files;

/// A store with the notes of each tenant in its own file.
pub struct FileNotes {
    files: TenantFiles,
    /// The maximum number of notes of a tenant.
    most: usize,
}

impl FileNotes {
    /// Creates a store, with a maximum number of notes per tenant.
    pub fn with_limit(most: usize, files: TenantFiles) -> Self {
        Self { files, most }
    }

    /// Runs a function on the file of the current tenant, which is read when this is called.
    fn own<T: Send + 'static>(
        &self,
        work: impl FnOnce(&TenantFiles) -> Result<T, NotesError> + Send + 'static,
    ) -> Stored<'_, T> {
        match TenantContext::get() {
            Ok(tenant) => Box::pin(files::work(&self.files, work).in_tenant(tenant)),
            Err(error) => Box::pin(ready(Err(error.into()))),
        }
    }
}

impl Notes for FileNotes {
    fn list(&self, after: Option<Uuid>, limit: usize) -> Stored<'_, Vec<Note>> {
        const SQL: &str = "SELECT id, text, created FROM notes WHERE id > ?1 ORDER BY id LIMIT ?2";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.own(move |files| {
            files.read(|reader| {
                Ok(reader.query(SQL, params![after.unwrap_or_default().as_bytes(), limit], note)?)
            })
        })
    }

    fn create(&self, text: String) -> Stored<'_, Note> {
        let most = self.most;
        self.own(move |files| {
            files.write(|tx| {
                if count(tx)? >= most as u64 {
                    return Err(NotesError::Full);
                }
                let last: Option<[u8; 16]> =
                    tx.query_row("SELECT max(id) FROM notes", [], |row| row.get(0))?;
                let id = next(Uuid::now_v7(), last.map(Uuid::from_bytes));
                let note = Note { id, text, created: Timestamp::now() };
                insert(tx, &note)?;
                Ok(note)
            })
        })
    }

    fn get(&self, id: Uuid) -> Stored<'_, Option<Note>> {
        self.own(move |files| files.read(|reader| Ok(find(reader, id)?)))
    }

    fn update(&self, id: Uuid, text: String) -> Stored<'_, Option<Note>> {
        const SQL: &str = "UPDATE notes SET text = ?2 WHERE id = ?1 RETURNING id, text, created";
        self.own(move |files| {
            if !files.exists()? {
                return Ok(None);
            }
            files.write(|tx| Ok(tx.query(SQL, params![id.as_bytes(), text], note)?.into_iter().next()))
        })
    }

    fn delete(&self, id: Uuid) -> Stored<'_, bool> {
        self.own(move |files| {
            // Do not create a file only to find nothing in it.
            if !files.exists()? {
                return Ok(false);
            }
            files.write(|tx| Ok(tx.execute("DELETE FROM notes WHERE id = ?1", [id.as_bytes()])? > 0))
        })
    }

    fn restore(&self, note: Note) -> Stored<'_, bool> {
        let most = self.most;
        self.own(move |files| {
            files.write(|tx| match find(tx, note.id)? {
                Some(found) => found.instead_of(&note),
                None if count(tx)? >= most as u64 => Err(NotesError::Full),
                None => Ok(insert(tx, &note).map(|()| true)?),
            })
        })
    }
}

/// Returns the note with an id.
fn find(reader: &TenantReader<'_>, id: Uuid) -> Result<Option<Note>, Error> {
    let mut statement = reader.prepare_cached("SELECT id, text, created FROM notes WHERE id = ?1")?;
    Ok(statement.query_row([id.as_bytes()], note).optional()?)
}

fn insert(tx: &TenantTx<'_>, note: &Note) -> Result<(), Error> {
    let created = note.created.to_string();
    let values = params![note.id.as_bytes(), note.text, created];
    tx.execute("INSERT INTO notes (id, text, created) VALUES (?1, ?2, ?3)", values).map(drop)
}

fn count(tx: &TenantTx<'_>) -> Result<u64, Error> {
    tx.query_row("SELECT count(*) FROM notes", [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
}

fn note(row: &Row<'_>) -> rusqlite::Result<Note> {
    let created: String = row.get(2)?;
    let created = created
        .parse()
        .map_err(|_| rusqlite::Error::InvalidColumnType(2, "created".into(), rusqlite::types::Type::Text))?;
    Ok(Note { id: Uuid::from_bytes(row.get(0)?), text: row.get(1)?, created })
}

impl From<Error> for NotesError {
    fn from(error: Error) -> Self {
        match error {
            Error::Busy => Self::Unavailable,
            Error::Full => {
                tracing::error!("cannot store a note: disk is full");
                Self::NoRoom
            }
            error => Self::Store(error.into()),
        }
    }
}

impl From<JoinError> for NotesError {
    fn from(error: JoinError) -> Self {
        Self::Store(error.into())
    }
}

/// Shows no note.
impl fmt::Debug for FileNotes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileNotes").field("files", &self.files).field("most", &self.most).finish()
    }
}
