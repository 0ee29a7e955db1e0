//! Changes, also concurrent ones.

use std::sync::Arc;

use tenancy::TenantFutureExt;
use tenancy_agents::{
    Agent, AgentContent, AgentError, AgentStatus, Capabilities, Card, Filter, Store, Tier, Transition,
    UnixMillis, Visibility,
};

use super::support::{Subject, approval, described, name, told};
use crate::support::{A, B, P};

pub(crate) async fn an_update_requires_the_current_revision<S: Store>(subject: &Subject<S>) {
    let first = subject.register(A, "one").await;
    let second = subject.update(A, &first, described("second")).await.expect("its revision");
    assert_eq!((second.revision, &second.content), (2, &described("second")));
    assert!(second.updated_at > first.updated_at);
    assert_eq!(subject.get(A, first.id).await.expect("it is there"), second);
    for wrong in [0, 1, 3, u64::MAX] {
        let update = subject.registry.update(first.id, wrong, described("third")).in_tenant(A).await;
        let is_told = matches!(update, Err(AgentError::Revision { expected, found: 2 }) if expected == wrong);
        assert!(is_told, "{update:?}");
    }
    assert_eq!(subject.get(A, first.id).await.expect("it is there"), second);
}

pub(crate) async fn one_of_many_concurrent_updates_succeeds<S: Store + 'static>(subject: &Subject<S>) {
    let agent = subject.register(A, "one").await;
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let (registry, id) = (Arc::clone(&subject.registry), agent.id);
            let update = async move { registry.update(id, 1, described(&format!("by {number}"))).await };
            tokio::spawn(update.in_tenant(A))
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        match task.await.expect("no panic") {
            Ok(agent) => winners.push(agent),
            Err(AgentError::Revision { expected: 1, found: 2 }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(subject.get(A, agent.id).await.expect("it is there"), winners[0]);
}

/// Elsewhere, an update used the id without the tenant (langgenius/dify#34456).
pub(crate) async fn an_update_of_a_foreign_agent_changes_nothing<S: Store>(subject: &Subject<S>) {
    let agent = subject.register(A, "one").await;
    let update = subject.registry.update(agent.id, agent.revision, described("mine")).in_tenant(B).await;
    assert!(matches!(update, Err(AgentError::NotFound)), "{update:?}");
    let moved = Agent { tenant: B, content: described("mine"), revision: 2, ..agent.clone() };
    // The store itself does not change it either.
    let store = subject.registry.store();
    let replaced = store.replace(&moved, 1).in_tenant(B).await;
    assert!(matches!(replaced, Ok(false)), "{replaced:?}");
    assert!(matches!(store.touch(agent.id, agent.created_at).in_tenant(B).await, Ok(false)));
    let inserted = told(
        store
            .insert(&Agent { tenant: A, name: "two".parse().expect("a name"), ..agent.clone() })
            .in_tenant(B)
            .await,
    );
    assert_ne!(inserted, "()", "another tenant's agent is not put into this one's");
    assert_eq!(subject.all(A, &Filter::default()).await, [agent]);
    assert!(subject.all(B, &Filter::default()).await.is_empty());
}

/// Calls the store directly, without the registry.
pub(crate) async fn a_replacement_keeps_tenant_name_and_creation_time<S: Store>(subject: &Subject<S>) {
    let (agent, foreign) = (subject.register(A, "one").await, subject.register(B, "one").await);
    let store = subject.registry.store();
    let content = AgentContent { visibility: Visibility::Shared, ..described("for all") };
    let forged = Agent { tenant: P, status: AgentStatus::Active, content, revision: 2, ..agent.clone() };
    let replaced = store.replace(&forged, 1).in_tenant(A).await;
    assert!(matches!(replaced, Ok(false)), "nothing of B's is told, and nothing done: {replaced:?}");
    assert_eq!(subject.get(A, agent.id).await.expect("it is there"), agent);
    let changed = Agent { content: described("new"), revision: 2, ..agent.clone() };
    let renamed = Agent { name: name("two"), created_at: UnixMillis(1), ..changed.clone() };
    let replaced = store.replace(&renamed, 1).in_tenant(A).await;
    assert!(matches!(replaced, Ok(true)), "{replaced:?}");
    assert_eq!(subject.get(A, agent.id).await.expect("it is there"), changed);
    assert_eq!(subject.get(B, foreign.id).await.expect("it is there"), foreign);
}

pub(crate) async fn concurrent_transitions_all_succeed<S: Store + 'static>(subject: &Subject<S>) {
    let agent = subject.register_as(A, "one", AgentStatus::Active).await;
    let tasks: Vec<_> = (0..6)
        .map(|number| {
            let (registry, id) = (Arc::clone(&subject.registry), agent.id);
            let step = async move {
                if number % 2 == 0 {
                    registry.suspend(id).await
                } else {
                    registry.heartbeat(id).await.and(registry.get(id).await)
                }
            };
            tokio::spawn(step.in_tenant(A))
        })
        .collect();
    let mut suspended = 0;
    for (number, task) in tasks.into_iter().enumerate() {
        match task.await.expect("no panic") {
            Ok(_) if number % 2 == 0 => suspended += 1,
            Ok(_) => {}
            Err(AgentError::Transition(_)) if number % 2 == 0 => {}
            Err(error) => panic!("{error}"),
        }
    }
    let after = subject.get(A, agent.id).await.expect("it is there");
    assert_eq!((suspended, after.status, after.revision), (1, AgentStatus::Suspended, agent.revision + 1));
    assert!(after.last_seen_at.is_some(), "no heartbeat is lost by a step");
}

pub(crate) async fn content_of_maximum_length_round_trips<S: Store>(subject: &Subject<S>) {
    let tags: Vec<_> = (0..16).map(|number| format!("{number:02}{}", "x".repeat(30))).collect();
    let card = format!(r#"{{"text":"{}"}}"#, "ü".repeat((Card::LIMIT - 11) / 2));
    let card = Card::parse(&card).expect("a card");
    assert!(card.as_str().len() > Card::LIMIT - 2);
    let content = AgentContent {
        display_name: "й".repeat(64).parse().expect("a text"),
        description: format!("{}'\"\\<>&\n\t%_$1", "語".repeat(166)).parse().expect("a text"),
        version: "v".repeat(32).parse().expect("a text"),
        tier: Tier::Premium,
        visibility: Visibility::Shared,
        capabilities: Capabilities::parse(tags.iter().map(String::as_str)).expect("tags"),
        endpoint: format!("https://{}", "e".repeat(248)).parse().expect("a URL"),
        owner: "o".repeat(64).parse().expect("a text"),
        card: Some(card),
    };
    let agent = subject.register_with(A, &"n".repeat(63), content.clone()).await;
    let read = subject.get(A, agent.id).await.expect("it is there");
    assert_eq!((&read, &read.content), (&agent, &content));
    assert_eq!(subject.all(A, &Filter::default()).await, [read]);
}

pub(crate) async fn a_restored_agent_is_unchanged<S: Store>(subject: &Subject<S>) {
    let mut agents = Vec::new();
    for status in AgentStatus::ALL {
        let agent = subject.register_as(A, &status.as_str().replace('_', "-"), status).await;
        if status != AgentStatus::Deleted {
            subject.registry.heartbeat(agent.id).in_tenant(A).await.expect("a heartbeat");
        }
        agents.push(subject.get(A, agent.id).await.expect("it is there"));
    }
    for agent in &agents {
        let put = subject.registry.restore(agent, &approval(A, agent.id)).in_tenant(A).await;
        assert!(matches!(put, Ok(false)), "the same is there: {put:?}");
        let earlier = Agent { last_seen_at: None, ..agent.clone() };
        let put = subject.registry.restore(&earlier, &approval(A, agent.id)).in_tenant(A).await;
        assert!(matches!(put, Ok(false)), "and was seen since: {put:?}");
        assert_eq!(&subject.get(A, agent.id).await.expect("it is there"), agent);
        let other = Agent { content: described("other"), ..agent.clone() };
        let put = subject.registry.restore(&other, &approval(A, agent.id)).in_tenant(A).await;
        assert!(matches!(put, Err(AgentError::NameTaken)), "another is there: {put:?}");
        // A tenant without such an agent gets it unchanged.
        let moved = Agent { tenant: B, ..agent.clone() };
        let looked_at = approval(B, agent.id).of_revision(agent.revision + 1);
        let wrong = subject.registry.restore(&moved, &looked_at).in_tenant(B).await;
        let told = (agent.revision + 1, agent.revision);
        let is_told =
            matches!(wrong, Err(AgentError::Revision { expected, found }) if (expected, found) == told);
        assert!(is_told, "{wrong:?}");
        let wrong = subject.registry.restore(&moved, &approval(A, agent.id)).in_tenant(B).await;
        assert!(matches!(wrong, Err(AgentError::Approval)), "{wrong:?}");
        let put = subject.registry.restore(&moved, &approval(B, agent.id)).in_tenant(B).await;
        assert!(matches!(put, Ok(true)), "{put:?}");
        assert_eq!(subject.get(B, agent.id).await.expect("it is there"), moved);
    }
    subject.step(B, agents[0].id, Transition::Submit).await.expect("B's own");
    assert_eq!(subject.get(A, agents[0].id).await.expect("it is there"), agents[0]);
}

pub(crate) async fn one_of_many_concurrent_restores_is_first<S: Store + 'static>(subject: &Subject<S>) {
    let agent = subject.register_as(A, "one", AgentStatus::Active).await;
    let moved = Agent { tenant: B, ..agent };
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (registry, moved) = (Arc::clone(&subject.registry), moved.clone());
            let approval = approval(B, moved.id);
            let put = async move { registry.restore(&moved, &approval).await };
            tokio::spawn(put.in_tenant(B))
        })
        .collect();
    let mut new = 0;
    for task in tasks {
        new += usize::from(task.await.expect("no panic").expect("it is the same"));
    }
    assert_eq!(new, 1);
    assert_eq!(subject.get(B, moved.id).await.expect("it is there"), moved);
}

/// Elsewhere, changes of any revision were refused as if the store were not available.
pub(crate) async fn concurrent_changes_of_any_revision_all_succeed<S: Store + 'static>(subject: &Subject<S>) {
    const TASKS: u64 = 16;
    let agent = subject.register_with(A, "one", described("0")).await;
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let (registry, id) = (Arc::clone(&subject.registry), agent.id);
            let count = |content: &mut AgentContent| {
                let number: u64 = content.description.as_str().parse().expect("a number");
                *content = described(&(number + 1).to_string());
                Ok::<_, AgentError>(())
            };
            tokio::spawn(async move { registry.update_with(id, None, count).await }.in_tenant(A))
        })
        .collect();
    let mut revisions = Vec::new();
    for task in tasks {
        revisions.push(task.await.expect("no panic").expect("a change of any revision").revision);
    }
    revisions.sort_unstable();
    assert_eq!(revisions, (2..TASKS + 2).collect::<Vec<_>>(), "each change made one revision");
    let counted = subject.get(A, agent.id).await.expect("it is there");
    assert_eq!(counted.content, described(&TASKS.to_string()), "no change was lost");
}

/// As above, for transitions.
pub(crate) async fn concurrent_transitions_are_never_refused_as_unavailable<S: Store + 'static>(
    subject: &Subject<S>,
) {
    let agent = subject.register_as(A, "one", AgentStatus::Active).await;
    let tasks: Vec<_> = (0..16)
        .map(|number| {
            let (registry, id) = (Arc::clone(&subject.registry), agent.id);
            let step = if number % 2 == 0 { Transition::Suspend } else { Transition::Resume };
            tokio::spawn(async move { registry.step(id, step, None).await }.in_tenant(A))
        })
        .collect();
    let mut changes = 0;
    for task in tasks {
        match task.await.expect("no panic") {
            Ok(_) => changes += 1,
            Err(AgentError::Transition(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(subject.get(A, agent.id).await.expect("it is there").revision, agent.revision + changes);
}

pub(crate) async fn a_failed_or_empty_change_stores_nothing<S: Store>(subject: &Subject<S>) {
    let agent = subject.register(A, "one").await;
    let failed = subject.registry.update_with(agent.id, None, |content: &mut AgentContent| {
        *content = described("not stored");
        Err(AgentError::Full)
    });
    assert!(matches!(failed.in_tenant(A).await, Err(AgentError::Full)));
    assert_eq!(subject.get(A, agent.id).await.expect("it is there"), agent);
    let store = subject.registry.store();
    let same = store.change(agent.id, |_: &mut Agent| Ok::<_, AgentError>(())).in_tenant(A).await;
    assert_eq!(same.expect("an answer").as_ref(), Some(&agent));
    let foreign = store.change(agent.id, |_: &mut Agent| -> Result<(), AgentError> { panic!("called") });
    assert_eq!(foreign.in_tenant(B).await.expect("an answer"), None);
    let shared = subject.share("shared").await;
    let foreign = store.change(shared.id, |_: &mut Agent| -> Result<(), AgentError> { panic!("called") });
    assert_eq!(foreign.in_tenant(B).await.expect("an answer"), None);
    assert_eq!(subject.get(A, agent.id).await.expect("it is there"), agent);
}

/// Calls the store directly, without the registry.
pub(crate) async fn a_change_keeps_what_no_change_may_touch<S: Store>(subject: &Subject<S>) {
    let agent = subject.register(A, "one").await;
    subject.registry.heartbeat(agent.id).in_tenant(A).await.expect("a heartbeat");
    let before = subject.get(A, agent.id).await.expect("it is there");
    let forged = subject.registry.store().change(agent.id, |agent: &mut Agent| {
        (agent.tenant, agent.name) = (B, name("two"));
        (agent.created_at, agent.last_seen_at, agent.revision) = (UnixMillis(1), None, 2);
        agent.content = described("new");
        Ok::<_, AgentError>(())
    });
    let forged = forged.in_tenant(A).await.expect("an answer").expect("its own");
    let mut wanted = before;
    (wanted.content, wanted.revision) = (described("new"), 2);
    assert_eq!(forged, wanted);
    assert_eq!(subject.get(A, agent.id).await.expect("it is there"), wanted);
    assert!(subject.all(B, &Filter::default()).await.is_empty());
}
