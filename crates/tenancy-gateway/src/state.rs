//! The state that handlers share.

use std::fmt;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::agents::Agents;
use crate::events::Events;
use crate::notes::Notes;
use crate::operations::Operations;
use crate::tenants::Tenants;

/// The state that handlers share.
#[derive(Clone)]
pub struct App {
    /// All tenants, for the platform.
    pub tenants: Arc<Tenants>,
    /// The agents of the current tenant.
    pub agents: Arc<Agents>,
    /// The notes of the current tenant.
    pub notes: Arc<dyn Notes>,
    /// Changes of the current tenant's notes.
    pub events: Arc<Events>,
    /// Cancelled when the service shuts down.
    pub closing: CancellationToken,
    /// Readiness and metrics.
    pub operations: Arc<Operations>,
}

/// Shows no data of tenants.
impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}
