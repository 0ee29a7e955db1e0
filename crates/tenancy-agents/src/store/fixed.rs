//! Fixed memory.

use core::fmt;

use tenancy::{TenantContext, TenantId};

use super::{Store, changed};
use crate::agent::{Agent, AgentName};
use crate::clock::UnixMillis;
use crate::error::{AgentError, NameConflict};
use crate::id::AgentId;
use crate::lock::Lock;
use crate::query::{Filter, Query};

/// Room for `N` agents of all tenants, of which no tenant has more than its quota.
///
/// An agent has about 1.7 KiB. A tombstone takes room until its tenant needs it: then the one that was deleted first
/// is forgotten. No tenant's agent or tombstone makes room for another's, so quotas that add up to more than `N` let
/// those who come first have it.
///
/// Its futures are ready at once: see [`block_on_ready`](crate::block_on_ready). On bare metal the lock is a critical section,
/// which lasts as long as a look at `N` slots and the copy of one agent.
///
/// ```
/// use tenancy_agents::FixedStore;
///
/// static AGENTS: FixedStore<16> = FixedStore::with_quota(4);
/// assert_eq!(AGENTS.capacity(), 16);
/// ```
pub struct FixedStore<const N: usize> {
    slots: Lock<Slots<N>>,
    quota: usize,
}

struct Slots<const N: usize>([Option<Agent>; N]);

impl<const N: usize> FixedStore<N> {
    /// Room, of which a tenant may have all.
    pub const fn new() -> Self {
        Self::with_quota(N)
    }

    /// Room, of which a tenant may have so much.
    pub const fn with_quota(quota: usize) -> Self {
        Self { slots: Lock::new(Slots([const { None }; N])), quota }
    }

    /// `N`.
    pub const fn capacity(&self) -> usize {
        N
    }

    /// How many agents one tenant may have.
    pub const fn quota(&self) -> usize {
        self.quota
    }

    /// Sets the maximum number of agents of a tenant. Agents over the quota are kept.
    pub const fn set_quota(&mut self, quota: usize) {
        self.quota = quota;
    }
}

impl<const N: usize> Slots<N> {
    /// All that a tenant sees: each read begins here.
    fn visible(&self, tenant: TenantId) -> impl Iterator<Item = &Agent> {
        self.0.iter().flatten().filter(move |agent| agent.is_visible_to(tenant))
    }

    /// All slots are looked at, whoever has the id: absent and foreign take the same time.
    fn get(&self, tenant: TenantId, id: AgentId) -> Option<&Agent> {
        self.visible(tenant).filter(|agent| agent.id == id).max_by_key(|agent| agent.tenant == tenant)
    }

    fn get_by_name(&self, tenant: TenantId, name: &AgentName) -> Option<&Agent> {
        let named = |agent: &&Agent| agent.is_living() && agent.name == *name;
        self.visible(tenant).filter(named).max_by_key(|agent| agent.tenant == tenant)
    }

    /// The first behind the query's `after`.
    fn next(&self, tenant: TenantId, query: &Query) -> Option<&Agent> {
        self.visible(tenant)
            .filter(|agent| query.matches(agent))
            .min_by_key(|agent| (agent.id, agent.tenant != tenant))
    }

    fn own_mut(&mut self, tenant: TenantId, id: AgentId) -> Option<&mut Agent> {
        self.0.iter_mut().flatten().find(|agent| agent.tenant == tenant && agent.id == id)
    }

    fn insert(&mut self, tenant: TenantId, agent: &Agent, quota: usize) -> Result<(), AgentError> {
        if agent.tenant != tenant {
            return Err(AgentError::NotFound);
        }
        self.check_names(agent)?;
        let own = self.0.iter().flatten().filter(|other| other.tenant == tenant).count();
        let free = self.0.iter().position(Option::is_none).filter(|_| own < quota);
        let place = free.or_else(|| self.oldest_tombstone(tenant));
        match place.and_then(|place| self.0.get_mut(place)) {
            Some(slot) => {
                *slot = Some(agent.clone());
                Ok(())
            }
            None if own < quota => Err(AgentError::Full),
            None => Err(AgentError::Quota { limit: quota }),
        }
    }

    fn check_names(&self, agent: &Agent) -> Result<(), AgentError> {
        let mut own = self.0.iter().flatten().filter(|other| other.tenant == agent.tenant);
        if own.any(|other| other.id == agent.id) {
            return Err(AgentError::NameTaken);
        }
        if !agent.is_living() {
            return Ok(());
        }
        match self.get_by_name(agent.tenant, &agent.name) {
            Some(other) if other.tenant == agent.tenant => Err(AgentError::NameTaken),
            Some(_) => Err(AgentError::NameShared),
            None if agent.is_shared() => self.check_holders(agent.tenant, &agent.name),
            None => Ok(()),
        }
    }

    /// An agent that is shared takes no tenant's name.
    fn check_holders(&self, tenant: TenantId, name: &AgentName) -> Result<(), AgentError> {
        let holds = |other: &&Agent| other.is_living() && other.tenant != tenant && other.name == *name;
        let holders = self.0.iter().flatten().filter(holds).map(|other| other.tenant);
        match holders.clone().min() {
            None => Ok(()),
            Some(first) => {
                Err(AgentError::NameHeld(NameConflict { first, others: holders.count() as u64 - 1 }))
            }
        }
    }

    fn oldest_tombstone(&self, tenant: TenantId) -> Option<usize> {
        let slots = self.0.iter().enumerate().filter_map(|(place, slot)| Some((place, slot.as_ref()?)));
        let own = slots.filter(|(_, agent)| agent.tenant == tenant && !agent.is_living());
        own.min_by_key(|(_, agent)| (agent.updated_at, agent.id)).map(|(place, _)| place)
    }

    fn replace(&mut self, tenant: TenantId, agent: &Agent, revision: u64) -> Result<bool, AgentError> {
        if agent.tenant != tenant {
            return Ok(false);
        }
        let Some(old) = self.own_mut(tenant, agent.id).filter(|old| old.revision == revision) else {
            return Ok(false);
        };
        let (was_shared, name) = (old.is_shared(), old.name.clone());
        let (created_at, last_seen_at) = (old.created_at, old.last_seen_at);
        if agent.is_shared() && !was_shared {
            self.check_holders(tenant, &name)?;
        }
        if let Some(old) = self.own_mut(tenant, agent.id) {
            old.clone_from(agent);
            (old.name, old.created_at, old.last_seen_at) = (name, created_at, last_seen_at);
        }
        Ok(true)
    }

    fn change<E: From<AgentError>>(
        &mut self,
        tenant: TenantId,
        id: AgentId,
        change: &mut impl FnMut(&mut Agent) -> Result<(), E>,
    ) -> Result<Option<Agent>, E> {
        let Some(old) = self.own_mut(tenant, id) else { return Ok(None) };
        let (was_shared, new) = (old.is_shared(), changed(old, change)?);
        if new.is_shared() && !was_shared {
            self.check_holders(tenant, &new.name)?;
        }
        if let Some(old) = self.own_mut(tenant, id) {
            old.clone_from(&new);
        }
        Ok(Some(new))
    }

    fn touch(&mut self, tenant: TenantId, id: AgentId, at: UnixMillis) -> bool {
        match self.own_mut(tenant, id).filter(|agent| agent.is_living()) {
            Some(agent) => {
                agent.last_seen_at = agent.last_seen_at.max(Some(at));
                true
            }
            None => false,
        }
    }
}

impl<const N: usize> Store for FixedStore<N> {
    async fn get(&self, id: AgentId) -> Result<Option<Agent>, AgentError> {
        let tenant = TenantContext::get()?;
        self.slots.with(|slots| Ok(slots.get(tenant, id).cloned()))
    }

    async fn get_by_name(&self, name: &AgentName) -> Result<Option<Agent>, AgentError> {
        let tenant = TenantContext::get()?;
        self.slots.with(|slots| Ok(slots.get_by_name(tenant, name).cloned()))
    }

    /// An agent at a time is looked for and copied: the list holds up nobody for longer.
    async fn list(&self, query: &Query, mut each: impl FnMut(Agent) + Send) -> Result<(), AgentError> {
        let tenant = TenantContext::get()?;
        let mut query = query.clone();
        for _ in 0..query.limit {
            let Some(agent) = self.slots.with(|slots| slots.next(tenant, &query).cloned()) else { break };
            query.after = Some(agent.id);
            each(agent);
        }
        Ok(())
    }

    async fn count(&self, filter: &Filter) -> Result<u64, AgentError> {
        let tenant = TenantContext::get()?;
        let matches = |agent: &&Agent| filter.matches(agent);
        Ok(self.slots.with(|slots| slots.visible(tenant).filter(matches).count()) as u64)
    }

    async fn insert(&self, agent: &Agent) -> Result<(), AgentError> {
        let tenant = TenantContext::get()?;
        self.slots.with(|slots| slots.insert(tenant, agent, self.quota))
    }

    async fn replace(&self, agent: &Agent, revision: u64) -> Result<bool, AgentError> {
        let tenant = TenantContext::get()?;
        self.slots.with(|slots| slots.replace(tenant, agent, revision))
    }

    async fn change<E: From<AgentError> + Send + 'static>(
        &self,
        id: AgentId,
        mut change: impl FnMut(&mut Agent) -> Result<(), E> + Send + 'static,
    ) -> Result<Option<Agent>, E> {
        let tenant = TenantContext::get().map_err(AgentError::from)?;
        self.slots.with(|slots| slots.change(tenant, id, &mut change))
    }

    async fn touch(&self, id: AgentId, at: UnixMillis) -> Result<bool, AgentError> {
        let tenant = TenantContext::get()?;
        Ok(self.slots.with(|slots| slots.touch(tenant, id, at)))
    }
}

impl<const N: usize> Default for FixedStore<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// Shows how much room there is, and nothing of the agents.
impl<const N: usize> fmt::Debug for FixedStore<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FixedStore").field("capacity", &N).field("quota", &self.quota).finish_non_exhaustive()
    }
}
