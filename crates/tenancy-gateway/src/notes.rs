//! Notes: what a tenant keeps here.

mod cached;
mod files;
pub mod http;
mod memory;
mod postgres;

use std::fmt;
use std::pin::Pin;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tenancy::TenantContextNotSetError;
use utoipa::ToSchema;
use uuid::Uuid;

pub use cached::CachedNotes;
pub use files::FileNotes;
pub use memory::MemoryNotes;
pub use postgres::PgNotes;

/// A note. Its tenant is not in it: who has it, has it from its tenant's notes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Note {
    /// Grows with time.
    pub id: Uuid,
    /// 1 to 4,096 characters.
    pub text: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
}

/// The most characters of a note's text.
const LONGEST_TEXT: usize = 4096;

impl Note {
    /// Whether a text may be a note's: it is neither empty nor too long, and has no character that Postgres keeps in no
    /// text.
    pub fn is_text(text: &str) -> bool {
        (1..=LONGEST_TEXT).contains(&text.chars().count()) && !text.contains('\0')
    }

    /// What it means that this is there where another of the same id is put back: it is the same, and not new, or the id
    /// is taken. Postgres keeps no nanoseconds.
    fn instead_of(&self, other: &Self) -> Result<bool, NotesError> {
        let is_same =
            self.text == other.text && self.created.as_microsecond() == other.created.as_microsecond();
        if is_same { Ok(false) } else { Err(NotesError::Taken) }
    }
}

/// What a store comes to, later.
pub type Stored<'a, T> = Pin<Box<dyn Future<Output = Result<T, NotesError>> + Send + 'a>>;

/// The notes of the current tenant.
///
/// No method is told a tenant, so none can be told a wrong one: each reads
/// [`TenantContext`](tenancy::TenantContext), before it first waits, and fails where there is none. A note of
/// another tenant is as absent as one that nobody has.
///
/// The futures are boxed, so that a program can choose the store at its start.
pub trait Notes: Send + Sync + 'static {
    /// At most `limit` notes with a greater id than `after`, by their ids.
    fn list(&self, after: Option<Uuid>, limit: usize) -> Stored<'_, Vec<Note>>;
    /// Makes a note.
    fn create(&self, text: String) -> Stored<'_, Note>;
    /// A note, if the tenant has it.
    fn get(&self, id: Uuid) -> Stored<'_, Option<Note>>;
    /// Changes a note's text, if the tenant has it.
    fn update(&self, id: Uuid, text: String) -> Stored<'_, Option<Note>>;
    /// Deletes a note; whether the tenant had it.
    fn delete(&self, id: Uuid) -> Stored<'_, bool>;
    /// Puts a note back as it was exported, with its id and its time. Whether it is new: the same may be there already.
    fn restore(&self, note: Note) -> Stored<'_, bool>;
}

/// Why a store does not do what it was asked.
#[derive(Debug)]
#[non_exhaustive]
pub enum NotesError {
    /// There is no tenant to do it for.
    NoTenant(TenantContextNotSetError),
    /// The tenant has as many notes as it may have.
    Full,
    /// The tenant has another note of the id.
    Taken,
    /// There is no room for another note, whoever's it would be.
    NoRoom,
    /// What it is kept in does not answer. A change may be made all the same.
    Unavailable,
    /// What it is kept in failed.
    Store(Box<dyn std::error::Error + Send + Sync>),
}

/// A page never begins behind a note that is still to come, though a clock was ahead.
fn next(now: Uuid, last: Option<Uuid>) -> Uuid {
    last.map_or(now, |last| now.max(Uuid::from_u128(last.as_u128().saturating_add(1))))
}

impl fmt::Display for NotesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTenant(error) => error.fmt(f),
            Self::Full => f.write_str("the tenant has as many notes as it may have"),
            Self::Taken => f.write_str("the tenant has another note of this id"),
            Self::NoRoom => f.write_str("there is no room for another note"),
            Self::Unavailable => f.write_str("the notes' store does not answer"),
            Self::Store(error) => write!(f, "the notes' store failed: {error}"),
        }
    }
}

impl std::error::Error for NotesError {}

impl From<TenantContextNotSetError> for NotesError {
    fn from(error: TenantContextNotSetError) -> Self {
        Self::NoTenant(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_behind_the_last_one_whatever_the_clock() {
        let (earlier, later) = (Uuid::now_v7(), Uuid::now_v7());
        assert_eq!(next(later, None), later);
        assert_eq!(next(later, Some(earlier)), later);
        let behind = next(earlier, Some(later));
        assert!(behind > later && behind.get_version_num() == 7, "{behind}");
    }
}
