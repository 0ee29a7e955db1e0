//! Who can use a name.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tenancy::{TenantFutureExt, TenantId};
use tenancy_agents::{
    Agent, AgentContent, AgentError, AgentId, AgentRegistry, AgentStatus, Filter, IdGenerator, NameConflict,
    Store, Transition, UnixMillis, Visibility,
};

use super::support::{Subject, Ticks, approval, described, name, names};
use crate::support::{A, B, P};

pub(crate) async fn registering_is_idempotent_by_name_and_content<S: Store>(subject: &Subject<S>) {
    let agent = subject.register_with(A, "one", described("first")).await;
    assert_eq!((agent.revision, agent.status, agent.tenant), (1, AgentStatus::Draft, A));
    let again =
        subject.registry.register(name("one"), described("first")).in_tenant(A).await.expect("the same");
    assert_eq!((again.is_new, &again.agent), (false, &agent));
    let other = subject.registry.register(name("one"), described("other")).in_tenant(A).await;
    assert!(matches!(other, Err(AgentError::NameTaken)), "{other:?}");
    assert_eq!(subject.all(A, &Filter::default()).await, std::slice::from_ref(&agent));
    // The current content counts.
    let updated = subject.update(A, &agent, described("other")).await.expect("an update");
    let now =
        subject.registry.register(name("one"), described("other")).in_tenant(A).await.expect("the same");
    assert_eq!((now.is_new, now.agent), (false, updated));
    let before = subject.registry.register(name("one"), described("first")).in_tenant(A).await;
    assert!(matches!(before, Err(AgentError::NameTaken)), "{before:?}");
}

pub(crate) async fn a_deleted_agent_frees_its_name<S: Store>(subject: &Subject<S>) {
    let first = subject.register_as(A, "one", AgentStatus::Deleted).await;
    let second = subject.register(A, "one").await;
    assert_ne!(first.id, second.id);
    assert_eq!(subject.by_name(A, "one").await.expect("it is there").id, second.id);
    assert_eq!(subject.get(A, first.id).await.expect("a tombstone").status, AgentStatus::Deleted);
    subject.step(A, second.id, Transition::Delete).await.expect("a step");
    assert!(matches!(subject.by_name(A, "one").await, Err(AgentError::NotFound)));
}

pub(crate) async fn two_tenants_can_use_the_same_name<S: Store>(subject: &Subject<S>) {
    let (a, b, p) = (
        subject.register(A, "one").await,
        subject.register(B, "one").await,
        subject.register(P, "one").await,
    );
    assert_eq!(subject.by_name(A, "one").await.expect("its own"), a);
    assert_eq!(subject.by_name(B, "one").await.expect("its own"), b);
    assert_eq!(subject.by_name(P, "one").await.expect("its own"), p);
}

pub(crate) async fn a_tenant_cannot_take_a_shared_name<S: Store>(subject: &Subject<S>) {
    let shared = subject.share("search").await;
    for content in [AgentContent::default(), shared.content.clone()] {
        let taken = subject.registry.register(name("search"), content).in_tenant(A).await;
        assert!(matches!(taken, Err(AgentError::NameShared)), "{taken:?}");
    }
    assert_eq!(subject.by_name(A, "search").await.expect("it is shared"), shared);
    // Nothing is revealed of an agent that is not shared.
    subject.step(P, shared.id, Transition::Suspend).await.expect("a step");
    let own = subject.register(A, "search").await;
    assert_eq!(subject.by_name(A, "search").await.expect("its own"), own);
    assert!(matches!(subject.by_name(B, "search").await, Err(AgentError::NotFound)));
}

pub(crate) async fn the_platform_cannot_share_a_name_of_a_tenant_and_learns_which<S: Store>(
    subject: &Subject<S>,
) {
    let (a, b) = (subject.register(A, "search").await, subject.register(B, "search").await);
    let content = AgentContent { visibility: Visibility::Shared, ..AgentContent::default() };
    let shared = subject.register_with(P, "search", content).await;
    let shared = subject.bring(&shared, AgentStatus::PendingApproval).await;
    let held = |error: AgentError| match error {
        AgentError::NameHeld(holders) => holders,
        error => panic!("{error}"),
    };
    let error = subject.step(P, shared.id, Transition::Approve).await.expect_err("A and B have it");
    assert!(error.to_string().contains(&A.to_string()), "{error}");
    assert_eq!(held(error), NameConflict { first: A, others: 1 });
    assert_eq!(subject.get(P, shared.id).await.expect("its own").status, AgentStatus::PendingApproval);
    subject.step(A, a.id, Transition::Delete).await.expect("a step");
    let error = subject.step(P, shared.id, Transition::Approve).await.expect_err("B has it");
    assert_eq!(held(error), NameConflict { first: B, others: 0 });
    subject.step(B, b.id, Transition::Delete).await.expect("a step");
    let shared = subject.step(P, shared.id, Transition::Approve).await.expect("nobody has it");
    assert_eq!(subject.by_name(B, "search").await.expect("it is shared"), shared);
}

pub(crate) async fn sharing_again_checks_names_again<S: Store>(subject: &Subject<S>) {
    let shared = subject.share("search").await;
    // An agent can become shared again in two ways.
    let private = AgentContent::default();
    let hidden = subject.update(P, &shared, private).await.expect("nobody is asked");
    let own = subject.register(A, "search").await;
    let error = subject.update(P, &hidden, shared.content.clone()).await.expect_err("A has it");
    assert!(matches!(error, AgentError::NameHeld(_)), "{error}");
    assert_eq!(subject.get(P, hidden.id).await.expect("its own"), hidden);
    subject.step(A, own.id, Transition::Delete).await.expect("a step");
    let shared = subject.update(P, &hidden, shared.content.clone()).await.expect("nobody has it");
    subject.step(P, shared.id, Transition::Suspend).await.expect("a step");
    subject.register(B, "search").await;
    let error = subject.step(P, shared.id, Transition::Resume).await.expect_err("B has it");
    assert!(matches!(error, AgentError::NameHeld(NameConflict { first: B, others: 0 })), "{error}");
    let restored = subject.get(P, shared.id).await.expect("its own");
    let restored = tenancy_agents::Agent { id: another(&restored), name: name("search-2"), ..restored };
    subject.register(A, "search-2").await;
    let restored = tenancy_agents::Agent { status: AgentStatus::Active, ..restored };
    let put = subject.registry.restore(&restored, &approval(P, restored.id)).in_tenant(P).await;
    assert!(matches!(put, Err(AgentError::NameHeld(NameConflict { first: A, others: 0 }))), "{put:?}");
    assert_eq!(names(&subject.all(B, &Filter::default()).await), ["search"]);
}

fn another(agent: &tenancy_agents::Agent) -> tenancy_agents::AgentId {
    tenancy_agents::AgentId::v7(agent.created_at, [0x11; 10])
}

pub(crate) async fn one_of_many_concurrent_registrations_is_new<S: Store + 'static>(subject: &Subject<S>) {
    for round in 0..4 {
        let tasks: Vec<_> = (0..8)
            .map(|number| {
                let (registry, tenant) = (Arc::clone(&subject.registry), tenant_of(number));
                let agent = name(&format!("round-{round}"));
                let register = async move { registry.register(agent, described("same")).await };
                tokio::spawn(register.in_tenant(tenant))
            })
            .collect();
        let (mut new, mut all) = (0, Vec::new());
        for task in tasks {
            let registered = task.await.expect("no panic").expect("the same content");
            new += u64::from(registered.is_new);
            all.push((registered.agent.tenant, registered.agent.id));
        }
        all.sort_unstable();
        all.dedup();
        assert_eq!((new, all.len()), (2, 2), "one of each tenant");
    }
}

fn tenant_of(number: usize) -> TenantId {
    if number.is_multiple_of(2) { A } else { B }
}

pub(crate) async fn conflicts_within_the_tenant_are_reported_first<S: Store>(subject: &Subject<S>) {
    subject.register(A, "search").await;
    let draft = subject.register(P, "search").await;
    let content = AgentContent { visibility: Visibility::Shared, ..AgentContent::default() };
    let shared = Agent { id: another(&draft), content, status: AgentStatus::Active, ..draft };
    let put = subject.registry.restore(&shared, &approval(P, shared.id)).in_tenant(P).await;
    assert!(matches!(put, Err(AgentError::NameTaken)), "{put:?}");
}

pub(crate) async fn the_same_id_in_two_tenants_is_two_agents<S: Store>(subject: &Subject<S>) {
    let shared = subject.share("search").await;
    let own = Agent { tenant: A, name: name("own"), content: described("own"), ..shared.clone() };
    let inserted = subject.registry.store().insert(&own).in_tenant(A).await;
    assert!(matches!(inserted, Ok(())), "{inserted:?}");
    assert_eq!(subject.get(A, shared.id).await.expect("its own"), own);
    assert_eq!(subject.get(B, shared.id).await.expect("it is shared"), shared);
    assert_eq!(subject.get(P, shared.id).await.expect("its own"), shared);
}

/// A generator whose first ids are all the same.
struct Stuck(AtomicU64);

impl IdGenerator for Stuck {
    fn new_id(&self) -> AgentId {
        let number = self.0.fetch_add(1, Ordering::Relaxed);
        AgentId::v7(UnixMillis(1_700_000_000_000 + number.saturating_sub(3)), [0x5a; 10])
    }
}

pub(crate) async fn a_taken_id_is_replaced_by_another_one<S: Store>(subject: &Subject<S>) {
    let registry = AgentRegistry::new(subject.registry.store(), Ticks::default(), Stuck(AtomicU64::new(0)));
    for agent in ["one", "two", "three"] {
        let registered = registry.register(name(agent), described(agent)).in_tenant(A).await;
        assert!(registered.expect("its name is free").is_new);
    }
    let all = subject.all(A, &Filter::default()).await;
    assert_eq!(names(&all), ["one", "two", "three"]);
}

/// A replacement does not change the stored name.
pub(crate) async fn an_agent_is_shared_under_its_stored_name<S: Store>(subject: &Subject<S>) {
    subject.register(A, "search").await;
    let content = AgentContent { visibility: Visibility::Shared, ..AgentContent::default() };
    let agent = subject.register_with(P, "search", content).await;
    let renamed = Agent { name: name("unused"), status: AgentStatus::Active, revision: 2, ..agent };
    let replaced = subject.registry.store().replace(&renamed, 1).in_tenant(P).await;
    assert!(matches!(replaced, Err(AgentError::NameHeld(_))), "{replaced:?}");
    assert!(matches!(subject.by_name(B, "search").await, Err(AgentError::NotFound)));
}
