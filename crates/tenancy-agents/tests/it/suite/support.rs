//! Helpers of the suite.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tenancy::{TenantContext, TenantFutureExt, TenantId};
use tenancy_agents::{
    Agent, AgentContent, AgentError, AgentId, AgentName, AgentRegistry, AgentStatus, Approval, Capabilities,
    Clock, Filter, IdGenerator, Query, Store, Transition, UnixMillis, Visibility,
};

use crate::support::P;

/// A clock that advances with each call, and increasing ids: the same in each run.
#[derive(Clone, Default)]
pub(crate) struct Ticks(Arc<AtomicU64>);

impl Ticks {
    fn tick(&self) -> u64 {
        1_700_000_000_000 + self.0.fetch_add(1, Ordering::Relaxed)
    }
}

impl Clock for Ticks {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.tick())
    }
}

impl IdGenerator for Ticks {
    fn new_id(&self) -> AgentId {
        AgentId::v7(UnixMillis(self.tick()), [0x5a; 10])
    }
}

/// A registry under test.
pub(crate) struct Subject<S> {
    pub(crate) registry: Arc<AgentRegistry<S, Ticks, Ticks>>,
}

impl<S: Store> Subject<S> {
    pub(crate) fn new(store: S) -> Self {
        let ticks = Ticks::default();
        Self { registry: Arc::new(AgentRegistry::new(store, ticks.clone(), ticks)) }
    }

    pub(crate) async fn register(&self, tenant: TenantId, agent: &str) -> Agent {
        self.register_with(tenant, agent, AgentContent::default()).await
    }

    pub(crate) async fn register_with(&self, tenant: TenantId, agent: &str, content: AgentContent) -> Agent {
        let registered = self.registry.register(name(agent), content).in_tenant(tenant).await;
        let registered = registered.unwrap_or_else(|error| panic!("{agent}: {error}"));
        assert!(registered.is_new);
        registered.agent
    }

    /// Registers an agent and brings it to a state.
    pub(crate) async fn register_as(&self, tenant: TenantId, agent: &str, status: AgentStatus) -> Agent {
        let agent = self.register(tenant, agent).await;
        self.bring(&agent, status).await
    }

    /// Registers an agent of the platform and shares it with all tenants.
    pub(crate) async fn share(&self, agent: &str) -> Agent {
        let content = AgentContent { visibility: Visibility::Shared, ..AgentContent::default() };
        let agent = self.register_with(P, agent, content).await;
        self.bring(&agent, AgentStatus::Active).await
    }

    /// Brings a draft to a state.
    pub(crate) async fn bring(&self, agent: &Agent, status: AgentStatus) -> Agent {
        use AgentStatus::{Active, Deleted, Deprecated, Draft, PendingApproval, Rejected, Suspended};
        let steps: &[Transition] = match status {
            Draft => &[],
            PendingApproval => &[Transition::Submit],
            Active => &[Transition::Submit, Transition::Approve],
            Rejected => &[Transition::Submit, Transition::Reject],
            Suspended => &[Transition::Submit, Transition::Approve, Transition::Suspend],
            Deprecated => &[Transition::Submit, Transition::Approve, Transition::Deprecate],
            Deleted => &[Transition::Delete],
        };
        for step in steps {
            self.step(agent.tenant, agent.id, *step).await.expect("a step");
        }
        self.get(agent.tenant, agent.id).await.expect("it is there")
    }

    pub(crate) async fn step(
        &self,
        tenant: TenantId,
        id: AgentId,
        step: Transition,
    ) -> Result<Agent, AgentError> {
        let approval = approval(tenant, id);
        let registry = &self.registry;
        let stepped = async {
            match step {
                Transition::Submit => registry.submit(id).await,
                Transition::Approve => registry.approve(id, &approval).await,
                Transition::Reject => registry.reject(id, &approval).await,
                Transition::Suspend => registry.suspend(id).await,
                Transition::Resume => registry.resume(id).await,
                Transition::Deprecate => registry.deprecate(id).await,
                Transition::Delete => registry.deregister(id).await,
            }
        };
        stepped.in_tenant(tenant).await
    }

    pub(crate) async fn get(&self, tenant: TenantId, id: AgentId) -> Result<Agent, AgentError> {
        self.registry.get(id).in_tenant(tenant).await
    }

    pub(crate) async fn by_name(&self, tenant: TenantId, agent: &str) -> Result<Agent, AgentError> {
        self.registry.get_by_name(&name(agent)).in_tenant(tenant).await
    }

    pub(crate) async fn update(
        &self,
        tenant: TenantId,
        agent: &Agent,
        content: AgentContent,
    ) -> Result<Agent, AgentError> {
        self.registry.update(agent.id, agent.revision, content).in_tenant(tenant).await
    }

    pub(crate) async fn page(&self, tenant: TenantId, query: &Query) -> (Vec<Agent>, Option<AgentId>) {
        let mut agents = Vec::new();
        let next = self.registry.list(query, |agent| agents.push(agent)).in_tenant(tenant).await;
        (agents, next.expect("a page"))
    }

    pub(crate) async fn all(&self, tenant: TenantId, filter: &Filter) -> Vec<Agent> {
        self.page(tenant, &Query::first(filter.clone(), 1000)).await.0
    }

    pub(crate) async fn count(&self, tenant: TenantId, filter: &Filter) -> u64 {
        self.registry.count(filter).in_tenant(tenant).await.expect("a count")
    }
}

pub(crate) fn name(text: &str) -> AgentName {
    AgentName::parse(text).expect("a name")
}

pub(crate) fn names(agents: &[Agent]) -> Vec<&str> {
    agents.iter().map(|agent| agent.name.as_str()).collect()
}

pub(crate) fn ids(agents: &[Agent]) -> Vec<AgentId> {
    agents.iter().map(|agent| agent.id).collect()
}

pub(crate) fn approval(tenant: TenantId, id: AgentId) -> Approval {
    TenantContext::scope(P, || Approval::grant(tenant, id)).expect("the platform's context")
}

pub(crate) fn described(text: &str) -> AgentContent {
    AgentContent { description: text.parse().expect("a text"), ..AgentContent::default() }
}

pub(crate) fn tagged(tags: &[&str]) -> AgentContent {
    let capabilities = Capabilities::parse(tags.iter().copied()).expect("tags");
    AgentContent { capabilities, ..AgentContent::default() }
}

/// Returns an answer as text, so that answers can be compared.
pub(crate) fn told<T: std::fmt::Debug>(answer: Result<T, AgentError>) -> String {
    match answer {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("{error:?}: {error}"),
    }
}
