//! Which agents a tenant sees.

use tenancy::{TenantFutureExt, TenantId};
use tenancy_agents::{
    AgentContent, AgentError, AgentId, AgentStatus, Filter, Query, Store, Transition, Visibility,
};

use super::support::{Subject, approval, described, name, names, tagged, told};
use crate::support::{A, B, P};

/// Elsewhere, lists were not filtered by tenant (dataelement/Clawith#376, OpenAEV-Platform/openaev#6547).
pub(crate) async fn lists_counts_and_searches_return_only_visible_agents<S: Store>(subject: &Subject<S>) {
    for (tenant, text) in [(A, "a"), (B, "b"), (P, "p")] {
        for number in 0..3 {
            let agent = subject.register_with(tenant, &format!("{text}-{number}"), tagged(&["chat"])).await;
            subject.bring(&agent, AgentStatus::Active).await;
        }
    }
    for (tenant, wanted) in
        [(A, ["a-0", "a-1", "a-2"]), (B, ["b-0", "b-1", "b-2"]), (P, ["p-0", "p-1", "p-2"])]
    {
        let tag = "chat".parse().expect("a tag");
        for filter in [Filter::default(), Filter::active_with(tag)] {
            let agents = subject.all(tenant, &filter).await;
            assert_eq!(names(&agents), wanted);
            assert!(agents.iter().all(|agent| agent.tenant == tenant));
            assert_eq!(subject.count(tenant, &filter).await, 3);
        }
    }
}

/// Returns what each operation with the id of an agent answers to a tenant.
async fn answers<S: Store>(subject: &Subject<S>, tenant: TenantId, id: AgentId) -> Vec<String> {
    let registry = &subject.registry;
    let mut answers =
        vec![told(subject.get(tenant, id).await), told(registry.heartbeat(id).in_tenant(tenant).await)];
    for revision in [0, 1, 2, 1000] {
        answers.push(told(registry.update(id, revision, described("mine")).in_tenant(tenant).await));
    }
    for step in Transition::ALL {
        answers.push(told(subject.step(tenant, id, step).await));
    }
    answers
}

/// Elsewhere, foreign objects were answered by 403 and absent ones by 404 (open-mercato/open-mercato#1428).
pub(crate) async fn foreign_agents_are_reported_like_absent_ones<S: Store>(subject: &Subject<S>) {
    let absent = AgentId::v7(tenancy_agents::UnixMillis(1_700_000_000_000), [0x77; 10]);
    let wanted = answers(subject, B, absent).await;
    assert!(wanted.iter().all(|answer| answer.starts_with("NotFound")), "{wanted:?}");
    let no_name = told(subject.by_name(B, "nobody").await);
    for status in AgentStatus::ALL {
        for (owner, visibility) in
            [(A, Visibility::Private), (A, Visibility::Shared), (P, Visibility::Private)]
        {
            let text = format!("{}-{visibility}", status.as_str().replace('_', "-"));
            let content = AgentContent { visibility, ..AgentContent::default() };
            let agent = subject.register_with(owner, &text, content).await;
            let agent = subject.bring(&agent, status).await;
            assert_eq!(answers(subject, B, agent.id).await, wanted, "{text} of {owner}");
            assert_eq!(told(subject.by_name(B, &text).await), no_name);
            // The agent was not changed.
            assert_eq!(subject.get(owner, agent.id).await.expect("its own"), agent);
        }
    }
    // The platform does not see agents of tenants either.
    let own = subject.register(A, "own").await;
    assert_eq!(answers(subject, P, own.id).await, wanted);
    let (a, b) = (approval(A, own.id), approval(B, own.id));
    for approval in [&a, &b] {
        let restored = told(subject.registry.restore(&own, approval).in_tenant(B).await);
        assert!(restored.starts_with("Mismatch"), "{restored}");
    }
}

/// Elsewhere, a list contained an agent that the next request did not find (danny-avila/LibreChat#14196), and two flags of
/// an agent contradicted each other (adcontextprotocol/adcp#4194).
pub(crate) async fn every_read_agrees_on_what_the_platform_shares<S: Store>(subject: &Subject<S>) {
    for status in AgentStatus::ALL {
        for visibility in Visibility::ALL {
            let text = format!("{}-{visibility}", status.as_str().replace('_', "-"));
            let content = AgentContent { visibility, ..tagged(&[&text]) };
            let agent = subject.register_with(P, &text, content).await;
            let agent = subject.bring(&agent, status).await;
            let is_seen = status == AgentStatus::Active && visibility == Visibility::Shared;
            assert_eq!((agent.is_visible_to(A), agent.is_shared()), (is_seen, is_seen), "{text}");
            let tag = text.parse().expect("a tag");
            let filters = [
                Filter { capability: Some(tag), ..Filter::default() },
                Filter { status: Some(status), visibility: Some(visibility), ..Filter::default() },
            ];
            assert_eq!(subject.get(A, agent.id).await.is_ok(), is_seen, "{text}");
            assert_eq!(subject.by_name(A, &text).await.is_ok(), is_seen, "{text}");
            for filter in filters {
                assert_eq!(!subject.all(A, &filter).await.is_empty(), is_seen, "{text}");
                assert_eq!(subject.count(A, &filter).await, u64::from(is_seen), "{text}");
            }
        }
    }
}

/// Elsewhere, "published" meant published to everybody (xorbitsai/xagent#27).
pub(crate) async fn only_the_platform_can_share<S: Store>(subject: &Subject<S>) {
    let content = AgentContent { visibility: Visibility::Shared, ..tagged(&["chat"]) };
    let agent = subject.register_with(A, "published", content).await;
    let agent = subject.bring(&agent, AgentStatus::Active).await;
    assert!(!agent.is_shared());
    for tenant in [B, P] {
        assert!(matches!(subject.get(tenant, agent.id).await, Err(AgentError::NotFound)));
        assert!(matches!(subject.by_name(tenant, "published").await, Err(AgentError::NotFound)));
        assert!(subject.all(tenant, &Filter::default()).await.is_empty());
        assert_eq!(subject.count(tenant, &Filter::default()).await, 0);
    }
    assert_eq!(subject.all(A, &Filter::default()).await, [agent]);
    // Its name is not reserved for other tenants either.
    subject.register(B, "published").await;
}

pub(crate) async fn shared_agents_are_read_only<S: Store>(subject: &Subject<S>) {
    let shared = subject.share("search").await;
    let registry = &subject.registry;
    assert_eq!(subject.get(A, shared.id).await.expect("it is shared"), shared);
    let changes = [
        told(registry.update(shared.id, shared.revision, described("mine")).in_tenant(A).await),
        told(registry.heartbeat(shared.id).in_tenant(A).await),
        told(registry.suspend(shared.id).in_tenant(A).await),
        told(registry.deprecate(shared.id).in_tenant(A).await),
        told(registry.deregister(shared.id).in_tenant(A).await),
        told(registry.submit(shared.id).in_tenant(A).await),
        told(registry.approve(shared.id, &approval(A, shared.id)).in_tenant(A).await),
    ];
    for change in changes {
        assert!(change.starts_with("ReadOnly"), "{change}");
    }
    assert_eq!(subject.get(P, shared.id).await.expect("its own"), shared);
    let own = registry.register(name("own"), AgentContent::default()).in_tenant(A).await.expect("its own");
    let (page, next) = subject.page(A, &Query::first(Filter::default(), 1)).await;
    assert_eq!((names(&page), next), (vec!["search"], Some(shared.id)));
    assert_eq!(own.agent.tenant, A);
}

/// Calls the store directly: the registry would hide what a store leaks.
pub(crate) async fn a_store_itself_returns_no_hidden_agent<S: Store>(subject: &Subject<S>) {
    let store = subject.registry.store();
    for status in AgentStatus::ALL {
        for owner in [A, P] {
            let text = status.as_str().replace('_', "-");
            let agent = subject.register_as(owner, &text, status).await;
            let found = store.get(agent.id).in_tenant(B).await.expect("an answer");
            assert_eq!(found, None, "{status} of {owner}");
            let found = store.get_by_name(&agent.name).in_tenant(B).await.expect("an answer");
            assert_eq!(found, None, "{status} of {owner}");
        }
    }
}
