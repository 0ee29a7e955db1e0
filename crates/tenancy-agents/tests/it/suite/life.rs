//! The states of an agent, and who can change them.

use AgentStatus::{Active, Deleted, Deprecated, Draft, PendingApproval, Rejected, Suspended};
use tenancy::{TenantContext, TenantFutureExt};
use tenancy_agents::{AgentContent, AgentError, AgentStatus, Approval, Filter, Query, Store, Transition};

use super::support::{Subject, approval, described, name, names, told};
use crate::support::{A, B, P};

/// Allowed transitions: the old state, the transition, and the new state. Every other one is an error.
const STEPS: [(AgentStatus, Transition, AgentStatus); 6] = [
    (Draft, Transition::Submit, PendingApproval),
    (PendingApproval, Transition::Approve, Active),
    (PendingApproval, Transition::Reject, Rejected),
    (Active, Transition::Suspend, Suspended),
    (Suspended, Transition::Resume, Active),
    (Active, Transition::Deprecate, Deprecated),
];

pub(crate) async fn each_transition_is_allowed_or_rejected_by_state<S: Store>(subject: &Subject<S>) {
    for from in AgentStatus::ALL {
        for step in Transition::ALL {
            let text = format!("{}-{step:?}", from.as_str().replace('_', "-")).to_lowercase();
            let agent = subject.register_as(A, &text, from).await;
            let stepped = subject.step(A, agent.id, step).await;
            let known = STEPS.iter().find(|(start, by, _)| (*start, *by) == (from, step));
            let to = if step == Transition::Delete { Some(Deleted) } else { known.map(|(.., to)| *to) };
            let after = subject.get(A, agent.id).await.expect("it is there");
            match (stepped, to) {
                (Ok(stepped), Some(to)) => {
                    assert_eq!((stepped.status, &stepped), (to, &after), "{text}");
                    let is_new = u64::from(from != to);
                    assert_eq!(after.revision, agent.revision + is_new, "{text}");
                }
                (Err(AgentError::Transition(error)), None) => {
                    assert_eq!((error.from(), &after), (from, &agent), "{text}");
                    let said = error.to_string();
                    assert!(said.contains(from.as_str()) && said.contains(error.to().as_str()), "{said}");
                }
                (stepped, to) => panic!("{text}: {to:?} was expected, and is {stepped:?}"),
            }
            // Otherwise not all agents would fit in fixed memory.
            subject.step(A, agent.id, Transition::Delete).await.expect("a step");
        }
    }
}

pub(crate) async fn resuming_does_not_bypass_approval<S: Store>(subject: &Subject<S>) {
    for from in [Draft, PendingApproval, Rejected] {
        let agent = subject.register_as(A, &from.as_str().replace('_', "-"), from).await;
        let error = subject.step(A, agent.id, Transition::Resume).await.expect_err("no such step");
        assert!(matches!(error, AgentError::Transition(_)), "{error}");
        assert_eq!(subject.get(A, agent.id).await.expect("it is there").status, from);
    }
}

pub(crate) async fn a_decision_needs_an_approval_for_this_agent_and_tenant<S: Store>(subject: &Subject<S>) {
    let agent = subject.register_as(A, "one", PendingApproval).await;
    let other = subject.register_as(A, "other", PendingApproval).await;
    for tenant in [A, B] {
        assert!(TenantContext::scope(tenant, || Approval::grant(A, agent.id)).is_err());
    }
    assert!(Approval::grant(A, agent.id).is_err());
    for wrong in [approval(A, other.id), approval(B, agent.id), approval(P, agent.id)] {
        for decision in [
            subject.registry.approve(agent.id, &wrong).in_tenant(A).await,
            subject.registry.reject(agent.id, &wrong).in_tenant(A).await,
        ] {
            assert!(matches!(decision, Err(AgentError::Approval)), "{decision:?}");
        }
    }
    // The right approval is not valid in the context of another tenant either.
    let right = approval(A, agent.id);
    for tenant in [B, P] {
        let decision = subject.registry.approve(agent.id, &right).in_tenant(tenant).await;
        assert!(matches!(decision, Err(AgentError::Approval)), "{decision:?}");
    }
    assert_eq!(subject.get(A, agent.id).await.expect("it is there"), agent);
    let approved = subject.registry.approve(agent.id, &right).in_tenant(A).await.expect("approved");
    assert_eq!(approved.status, Active);
}

pub(crate) async fn rejects_a_decision_on_an_agent_that_changed_since<S: Store>(subject: &Subject<S>) {
    let agent = subject.register_as(A, "one", PendingApproval).await;
    let looked_at = || approval(A, agent.id).of_revision(agent.revision);
    let changed = subject.update(A, &agent, described("something else")).await.expect("an update");
    for decision in [
        subject.registry.approve(agent.id, &looked_at()).in_tenant(A).await,
        subject.registry.reject(agent.id, &looked_at()).in_tenant(A).await,
    ] {
        let is_told = matches!(decision, Err(AgentError::Revision { expected: 2, found: 3 }));
        assert!(is_told, "{decision:?}");
    }
    assert_eq!(subject.get(A, agent.id).await.expect("it is there"), changed);
    let approval = looked_at().of_revision(changed.revision);
    let approved = subject.registry.approve(agent.id, &approval).in_tenant(A).await.expect("this one");
    let stale =
        subject.registry.step(agent.id, Transition::Delete, Some(changed.revision)).in_tenant(A).await;
    assert!(matches!(stale, Err(AgentError::Revision { expected: 3, found: 4 })), "{stale:?}");
    let gone =
        subject.registry.step(agent.id, Transition::Delete, Some(approved.revision)).in_tenant(A).await;
    assert_eq!(gone.expect("its revision").status, Deleted);
}

pub(crate) async fn rejects_a_transition_of_an_agent_that_changed_since<S: Store>(subject: &Subject<S>) {
    for (from, step, to) in STEPS {
        let agent = subject.register_as(A, &format!("{step:?}").to_lowercase(), from).await;
        let take = |only| subject.registry.step(agent.id, step, Some(only)).in_tenant(A);
        if matches!(step, Transition::Approve | Transition::Reject) {
            // No revision can be decided on without an approval.
            for only in [Some(agent.revision), None] {
                let stepped = subject.registry.step(agent.id, step, only).in_tenant(A).await;
                assert!(matches!(stepped, Err(AgentError::Approval)), "{step:?}: {stepped:?}");
            }
            assert_eq!(subject.get(A, agent.id).await.expect("it is there"), agent);
            continue;
        }
        let changed = subject.update(A, &agent, described("something else")).await.expect("an update");
        let stale = take(agent.revision).await;
        assert!(matches!(stale, Err(AgentError::Revision { .. })), "{step:?}: {stale:?}");
        assert_eq!(subject.get(A, agent.id).await.expect("it is there"), changed);
        assert_eq!(take(changed.revision).await.expect("its revision").status, to, "{step:?}");
    }
}

pub(crate) async fn a_tombstone_is_readable_by_its_tenant_and_immutable<S: Store>(subject: &Subject<S>) {
    let agent = subject.register_as(A, "gone", Deleted).await;
    assert_eq!(agent.status, Deleted);
    assert!(matches!(subject.get(B, agent.id).await, Err(AgentError::NotFound)));
    assert!(matches!(subject.by_name(A, "gone").await, Err(AgentError::NotFound)));
    assert!(subject.all(A, &Filter::default()).await.is_empty());
    assert_eq!(subject.count(A, &Filter::default()).await, 0);
    let deleted = Filter { status: Some(Deleted), ..Filter::default() };
    assert_eq!(names(&subject.all(A, &deleted).await), ["gone"]);
    assert_eq!((subject.count(A, &deleted).await, subject.count(B, &deleted).await), (1, 0));
    let update = subject.update(A, &agent, described("new")).await;
    assert!(matches!(update, Err(AgentError::Deleted)), "{update:?}");
    let heartbeat = subject.registry.heartbeat(agent.id).in_tenant(A).await;
    assert!(matches!(heartbeat, Err(AgentError::Deleted)), "{heartbeat:?}");
    assert_eq!(subject.step(A, agent.id, Transition::Delete).await.expect("again"), agent);
    assert_eq!(subject.get(A, agent.id).await.expect("it is there"), agent);
}

pub(crate) async fn a_heartbeat_does_not_change_the_revision<S: Store>(subject: &Subject<S>) {
    let agent = subject.register(A, "alive").await;
    assert_eq!(agent.last_seen_at, None);
    let mut last = None;
    for _ in 0..3 {
        subject.registry.heartbeat(agent.id).in_tenant(A).await.expect("a heartbeat");
        let seen = subject.get(A, agent.id).await.expect("it is there");
        assert!(seen.last_seen_at > last);
        last = seen.last_seen_at;
        assert_eq!(tenancy_agents::Agent { last_seen_at: None, ..seen }, agent);
    }
    // A change that is based on an earlier read does not reset it.
    let updated = subject.update(A, &agent, described("new")).await.expect("the revision is the same");
    assert_eq!(updated.revision, agent.revision + 1);
    assert_eq!(subject.get(A, agent.id).await.expect("it is there").last_seen_at, last);
}

pub(crate) async fn rejects_every_operation_without_a_tenant<S: Store>(subject: &Subject<S>) {
    let agent = subject.register(A, "one").await;
    let (registry, id, approval) = (&subject.registry, agent.id, approval(A, agent.id));
    let mut seen = Vec::new();
    let answers = [
        told(registry.register(name("two"), AgentContent::default()).await),
        told(registry.get(id).await),
        told(registry.get_by_name(&agent.name).await),
        told(registry.list(&Query::first(Filter::default(), 10), |agent| seen.push(agent)).await),
        told(registry.count(&Filter::default()).await),
        told(registry.update(id, 1, described("new")).await),
        told(registry.submit(id).await),
        told(registry.approve(id, &approval).await),
        told(registry.reject(id, &approval).await),
        told(registry.suspend(id).await),
        told(registry.resume(id).await),
        told(registry.deprecate(id).await),
        told(registry.deregister(id).await),
        told(registry.step(id, Transition::Approve, None).await),
        told(registry.heartbeat(id).await),
        told(registry.restore(&agent, &approval).await),
    ];
    for answer in answers {
        assert!(answer.starts_with("NoTenant"), "{answer}");
    }
    assert!(seen.is_empty());
    assert_eq!(subject.all(A, &Filter::default()).await, [agent]);
}
