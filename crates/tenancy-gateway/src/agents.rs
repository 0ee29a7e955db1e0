//! Agents: what a tenant manages here.

pub mod http;
mod store;

use std::sync::Arc;

use tenancy_agents::{AgentRegistry, RandomIds, SystemClock};

pub use store::AgentStore;

/// The agents of the current tenant, in whatever they are kept.
pub type Agents = AgentRegistry<AgentStore, SystemClock, RandomIds>;

/// The registry of a store, by the system's clock.
pub fn registry(store: AgentStore) -> Arc<Agents> {
    Arc::new(Agents::new(store, SystemClock, RandomIds))
}
