//! A map by hand, as a program without tenancy would have it.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tenancy::TenantId;
use tenancy_agents::{Agent, AgentId};

/// Agents by tenant and id.
#[derive(Debug, Default)]
pub struct Map(Mutex<BTreeMap<(TenantId, AgentId), Agent>>);

impl Map {
    /// Adds an agent.
    pub fn insert(&self, agent: Agent) {
        self.agents().insert((agent.tenant, agent.id), agent);
    }

    /// An agent.
    pub fn get(&self, tenant: TenantId, id: AgentId) -> Option<Agent> {
        self.agents().get(&(tenant, id)).cloned()
    }

    /// The first agents of a tenant.
    pub fn list(&self, tenant: TenantId, limit: usize) -> Vec<Agent> {
        let agents = self.agents();
        agents.values().filter(|agent| agent.tenant == tenant).take(limit).cloned().collect()
    }

    fn agents(&self) -> std::sync::MutexGuard<'_, BTreeMap<(TenantId, AgentId), Agent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
