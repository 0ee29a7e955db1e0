//! Notes of tenants.

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

/// A note. It does not contain its tenant.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct Note {
    /// The id. Ids increase with time.
    pub id: Uuid,
    /// The text, 1 to 4,096 characters.
    pub text: String,
    /// The time of the creation.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
}

/// The maximum number of characters of a text.
const LONGEST_TEXT: usize = 4096;

impl Note {
    /// Returns whether a text is valid: neither empty nor too long, and without the character that Postgres cannot store.
    pub fn is_text(text: &str) -> bool {
        (1..=LONGEST_TEXT).contains(&text.chars().count()) && !text.contains('\0')
    }

    /// Returns `Ok(false)` if this stored note is the same as one to restore, and an error if it is another one with the
    /// same id. Postgres does not store nanoseconds.
    fn instead_of(&self, other: &Self) -> Result<bool, NotesError> {
        let is_same =
            self.text == other.text && self.created.as_microsecond() == other.created.as_microsecond();
        if is_same { Ok(false) } else { Err(NotesError::Taken) }
    }
}

/// The future of a store's result.
pub type Stored<'a, T> = Pin<Box<dyn Future<Output = Result<T, NotesError>> + Send + 'a>>;

/// The notes of the current tenant.
///
/// No method has a tenant parameter. Each reads [`TenantContext`](tenancy::TenantContext) when it is called, and fails if
/// no tenant is set. A note of another tenant does not exist for it.
///
/// The futures are boxed, so that the store can be selected at the start.
pub trait Notes: Send + Sync + 'static {
    /// Returns at most `limit` notes with a greater id than `after`, sorted by id.
    fn list(&self, after: Option<Uuid>, limit: usize) -> Stored<'_, Vec<Note>>;
    /// Creates a note.
    fn create(&self, text: String) -> Stored<'_, Note>;
    /// Returns a note, if the tenant has it.
    fn get(&self, id: Uuid) -> Stored<'_, Option<Note>>;
    /// Changes a note's text, if the tenant has it.
    fn update(&self, id: Uuid, text: String) -> Stored<'_, Option<Note>>;
    /// Deletes a note. Returns whether the tenant had it.
    fn delete(&self, id: Uuid) -> Stored<'_, bool>;
    /// Restores an exported note with its id and time. Returns `false` if the same note exists.
    fn restore(&self, note: Note) -> Stored<'_, bool>;
}

/// An error of a store of notes.
#[derive(Debug)]
#[non_exhaustive]
pub enum NotesError {
    /// No tenant is set.
    NoTenant(TenantContextNotSetError),
    /// The tenant has the maximum number of notes.
    Full,
    /// The tenant has another note with the id.
    Taken,
    /// The disk is full.
    NoRoom,
    /// The store does not answer. The change may have been made.
    Unavailable,
    /// The store failed.
    Store(Box<dyn std::error::Error + Send + Sync>),
}

/// Returns an id after the last one, even if a clock was ahead, so that pages do not miss new notes.
fn next(now: Uuid, last: Option<Uuid>) -> Uuid {
    last.map_or(now, |last| now.max(Uuid::from_u128(last.as_u128().saturating_add(1))))
}

impl fmt::Display for NotesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTenant(error) => error.fmt(f),
            Self::Full => f.write_str("maximum number of notes reached"),
            Self::Taken => f.write_str("another note has the id"),
            Self::NoRoom => f.write_str("disk full"),
            Self::Unavailable => f.write_str("store of notes does not answer"),
            Self::Store(error) => write!(f, "store of notes failed: {error}"),
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
    fn ids_increase_whatever_the_clock() {
        let (earlier, later) = (Uuid::now_v7(), Uuid::now_v7());
        assert_eq!(next(later, None), later);
        assert_eq!(next(later, Some(earlier)), later);
        let behind = next(earlier, Some(later));
        assert!(behind > later && behind.get_version_num() == 7, "{behind}");
    }
}
