//! Changes of notes, to those who listen.

pub mod http;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tenancy::{TenantContext, TenantContextNotSetError, TenantId};
use tokio::sync::broadcast::{self, Receiver, Sender, error::RecvError};
use uuid::Uuid;

use crate::notes::Note;

/// The most streams of one tenant.
pub const MOST_STREAMS: usize = 16;
/// How many changes a reader may be behind.
const BACKLOG: usize = 64;

/// What happened to a note.
#[derive(Debug)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Change<'n> {
    Created(&'n Note),
    Updated(&'n Note),
    Deleted(Uuid),
}

/// A change as it is sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sent {
    /// `created`, `updated` or `deleted`.
    pub kind: &'static str,
    /// The note as JSON, or its id.
    pub data: Arc<str>,
}

/// A channel for each tenant that somebody listens to.
///
/// Like the notes, it is told no tenant: who listens and who publishes does so in the current one.
#[derive(Default)]
pub struct Events(Mutex<HashMap<TenantId, Sender<Sent>>>);

/// Why nobody can listen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ListenError {
    /// There is no tenant to listen to.
    NoTenant(TenantContextNotSetError),
    /// The tenant has [as many](MOST_STREAMS) streams as it may have.
    Full,
}

/// Somebody who listens to one tenant's changes.
pub struct Listener {
    // None once it is dropped.
    changes: Option<Receiver<Sent>>,
    tenant: TenantId,
    events: Arc<Events>,
}

impl Events {
    fn channels(&self) -> MutexGuard<'_, HashMap<TenantId, Sender<Sent>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those who listen to the current tenant.
    ///
    /// # Errors
    ///
    /// Where there is no tenant.
    pub fn publish(&self, change: &Change<'_>) -> Result<(), TenantContextNotSetError> {
        let tenant = TenantContext::get()?;
        if let Some(channel) = self.channels().get(&tenant) {
            // Whoever listened may be gone by now.
            let _ = channel.send(change.into());
        }
        Ok(())
    }

    /// Listens to the current tenant, from now on.
    ///
    /// # Errors
    ///
    /// Where there is no tenant, or too many listen to it.
    pub fn listen(self: &Arc<Self>) -> Result<Listener, ListenError> {
        let tenant = TenantContext::get().map_err(ListenError::NoTenant)?;
        let mut channels = self.channels();
        let channel = channels.entry(tenant).or_insert_with(|| broadcast::channel(BACKLOG).0);
        if channel.receiver_count() >= MOST_STREAMS {
            return Err(ListenError::Full);
        }
        Ok(Listener { changes: Some(channel.subscribe()), tenant, events: Arc::clone(self) })
    }

    /// Ends all streams of a tenant: it was suspended, and what goes out would be its own still.
    pub fn end(&self, tenant: TenantId) {
        self.channels().remove(&tenant);
    }
}

impl Listener {
    /// The next change, or how many were missed; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Sent, u64>> {
        match self.changes.as_mut()?.recv().await {
            Ok(change) => Some(Ok(change)),
            Err(RecvError::Lagged(missed)) => Some(Err(missed)),
            Err(RecvError::Closed) => None,
        }
    }
}

/// The last one takes the channel along: tenants that nobody listens to take no room.
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

/// A note has nothing in it that is not JSON.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Shows how many tenants are listened to, and none of them.
impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("len", &self.channels().len()).finish()
    }
}

/// Shows nothing of the tenant.
impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}
