//! Events about changes of notes.

pub mod http;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tenancy::{TenantContext, TenantContextNotSetError, TenantId};
use tokio::sync::broadcast::{self, Receiver, Sender, error::RecvError};
use uuid::Uuid;

use crate::notes::Note;

/// The maximum number of streams of a tenant.
pub const MOST_STREAMS: usize = 16;
/// The number of changes that a slow reader may be behind.
const BACKLOG: usize = 64;

/// A change of a note.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Change<'n> {
    Created(&'n Note),
    Updated(&'n Note),
    Deleted(Uuid),
}

/// A change in the form in which it is sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent {
    /// `created`, `updated` or `deleted`.
    pub kind: &'static str,
    /// The note as JSON, or its id.
    pub data: Arc<str>,
}

/// A channel for each tenant with listeners.
///
/// Listening and publishing use the current tenant.
#[derive(Default)]
pub struct Events(Mutex<HashMap<TenantId, Sender<Sent>>>);

/// An error of listening.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListenError {
    /// No tenant is set.
    NoTenant(TenantContextNotSetError),
    /// The tenant has [`MOST_STREAMS`] streams.
    Full,
}

/// A listener of one tenant's changes.
pub struct Listener {
    // `None` when it is dropped.
    changes: Option<Receiver<Sent>>,
    tenant: TenantId,
    events: Arc<Events>,
}

impl Events {
    fn channels(&self) -> MutexGuard<'_, HashMap<TenantId, Sender<Sent>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a change to the listeners of the current tenant.
    ///
    /// # Errors
    ///
    /// If no tenant is set.
    pub fn publish(&self, change: &Change<'_>) -> Result<(), TenantContextNotSetError> {
        let tenant = TenantContext::get()?;
        if let Some(channel) = self.channels().get(&tenant) {
            // The last listener may be gone.
            let _ = channel.send(change.into());
        }
        Ok(())
    }

    /// Listens to changes of the current tenant from now on.
    ///
    /// # Errors
    ///
    /// If no tenant is set, or if the tenant has too many listeners.
    pub fn listen(self: &Arc<Self>) -> Result<Listener, ListenError> {
        let tenant = TenantContext::get().map_err(ListenError::NoTenant)?;
        let mut channels = self.channels();
        let channel = channels.entry(tenant).or_insert_with(|| broadcast::channel(BACKLOG).0);
        if channel.receiver_count() >= MOST_STREAMS {
            return Err(ListenError::Full);
        }
        Ok(Listener { changes: Some(channel.subscribe()), tenant, events: Arc::clone(self) })
    }

    /// Ends all streams of a tenant, for example because it is suspended.
    pub fn end(&self, tenant: TenantId) {
        self.channels().remove(&tenant);
    }
}

impl Listener {
    /// Returns the next change, the number of missed changes, or `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Sent, u64>> {
        match self.changes.as_mut()?.recv().await {
            Ok(change) => Some(Ok(change)),
            Err(RecvError::Lagged(missed)) => Some(Err(missed)),
            Err(RecvError::Closed) => None,
        }
    }
}

/// The last listener removes the channel, so that tenants without listeners use no memory.
impl Drop for Listener {
    fn drop(&mut self) {
        let mut channels = self.events.channels();
        self.changes = None;
        if channels.get(&self.tenant).is_some_and(|channel| channel.receiver_count() == 0) {
            channels.remove(&self.tenant);
        }
    }
}

impl From<&Change<'_>> for Sent {
    fn from(change: &Change<'_>) -> Self {
        let (kind, data) = match change {
            Change::Created(note) => ("created", json(note)),
            Change::Updated(note) => ("updated", json(note)),
            Change::Deleted(id) => ("deleted", json(&serde_json::json!({ "id": id }))),
        };
        Self { kind, data: data.into() }
    }
}

/// Serializes a value. Notes can always be serialized.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Shows the number of tenants with listeners, and no tenant.
impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("len", &self.channels().len()).finish()
    }
}

/// Does not show the tenant.
impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}
