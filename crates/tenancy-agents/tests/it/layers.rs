//! The registry checks what a store returns. The store here checks nothing.

use std::sync::Mutex;

use tenancy::{TenantContext, TenantFutureExt, TenantId};
use tenancy_agents::{
    Agent, AgentContent, AgentError, AgentId, AgentName, AgentRegistry, AgentStatus, Approval, Filter, Query,
    RandomIds, Store, SystemClock, UnixMillis, Visibility,
};

use crate::support::{A, B};

/// A store whose reads return agents of all tenants, and whose writes check nothing.
#[derive(Default)]
struct Leaky(Mutex<Vec<Agent>>);

impl Leaky {
    fn agents(&self) -> std::sync::MutexGuard<'_, Vec<Agent>> {
        self.0.lock().expect("no panic")
    }
}

impl Store for Leaky {
    async fn get(&self, id: AgentId) -> Result<Option<Agent>, AgentError> {
        Ok(self.agents().iter().find(|agent| agent.id == id).cloned())
    }

    async fn get_by_name(&self, name: &AgentName) -> Result<Option<Agent>, AgentError> {
        Ok(self.agents().iter().find(|agent| agent.name == *name).cloned())
    }

    async fn list(&self, _query: &Query, each: impl FnMut(Agent) + Send) -> Result<(), AgentError> {
        self.agents().iter().cloned().for_each(each);
        Ok(())
    }

    async fn count(&self, _filter: &Filter) -> Result<u64, AgentError> {
        Ok(0)
    }

    async fn insert(&self, agent: &Agent) -> Result<(), AgentError> {
        self.agents().push(agent.clone());
        Ok(())
    }

    async fn replace(&self, agent: &Agent, _revision: u64) -> Result<bool, AgentError> {
        let mut agents = self.agents();
        let old = agents.iter_mut().find(|old| old.id == agent.id).expect("it is there");
        *old = agent.clone();
        Ok(true)
    }

    async fn touch(&self, _id: AgentId, _at: UnixMillis) -> Result<bool, AgentError> {
        Ok(false)
    }
}

fn agent(tenant: TenantId, name: &str, status: AgentStatus) -> Agent {
    let content = AgentContent { visibility: Visibility::Shared, ..AgentContent::default() };
    Agent {
        id: AgentId::from_uuid(uuid::Uuid::now_v7()),
        tenant,
        name: name.parse().expect("a name"),
        content,
        status,
        revision: 1,
        created_at: UnixMillis(0),
        updated_at: UnixMillis(0),
        last_seen_at: None,
    }
}

#[tokio::test]
async fn the_registry_hides_agents_that_a_store_leaks() {
    let foreign = agent(A, "foreign", AgentStatus::Active);
    let hidden = agent(TenantId::PLATFORM, "hidden", AgentStatus::Suspended);
    let shared = agent(TenantId::PLATFORM, "shared", AgentStatus::Active);
    let store = Leaky(Mutex::new(vec![foreign.clone(), hidden.clone(), shared.clone()]));
    let registry = AgentRegistry::new(store, SystemClock, RandomIds);
    async {
        for leaked in [&foreign, &hidden] {
            let (id, content) = (leaked.id, AgentContent::default());
            let answers = [
                registry.get(id).await.map(|_| ()),
                registry.get_by_name(&leaked.name).await.map(|_| ()),
                registry.update(id, 1, content).await.map(|_| ()),
                registry.submit(id).await.map(|_| ()),
                registry.suspend(id).await.map(|_| ()),
                registry.resume(id).await.map(|_| ()),
                registry.deprecate(id).await.map(|_| ()),
                registry.deregister(id).await.map(|_| ()),
                registry.heartbeat(id).await,
            ];
            for answer in answers {
                assert!(matches!(answer, Err(AgentError::NotFound)), "{answer:?}");
            }
        }
        let mut seen = Vec::new();
        let next = registry.list(&Query::first(Filter::default(), 2), |agent| seen.push(agent)).await;
        assert_eq!((next.expect("a page"), &seen), (None, &vec![shared.clone()]));
        assert!(matches!(registry.deregister(shared.id).await, Err(AgentError::ReadOnly)));
        // A leaked name does not reveal another tenant's agent either.
        let registered =
            registry.register(foreign.name.clone(), foreign.content.clone()).await.expect("its own");
        assert_eq!((registered.is_new, registered.agent.tenant), (true, B));
        // Neither does a leaked id.
        let returning = Agent { tenant: B, ..foreign.clone() };
        let approval = TenantContext::scope(TenantId::PLATFORM, || Approval::grant(B, foreign.id));
        let is_new = registry.restore(&returning, &approval.expect("the platform's")).await;
        assert!(is_new.expect("its own"));
    }
    .in_tenant(B)
    .await;
    let agents = registry.store().agents();
    assert_eq!(agents[..3], [foreign, hidden, shared], "nothing was changed");
}
