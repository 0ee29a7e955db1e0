//! A store in fixed memory.

mod index;

use core::fmt;

use tenancy::{TenantContext, TenantId};

use super::{Store, changed};
use crate::agent::{Agent, AgentName};
use crate::clock::UnixMillis;
use crate::error::{AgentError, NameConflict};
use crate::id::AgentId;
use crate::lock::Lock;
use crate::query::{Filter, Query};
use index::{Index, hash};

/// A store of up to `N` agents of all tenants in fixed memory, with a quota for each tenant.
///
/// An agent takes about 1.6 KiB; on hosts it takes about 1.1 KiB, and its description and card are on the heap. A deleted
/// agent keeps its slot until its tenant needs it: the one that was deleted first is removed first. A tenant's agent never
/// displaces another tenant's, so if the quotas add up to more than `N`, the first tenants get the slots.
///
/// Agents are found by id and by name in constant time. Lists, counts and registrations look at all slots.
///
/// Its futures are ready at once: see [`block_on_ready`](crate::block_on_ready). On bare metal the lock is a critical
/// section, which lasts as long as a look at `N` slots and the copy of two agents.
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

struct Slots<const N: usize> {
    agents: [Option<Agent>; N],
    /// All agents, by their tenant and id.
    ids: Index<N>,
    /// The agents that are not deleted, by their tenant and name.
    names: Index<N>,
}

impl<const N: usize> FixedStore<N> {
    /// Creates an empty store. One tenant can occupy all of it.
    pub const fn new() -> Self {
        Self::with_quota(N)
    }

    /// Creates an empty store with a limit of agents for each tenant.
    ///
    /// `N` is at most 65,534: a larger store does not compile.
    pub const fn with_quota(quota: usize) -> Self {
        const { assert!(N <= Index::<N>::LIMIT, "a FixedStore has at most 65534 slots") };
        let slots = Slots { agents: [const { None }; N], ids: Index::new(), names: Index::new() };
        Self { slots: Lock::new(slots), quota }
    }

    /// Returns the number of agents that the store has memory for: `N`.
    pub const fn capacity(&self) -> usize {
        N
    }

    /// Returns the number of agents that one tenant can have, including deleted ones.
    pub const fn quota(&self) -> usize {
        self.quota
    }

    /// Sets the maximum number of agents of a tenant. Agents over the quota are kept.
    pub const fn set_quota(&mut self, quota: usize) {
        self.quota = quota;
    }
}

impl<const N: usize> Slots<N> {
    /// Returns all agents that a tenant sees, for reads that are not by id or name.
    fn visible(&self, tenant: TenantId) -> impl Iterator<Item = &Agent> {
        self.all().filter(move |agent| agent.is_visible_to(tenant))
    }

    fn all(&self) -> impl Iterator<Item = &Agent> + Clone {
        self.agents.iter().flatten()
    }

    /// Returns the tenant's own agent, or else one that the platform shares. Another tenant's agent has another hash, so
    /// that it is absent here.
    fn get(&self, tenant: TenantId, id: AgentId) -> Option<&Agent> {
        let of = |owner: TenantId| {
            let place = self.place(owner, id)?;
            self.agents.get(place)?.as_ref().filter(|agent| agent.is_visible_to(tenant))
        };
        of(tenant).or_else(|| of(TenantId::PLATFORM))
    }

    fn get_by_name(&self, tenant: TenantId, name: &AgentName) -> Option<&Agent> {
        let of = |owner: TenantId| {
            let agents = self
                .names
                .places(name_hash(owner, name))
                .filter_map(|place| self.agents.get(place)?.as_ref());
            let mut named = agents.filter(|agent| agent.tenant == owner && agent.name == *name);
            named.next().filter(|agent| agent.is_visible_to(tenant))
        };
        of(tenant).or_else(|| of(TenantId::PLATFORM))
    }

    /// Returns the place of an owner's agent.
    fn place(&self, owner: TenantId, id: AgentId) -> Option<usize> {
        let is_it = |place: &usize| {
            let agent = self.agents.get(*place).and_then(Option::as_ref);
            agent.is_some_and(|agent| agent.id == id && agent.tenant == owner)
        };
        self.ids.places(id_hash(owner, id)).find(is_it)
    }

    /// Puts an agent into a slot that is free or has a deleted agent.
    fn put(&mut self, place: usize, agent: &Agent) {
        let Some(slot) = self.agents.get_mut(place) else { return };
        if let Some(old) = slot {
            self.ids.remove(id_hash(old.tenant, old.id), place);
        }
        self.ids.insert(id_hash(agent.tenant, agent.id), place);
        if agent.is_living() {
            self.names.insert(name_hash(agent.tenant, &agent.name), place);
        }
        match slot {
            Some(old) => old.clone_from(agent),
            None => *slot = Some(agent.clone()),
        }
    }

    /// Replaces an agent by one with the same tenant, id and name.
    fn overwrite(&mut self, place: usize, agent: &Agent) {
        let Some(old) = self.agents.get_mut(place).and_then(Option::as_mut) else { return };
        let hash = name_hash(old.tenant, &old.name);
        match (old.is_living(), agent.is_living()) {
            (true, false) => self.names.remove(hash, place),
            (false, true) => self.names.insert(hash, place),
            _ => {}
        }
        old.clone_from(agent);
    }

    /// Returns the first agent after the query's `after`.
    fn next(&self, tenant: TenantId, query: &Query) -> Option<&Agent> {
        self.visible(tenant)
            .filter(|agent| query.matches(agent))
            .min_by_key(|agent| (agent.id, agent.tenant != tenant))
    }

    fn own_mut(&mut self, tenant: TenantId, id: AgentId) -> Option<&mut Agent> {
        let place = self.place(tenant, id)?;
        self.agents.get_mut(place)?.as_mut()
    }

    fn insert(&mut self, tenant: TenantId, agent: &Agent, quota: usize) -> Result<(), AgentError> {
        if agent.tenant != tenant {
            return Err(AgentError::NotFound);
        }
        self.check_names(agent)?;
        let own = self.all().filter(|other| other.tenant == tenant).count();
        let free = self.agents.iter().position(Option::is_none).filter(|_| own < quota);
        match free.or_else(|| self.oldest_tombstone(tenant)) {
            Some(place) => {
                self.put(place, agent);
                Ok(())
            }
            None if own < quota => Err(AgentError::Full),
            None => Err(AgentError::Quota { limit: quota }),
        }
    }

    fn check_names(&self, agent: &Agent) -> Result<(), AgentError> {
        if self.place(agent.tenant, agent.id).is_some() {
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

    /// Fails if another tenant has an agent of this name that is not deleted.
    fn check_holders(&self, tenant: TenantId, name: &AgentName) -> Result<(), AgentError> {
        let holds = |other: &&Agent| other.is_living() && other.tenant != tenant && other.name == *name;
        let holders = self.all().filter(holds).map(|other| other.tenant);
        match holders.clone().min() {
            None => Ok(()),
            Some(first) => {
                Err(AgentError::NameHeld(NameConflict { first, others: holders.count() as u64 - 1 }))
            }
        }
    }

    fn oldest_tombstone(&self, tenant: TenantId) -> Option<usize> {
        let slots = self.agents.iter().enumerate().filter_map(|(place, slot)| Some((place, slot.as_ref()?)));
        let own = slots.filter(|(_, agent)| agent.tenant == tenant && !agent.is_living());
        own.min_by_key(|(_, agent)| (agent.updated_at, agent.id)).map(|(place, _)| place)
    }

    fn replace(&mut self, tenant: TenantId, agent: &Agent, revision: u64) -> Result<bool, AgentError> {
        if agent.tenant != tenant {
            return Ok(false);
        }
        let mut replaced = false;
        self.change(tenant, agent.id, &mut |old: &mut Agent| {
            replaced = old.revision == revision;
            if replaced {
                old.clone_from(agent);
            }
            Ok::<_, AgentError>(())
        })?;
        Ok(replaced)
    }

    fn change<E: From<AgentError>>(
        &mut self,
        tenant: TenantId,
        id: AgentId,
        change: &mut impl FnMut(&mut Agent) -> Result<(), E>,
    ) -> Result<Option<Agent>, E> {
        let Some(place) = self.place(tenant, id) else { return Ok(None) };
        let Some(old) = self.agents.get(place).and_then(Option::as_ref) else { return Ok(None) };
        let new = changed(old, change)?;
        if new.is_shared() && !old.is_shared() {
            self.check_holders(tenant, &new.name)?;
        }
        self.overwrite(place, &new);
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

fn id_hash(owner: TenantId, id: AgentId) -> u32 {
    hash(owner.as_bytes(), id.as_uuid().as_bytes())
}

fn name_hash(owner: TenantId, name: &AgentName) -> u32 {
    hash(owner.as_bytes(), name.as_str().as_bytes())
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

    /// The lock is held for one agent at a time, so that a long list does not delay others.
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

/// Shows the capacity and the quota, and nothing of the agents.
impl<const N: usize> fmt::Debug for FixedStore<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FixedStore").field("capacity", &N).field("quota", &self.quota).finish_non_exhaustive()
    }
}
