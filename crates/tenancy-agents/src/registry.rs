//! The registry: every rule, once, for whatever store.

use core::pin::pin;
use core::task::{Context, Poll, Waker};

use tenancy::{TenantContext, TenantId, TenantMismatchError};

use crate::agent::{Agent, AgentContent, AgentName, Capability};
use crate::approval::Approval;
use crate::clock::{Clock, UnixMillis};
use crate::error::AgentError;
use crate::id::{AgentId, IdGenerator};
use crate::query::{Filter, Query};
use crate::status::{AgentStatus, Transition};
use crate::store::Store;

/// How often a registration is tried again if its name or id was taken in the meantime.
const TRIES: usize = 8;

/// The agents of the current tenant, and those that the platform shares with it.
///
/// Each operation is for the tenant of [`TenantContext`], and none takes a tenant as an argument. What the tenant does
/// not see is [`NotFound`](AgentError::NotFound), whether another has it or nobody. What the platform shares it sees,
/// and can't change: [`ReadOnly`](AgentError::ReadOnly).
///
/// Besides what each tells, all operations fail with [`NoTenant`](AgentError::NoTenant) where there is no tenant, and with
/// [`Unavailable`](AgentError::Unavailable) and [`Store`](AgentError::Store) where what agents are kept in does.
///
/// ```
/// use tenancy::{TenantContext, TenantId};
/// use tenancy_agents::{AgentContent, AgentName, AgentRegistry, FixedStore, block_on_ready};
/// # use tenancy_agents::{AgentId, Clock, IdGenerator, UnixMillis};
/// # struct Uptime;
/// # impl Clock for Uptime {
/// #     fn now(&self) -> UnixMillis { UnixMillis(0) }
/// # }
/// # struct Ids;
/// # impl IdGenerator for Ids {
/// #     fn new_id(&self) -> AgentId { AgentId::v7(UnixMillis(0), [7; 10]) }
/// # }
///
/// static STORE: FixedStore<4> = FixedStore::new();
/// let registry = AgentRegistry::new(&STORE, Uptime, Ids);
/// let tenant = TenantId::parse("550e8400-e29b-41d4-a716-446655440000")?;
/// let other = TenantId::parse("6ba7b810-9dad-41d1-80b4-00c04fd430c8")?;
///
/// let name = AgentName::parse("support")?;
///
/// let registered =
///     TenantContext::scope(tenant, || block_on_ready(registry.register(name, AgentContent::default())))?;
/// let seen = TenantContext::scope(other, || block_on_ready(registry.get(registered.agent.id)));
/// assert!(seen.is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct AgentRegistry<S, C, I> {
    store: S,
    clock: C,
    ids: I,
}

/// What came of a registration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registered {
    /// The agent.
    pub agent: Agent,
    /// Whether it was made now. It was there, and the same, where it was not.
    pub is_new: bool,
}

/// What came of a future that does not wait, as those of a [`FixedStore`](crate::FixedStore) don't.
///
/// # Errors
///
/// [`AgentError::Unavailable`] where it does wait. It is dropped then.
pub fn block_on_ready<T>(future: impl Future<Output = Result<T, AgentError>>) -> Result<T, AgentError> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => Err(AgentError::Unavailable(None)),
    }
}

impl<S: Store, C: Clock, I: IdGenerator> AgentRegistry<S, C, I> {
    /// Creates a registry of the agents in a store.
    pub const fn new(store: S, clock: C, ids: I) -> Self {
        Self { store, clock, ids }
    }

    /// What it keeps agents in.
    pub const fn store(&self) -> &S {
        &self.store
    }

    /// Registers an agent, as a draft. Where the tenant has one of this name and content, it is that one.
    ///
    /// # Errors
    ///
    /// - [`AgentError::NameTaken`] where the tenant has one of this name, with other content.
    /// - [`AgentError::NameShared`] where the platform shares one of this name.
    /// - [`AgentError::Quota`] and [`AgentError::Full`] where the store has limits.
    #[expect(
        clippy::manual_async_fn,
        reason = "an `async fn` holds its arguments twice, and these are large"
    )]
    pub fn register(
        &self,
        name: AgentName,
        content: AgentContent,
    ) -> impl Future<Output = Result<Registered, AgentError>> {
        async move {
            let tenant = TenantContext::get()?;
            if let Some(found) = self.store.get_by_name(&name).await?
                && found.is_visible_to(tenant)
            {
                check_same(tenant, &found, &content)?;
                return Ok(Registered { agent: found, is_new: false });
            }
            let now = self.clock.now();
            let mut agent = Agent {
                id: self.ids.new_id(),
                tenant,
                name,
                content,
                status: AgentStatus::Draft,
                revision: 1,
                created_at: now,
                updated_at: now,
                last_seen_at: None,
            };
            for _ in 0..TRIES {
                match self.store.insert(&agent).await {
                    Ok(()) => return Ok(Registered { agent, is_new: true }),
                    // Somebody was first: perhaps with the same.
                    Err(AgentError::NameTaken) => {}
                    Err(error) => return Err(error),
                }
                if let Some(found) = self.store.get_by_name(&agent.name).await?
                    && found.is_visible_to(tenant)
                {
                    check_same(tenant, &found, &agent.content)?;
                    return Ok(Registered { agent: found, is_new: false });
                }
                // The name is free again, or it was not the name that was taken.
                agent.id = self.ids.new_id();
            }
            Err(AgentError::NameTaken)
        }
    }

    /// An agent. The tenant's own it gives though it is deleted.
    ///
    /// # Errors
    ///
    /// [`AgentError::NotFound`] where the tenant sees none of this id.
    pub async fn get(&self, id: AgentId) -> Result<Agent, AgentError> {
        let tenant = TenantContext::get()?;
        match self.store.get(id).await? {
            Some(agent) if agent.is_visible_to(tenant) => Ok(agent),
            _ => Err(AgentError::NotFound),
        }
    }

    /// The agent of a name that is not deleted.
    ///
    /// # Errors
    ///
    /// [`AgentError::NotFound`] where the tenant sees none.
    pub async fn get_by_name(&self, name: &AgentName) -> Result<Agent, AgentError> {
        let tenant = TenantContext::get()?;
        match self.store.get_by_name(name).await? {
            Some(agent) if agent.is_visible_to(tenant) => Ok(agent),
            _ => Err(AgentError::NotFound),
        }
    }

    /// Gives each agent of a page, by their ids; and after which id the next page begins, if there is one.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn list(
        &self,
        query: &Query,
        mut each: impl FnMut(Agent) + Send,
    ) -> Result<Option<AgentId>, AgentError> {
        let tenant = TenantContext::get()?;
        let one_more = Query { limit: query.limit.saturating_add(1), ..query.clone() };
        let (mut last, mut given, mut has_more) = (None, 0, false);
        let page = |agent: Agent| {
            if !agent.is_visible_to(tenant) || !one_more.matches(&agent) {
                return;
            }
            if given == query.limit {
                has_more = true;
                return;
            }
            given += 1;
            last = Some(agent.id);
            each(agent);
        };
        self.store.list(&one_more, page).await?;
        Ok(last.filter(|_| has_more))
    }

    /// A page of the agents that are in use and have a tag.
    ///
    /// # Errors
    ///
    /// As [`list`](Self::list).
    pub async fn find_by_capability(
        &self,
        capability: &Capability,
        after: Option<AgentId>,
        limit: usize,
        each: impl FnMut(Agent) + Send,
    ) -> Result<Option<AgentId>, AgentError> {
        let query = Query { filter: Filter::active_with(capability.clone()), after, limit };
        self.list(&query, each).await
    }

    /// How many agents the tenant sees that are wanted.
    ///
    /// # Errors
    ///
    /// Those of the store.
    pub async fn count(&self, filter: &Filter) -> Result<u64, AgentError> {
        TenantContext::get()?;
        self.store.count(filter).await
    }

    /// Replaces an agent's content if its revision is still `revision`.
    ///
    /// # Errors
    ///
    /// As [`update_with`](Self::update_with).
    pub fn update(
        &self,
        id: AgentId,
        revision: u64,
        content: AgentContent,
    ) -> impl Future<Output = Result<Agent, AgentError>> {
        self.update_with(id, Some(revision), move |old: &mut AgentContent| {
            old.clone_from(&content);
            Ok(())
        })
    }

    /// Changes an agent's content by a function if its revision is `revision`, or at any revision if that is `None`.
    ///
    /// The store calls the function in its transaction, so that no concurrent change is lost and none fails because of
    /// another. The function may be called more than once, each time with the current content. Nothing is stored if the
    /// function returns an error.
    ///
    /// ```
    /// # use tenancy::{TenantContext, TenantId};
    /// # use tenancy_agents::{AgentContent, AgentError, AgentName, AgentRegistry, FixedStore, Tier, block_on_ready};
    /// # use tenancy_agents::{AgentId, Clock, IdGenerator, UnixMillis};
    /// # struct Uptime;
    /// # impl Clock for Uptime {
    /// #     fn now(&self) -> UnixMillis { UnixMillis(0) }
    /// # }
    /// # struct Ids;
    /// # impl IdGenerator for Ids {
    /// #     fn new_id(&self) -> AgentId { AgentId::v7(UnixMillis(0), [7; 10]) }
    /// # }
    /// # static STORE: FixedStore<4> = FixedStore::new();
    /// # let registry = AgentRegistry::new(&STORE, Uptime, Ids);
    /// # let tenant = TenantId::parse("550e8400-e29b-41d4-a716-446655440000")?;
    /// # TenantContext::scope(tenant, || {
    /// # let id = block_on_ready(registry.register(AgentName::parse("support")?, AgentContent::default()))?.agent.id;
    /// let agent = block_on_ready(registry.update_with(id, None, |content: &mut AgentContent| {
    ///     content.tier = Tier::Premium;
    ///     Ok::<_, AgentError>(())
    /// }))?;
    /// assert_eq!((agent.content.tier, agent.revision), (Tier::Premium, 2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// - [`AgentError::NotFound`], [`AgentError::ReadOnly`] and [`AgentError::Deleted`] if the tenant cannot change the
    ///   agent.
    /// - [`AgentError::Revision`] if the agent has another revision.
    /// - [`AgentError::NameHeld`] if the agent would become shared, and tenants have agents of its name.
    /// - The error of the function.
    pub fn update_with<E: From<AgentError> + Send + 'static>(
        &self,
        id: AgentId,
        revision: Option<u64>,
        mut change: impl FnMut(&mut AgentContent) -> Result<(), E> + Send + 'static,
    ) -> impl Future<Output = Result<Agent, E>> {
        let now = self.clock.now();
        let changed = self.store.change(id, move |agent: &mut Agent| -> Result<(), E> {
            if !agent.is_living() {
                return Err(AgentError::Deleted.into());
            }
            check_revision(revision, agent)?;
            change(&mut agent.content)?;
            count_revision(agent, now);
            Ok(())
        });
        async move {
            if let Some(agent) = changed.await? {
                return Ok(agent);
            }
            Err(self.why_not_changed(id).await.into())
        }
    }

    /// Asks the platform for its word: `Draft → PendingApproval`.
    ///
    /// # Errors
    ///
    /// - [`AgentError::NotFound`], [`AgentError::ReadOnly`]: see there.
    /// - [`AgentError::Transition`] from any other state.
    pub async fn submit(&self, id: AgentId) -> Result<Agent, AgentError> {
        self.step(id, Transition::Submit, None).await
    }

    /// The platform says yes: `PendingApproval → Active`.
    ///
    /// # Errors
    ///
    /// - As [`submit`](Self::submit).
    /// - [`AgentError::Approval`] where the approval is for another agent, or another tenant's.
    /// - [`AgentError::Revision`] where it is [for a revision](Approval::of_revision) that the agent has no more.
    /// - [`AgentError::NameHeld`] where the agent would be shared now, and tenants have its name.
    pub async fn approve(&self, id: AgentId, approval: &Approval) -> Result<Agent, AgentError> {
        self.decide(id, Transition::Approve, approval).await
    }

    /// The platform says no: `PendingApproval → Rejected`.
    ///
    /// # Errors
    ///
    /// As [`approve`](Self::approve).
    pub async fn reject(&self, id: AgentId, approval: &Approval) -> Result<Agent, AgentError> {
        self.decide(id, Transition::Reject, approval).await
    }

    /// `Active → Suspended`.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    pub async fn suspend(&self, id: AgentId) -> Result<Agent, AgentError> {
        self.step(id, Transition::Suspend, None).await
    }

    /// `Suspended → Active`.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit), and [`AgentError::NameHeld`] where the agent would be shared now, and tenants have
    /// its name.
    pub async fn resume(&self, id: AgentId) -> Result<Agent, AgentError> {
        self.step(id, Transition::Resume, None).await
    }

    /// `Active → Deprecated`.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit).
    pub async fn deprecate(&self, id: AgentId) -> Result<Agent, AgentError> {
        self.step(id, Transition::Deprecate, None).await
    }

    /// Whatever it is `→ Deleted`. What is deleted already stays as it is.
    ///
    /// # Errors
    ///
    /// As [`submit`](Self::submit), but for the last.
    pub async fn deregister(&self, id: AgentId) -> Result<Agent, AgentError> {
        self.step(id, Transition::Delete, None).await
    }

    /// A step that takes no approval; where a revision is named, if nobody has changed the agent since it had that.
    ///
    /// # Errors
    ///
    /// - As the method that is called as the step.
    /// - [`AgentError::Revision`] where the agent has another.
    /// - [`AgentError::Approval`] of [`Approve`](Transition::Approve) and [`Reject`](Transition::Reject), which take one.
    pub async fn step(&self, id: AgentId, step: Transition, only: Option<u64>) -> Result<Agent, AgentError> {
        TenantContext::get()?;
        if matches!(step, Transition::Approve | Transition::Reject) {
            return Err(AgentError::Approval);
        }
        self.take(id, step, only).await
    }

    /// Notes that an agent is alive. That makes no revision.
    ///
    /// # Errors
    ///
    /// [`AgentError::NotFound`], [`AgentError::ReadOnly`], [`AgentError::Deleted`]: see there.
    pub async fn heartbeat(&self, id: AgentId) -> Result<(), AgentError> {
        let tenant = TenantContext::get()?;
        if self.store.touch(id, self.clock.now()).await? {
            return Ok(());
        }
        // Not its own, or deleted: which of these is asked for only now.
        let Some(agent) = self.store.get(id).await? else { return Err(AgentError::NotFound) };
        check_own(tenant, &agent)?;
        Err(AgentError::Deleted)
    }

    /// Puts an agent back as it was exported, with its id, state and revision. Whether it is new: the same may be
    /// there already, and may have been seen since.
    ///
    /// It takes an approval, for the state it comes in may be one that the platform gave. Its times and its revision are
    /// taken as they are: of what anybody may have made, look at them before.
    ///
    /// # Errors
    ///
    /// - [`AgentError::Mismatch`] where it is another tenant's than the context's.
    /// - [`AgentError::Approval`] where the approval is for another; [`AgentError::Revision`] where it is
    ///   [for another revision](Approval::of_revision).
    /// - [`AgentError::NameTaken`] where the tenant has another of its name or its id; those of the name also as
    ///   [`register`](Self::register) and [`approve`](Self::approve).
    /// - [`AgentError::Quota`] and [`AgentError::Full`] where the store has limits.
    pub async fn restore(&self, agent: &Agent, approval: &Approval) -> Result<bool, AgentError> {
        let tenant = TenantContext::get()?;
        if agent.tenant != tenant {
            return Err(AgentError::Mismatch(TenantMismatchError::new(tenant, agent.tenant)));
        }
        if !approval.is_for(tenant, agent.id) {
            return Err(AgentError::Approval);
        }
        check_revision(approval.revision(), agent)?;
        if self.is_there(tenant, agent).await? {
            return Ok(false);
        }
        match self.store.insert(agent).await {
            // Somebody was first: perhaps with the same.
            Err(AgentError::NameTaken) if self.is_there(tenant, agent).await? => Ok(false),
            inserted => inserted.map(|()| true),
        }
    }

    /// Whether there is this agent. Another of its id is in its way.
    async fn is_there(&self, tenant: TenantId, agent: &Agent) -> Result<bool, AgentError> {
        match self.store.get(agent.id).await? {
            Some(mut found) if found.is_visible_to(tenant) => {
                // It is the same though it was seen since.
                found.last_seen_at = agent.last_seen_at;
                if found == *agent { Ok(true) } else { Err(AgentError::NameTaken) }
            }
            _ => Ok(false),
        }
    }

    async fn decide(&self, id: AgentId, step: Transition, approval: &Approval) -> Result<Agent, AgentError> {
        let tenant = TenantContext::get()?;
        // Whether there is such an agent is told only to who may decide on it.
        if !approval.is_for(tenant, id) {
            return Err(AgentError::Approval);
        }
        self.take(id, step, approval.revision()).await
    }

    /// Applies a transition, only to the revision `only` if there is one.
    fn take(
        &self,
        id: AgentId,
        step: Transition,
        only: Option<u64>,
    ) -> impl Future<Output = Result<Agent, AgentError>> {
        let now = self.clock.now();
        let changed = self.store.change(id, move |agent: &mut Agent| -> Result<(), AgentError> {
            check_revision(only, agent)?;
            let status = step.apply(agent.status)?;
            if status != agent.status {
                agent.status = status;
                count_revision(agent, now);
            }
            Ok(())
        });
        async move {
            if let Some(agent) = changed.await? {
                return Ok(agent);
            }
            Err(self.why_not_changed(id).await)
        }
    }

    /// Returns the reason why the tenant has no agent of this id that it can change.
    async fn why_not_changed(&self, id: AgentId) -> AgentError {
        let found = async {
            let tenant = TenantContext::get()?;
            match self.store.get(id).await? {
                Some(agent) => check_own(tenant, &agent),
                None => Ok(()),
            }
        };
        found.await.err().unwrap_or(AgentError::NotFound)
    }
}

/// Counts a change that is made now.
fn count_revision(agent: &mut Agent, now: UnixMillis) {
    agent.revision = agent.revision.saturating_add(1);
    // Clocks can run backwards; the time of an agent does not.
    agent.updated_at = now.max(agent.updated_at);
}

/// Whether the tenant may change an agent that a store gave.
fn check_own(tenant: TenantId, agent: &Agent) -> Result<(), AgentError> {
    if agent.tenant == tenant {
        Ok(())
    } else if agent.is_visible_to(tenant) {
        Err(AgentError::ReadOnly)
    } else {
        Err(AgentError::NotFound)
    }
}

/// Whether it has the revision, if one is named.
fn check_revision(only: Option<u64>, agent: &Agent) -> Result<(), AgentError> {
    match only {
        Some(expected) if expected != agent.revision => {
            Err(AgentError::Revision { expected, found: agent.revision })
        }
        _ => Ok(()),
    }
}

/// Whether what has a name is just what is to be registered.
fn check_same(tenant: TenantId, found: &Agent, content: &AgentContent) -> Result<(), AgentError> {
    if found.tenant != tenant {
        Err(AgentError::NameShared)
    } else if found.content == *content {
        Ok(())
    } else {
        Err(AgentError::NameTaken)
    }
}
