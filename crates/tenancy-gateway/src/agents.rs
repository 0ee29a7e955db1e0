//! The registry of agents.

pub mod http;
mod store;

use std::sync::Arc;

use tenancy_agents::{AgentRegistry, RandomIds, SystemClock};

pub use store::AgentStore;

/// The agents of the current tenant.
pub type Agents = AgentRegistry<AgentStore, SystemClock, RandomIds>;

/// Creates the registry of a store. Times come from the system's clock.
pub fn registry(store: AgentStore) -> Arc<Agents> {
    Arc::new(Agents::new(store, SystemClock, RandomIds))
}
