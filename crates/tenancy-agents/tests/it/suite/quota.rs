//! Tests with a quota of four agents.

use std::sync::Arc;

use tenancy::TenantFutureExt;
use tenancy_agents::{Agent, AgentError, AgentId, AgentStatus, Filter, Store, UnixMillis};

use super::support::{Subject, approval, described, name};
use crate::support::{A, B};

const QUOTA: usize = 4;

pub(crate) async fn concurrent_registrations_use_different_tombstones<S: Store + 'static>(
    subject: &Subject<S>,
) {
    for number in 0..QUOTA {
        subject.register_as(A, &format!("old-{number}"), AgentStatus::Deleted).await;
    }
    let foreign = subject.register_as(B, "old", AgentStatus::Deleted).await;
    let tasks: Vec<_> = (0..QUOTA)
        .map(|number| {
            let registry = Arc::clone(&subject.registry);
            let register = async move {
                registry.register(name(&format!("new-{number}")), described("new")).await.map(drop)
            };
            tokio::spawn(register.in_tenant(A))
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic").expect("there is a tombstone for each");
    }
    assert_eq!(subject.count(A, &Filter::default()).await, QUOTA as u64);
    let deleted = Filter { status: Some(AgentStatus::Deleted), ..Filter::default() };
    assert_eq!(subject.count(A, &deleted).await, 0);
    assert_eq!(subject.get(B, foreign.id).await.expect("no other's makes room"), foreign);
    let one_more = subject.registry.register(name("one-more"), described("new")).in_tenant(A).await;
    assert!(matches!(one_more, Err(AgentError::Quota { limit: QUOTA })), "{one_more:?}");
}

pub(crate) async fn existing_agents_are_reported_before_a_full_store<S: Store + 'static>(
    subject: &Subject<S>,
) {
    for number in 1..QUOTA {
        subject.register(A, &format!("agent-{number}")).await;
    }
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let registry = Arc::clone(&subject.registry);
            let register = async move { registry.register(name("one"), described("the same")).await };
            tokio::spawn(register.in_tenant(A))
        })
        .collect();
    let mut new = 0;
    for task in tasks {
        let registered = task.await.expect("no panic").expect("the last that there is room for");
        new += usize::from(registered.is_new);
    }
    assert_eq!(new, 1);
    let one = subject.by_name(A, "one").await.expect("it is there");
    let another = Agent { id: AgentId::v7(UnixMillis(1), [0; 10]), ..one };
    let put = subject.registry.restore(&another, &approval(A, another.id)).in_tenant(A).await;
    assert!(matches!(put, Err(AgentError::NameTaken)), "{put:?}");
}

/// The restored tombstone is the oldest one, but must not be the one that makes room.
pub(crate) async fn a_restored_tombstone_does_not_displace_itself<S: Store>(subject: &Subject<S>) {
    let older = subject.register_as(B, "older", AgentStatus::Deleted).await;
    for number in 1..QUOTA {
        subject.register(A, &format!("agent-{number}")).await;
    }
    let newer = subject.register_as(A, "newer", AgentStatus::Deleted).await;
    let older = Agent { tenant: A, ..older };
    let put = subject.registry.restore(&older, &approval(A, older.id)).in_tenant(A).await;
    assert!(matches!(put, Ok(true)), "{put:?}");
    assert_eq!(subject.get(A, older.id).await.expect("it is there"), older);
    assert!(matches!(subject.get(A, newer.id).await, Err(AgentError::NotFound)));
}
