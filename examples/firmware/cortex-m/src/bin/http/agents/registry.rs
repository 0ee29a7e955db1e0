//! The registry of agents, in fixed memory.

use tenancy_agents::{AgentRegistry, FixedStore};

use super::device::{BoardClock, BoardIds};

/// The agents of all tenants, at most 4 of each. An agent takes 1.7 KiB, and the RAM has room for 8.
static AGENTS: FixedStore<8> = FixedStore::with_quota(4);

pub(super) static REGISTRY: AgentRegistry<&FixedStore<8>, BoardClock, BoardIds> =
    AgentRegistry::new(&AGENTS, BoardClock, BoardIds);
