//! A map, which a program without tenancy would use.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use tenancy::TenantId;
use tenancy_agents::{Agent, AgentId, AgentStatus};

/// Agents by tenant and id.
#[derive(Debug, Default)]
pub struct Map(Mutex<BTreeMap<(TenantId, AgentId), Agent>>);

impl Map {
    /// Adds an agent.
    pub fn insert(&self, agent: Agent) {
        self.agents().insert((agent.tenant, agent.id), agent);
    }

    /// Returns an agent.
    pub fn get(&self, tenant: TenantId, id: AgentId) -> Option<Agent> {
        self.agents().get(&(tenant, id)).cloned()
    }

    /// Removes an agent.
    pub fn remove(&self, tenant: TenantId, id: AgentId) -> Option<Agent> {
        self.agents().remove(&(tenant, id))
    }

    /// Returns the first active agents of a tenant with this capability.
    pub fn find(&self, tenant: TenantId, capability: &str, limit: usize) -> Vec<Agent> {
        let agents = self.agents();
        let is_found = |agent: &&Agent| {
            agent.tenant == tenant
                && agent.status == AgentStatus::Active
                && agent.content.capabilities.iter().any(|tag| tag.as_str() == capability)
        };
        agents.values().filter(is_found).take(limit).cloned().collect()
    }

    /// Returns the first agents of a tenant.
    pub fn list(&self, tenant: TenantId, limit: usize) -> Vec<Agent> {
        let agents = self.agents();
        agents.values().filter(|agent| agent.tenant == tenant).take(limit).cloned().collect()
    }

    fn agents(&self) -> std::sync::MutexGuard<'_, BTreeMap<(TenantId, AgentId), Agent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
