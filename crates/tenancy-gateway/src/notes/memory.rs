//! The store of notes in memory.

use std::collections::{BTreeMap, HashMap};
use std::future::ready;
use std::ops::Bound;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use tenancy::{TenantContext, TenantId};
use uuid::Uuid;

use super::{Note, Notes, NotesError, Stored};

/// The notes of all tenants, until the process ends.
#[derive(Debug)]
pub struct MemoryNotes {
    tenants: Mutex<HashMap<TenantId, BTreeMap<Uuid, Note>>>,
    /// The maximum number of notes of a tenant.
    most: usize,
}

impl MemoryNotes {
    /// Creates an empty store, with a maximum number of notes per tenant.
    pub fn with_limit(most: usize) -> Self {
        Self { tenants: Mutex::default(), most }
    }

    /// Runs a function on the current tenant's notes. Nothing else accesses the notes.
    fn own<T>(
        &self,
        work: impl FnOnce(&mut BTreeMap<Uuid, Note>) -> Result<T, NotesError>,
    ) -> Result<T, NotesError> {
        let tenant = TenantContext::get()?;
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        work(tenants.entry(tenant).or_default())
    }

    fn insert(&self, text: String) -> Result<Note, NotesError> {
        self.own(|notes| {
            if notes.len() >= self.most {
                return Err(NotesError::Full);
            }
            // Under the lock, so that ids increase in the order of insertion.
            let note = Note { id: Uuid::now_v7(), text, created: Timestamp::now() };
            notes.insert(note.id, note.clone());
            Ok(note)
        })
    }
}

/// Each call is complete when it returns its future.
impl Notes for MemoryNotes {
    fn list(&self, after: Option<Uuid>, limit: usize) -> Stored<'_, Vec<Note>> {
        let first = after.map_or(Bound::Unbounded, Bound::Excluded);
        let range = (first, Bound::Unbounded);
        let page =
            self.own(|notes| Ok(notes.range(range).take(limit).map(|(_, note)| note.clone()).collect()));
        Box::pin(ready(page))
    }

    fn create(&self, text: String) -> Stored<'_, Note> {
        Box::pin(ready(self.insert(text)))
    }

    fn get(&self, id: Uuid) -> Stored<'_, Option<Note>> {
        Box::pin(ready(self.own(|notes| Ok(notes.get(&id).cloned()))))
    }

    fn update(&self, id: Uuid, text: String) -> Stored<'_, Option<Note>> {
        let updated = self.own(|notes| {
            let Some(note) = notes.get_mut(&id) else { return Ok(None) };
            note.text = text;
            Ok(Some(note.clone()))
        });
        Box::pin(ready(updated))
    }

    fn delete(&self, id: Uuid) -> Stored<'_, bool> {
        Box::pin(ready(self.own(|notes| Ok(notes.remove(&id).is_some()))))
    }

    fn restore(&self, note: Note) -> Stored<'_, bool> {
        let restored = self.own(|notes| match notes.get(&note.id) {
            Some(found) => found.instead_of(&note),
            None if notes.len() >= self.most => Err(NotesError::Full),
            None => Ok(notes.insert(note.id, note).is_none()),
        });
        Box::pin(ready(restored))
    }
}
