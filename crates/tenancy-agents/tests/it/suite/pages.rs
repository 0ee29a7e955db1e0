//! Lists.

use tenancy::TenantFutureExt;
use tenancy_agents::{
    Agent, AgentContent, AgentId, AgentStatus, Capability, Filter, Query, Store, Tier, Transition, Visibility,
};

use super::support::{Subject, described, ids, names, tagged};
use crate::support::{A, B, P};

/// Registers ten agents of A, two shared ones between them, and agents that A must not see.
async fn mixed<S: Store>(subject: &Subject<S>) -> Vec<AgentId> {
    let mut visible = Vec::new();
    for number in 0..10 {
        visible.push(subject.register(A, &format!("own-{number}")).await.id);
        subject.register(B, &format!("foreign-{number}")).await;
        if number % 5 == 2 {
            visible.push(subject.share(&format!("shared-{number}")).await.id);
            subject.register(P, &format!("private-{number}")).await;
        }
    }
    visible
}

pub(crate) async fn pages_contain_each_agent_once<S: Store>(subject: &Subject<S>) {
    let visible = mixed(subject).await;
    for limit in [1, 2, 3, 5, 11, 12, 13, 1000] {
        let (mut seen, mut query) = (Vec::new(), Query::first(Filter::default(), limit));
        loop {
            let (agents, next) = subject.page(A, &query).await;
            assert!(!agents.is_empty() && agents.len() <= limit, "{limit}");
            seen.extend(ids(&agents));
            let Some(next) = next else { break };
            assert_eq!((agents.len(), Some(&next)), (limit, seen.last()), "{limit}");
            query.after = Some(next);
        }
        assert_eq!(seen, visible, "{limit}");
    }
    assert_eq!(subject.page(A, &Query::first(Filter::default(), 0)).await, (Vec::new(), None));
    assert_eq!(subject.all(B, &Filter::default()).await.len(), 12);
    assert_eq!(subject.all(P, &Filter::default()).await.len(), 4);
}

pub(crate) async fn lists_and_counts_apply_the_same_filters<S: Store>(subject: &Subject<S>) {
    for (number, status) in AgentStatus::ALL.into_iter().enumerate() {
        for (tier, visibility) in [(Tier::Basic, Visibility::Private), (Tier::Premium, Visibility::Shared)] {
            for tenant in [A, P] {
                let text = format!("{tenant}-{number}-{tier}")[30..].to_owned();
                let tags: &[&str] = if number % 2 == 0 { &["chat", "search"] } else { &["chat"] };
                let content = AgentContent { tier, visibility, ..tagged(tags) };
                let agent = subject.register_with(tenant, &text, content).await;
                subject.bring(&agent, status).await;
            }
        }
    }
    let all = {
        let mut all = subject.all(A, &Filter::default()).await;
        all.extend(subject.all(A, &Filter { status: Some(AgentStatus::Deleted), ..Filter::default() }).await);
        all.sort_by_key(|agent| agent.id);
        all
    };
    assert_eq!(all.len(), 15, "14 of its own, and the one that is active and shared");
    let tags = [None, Some("chat"), Some("search"), Some("paint")];
    for tag in tags.map(|tag| tag.map(|tag| Capability::parse(tag).expect("a tag"))) {
        for status in AgentStatus::ALL.into_iter().map(Some).chain([None]) {
            for tier in Tier::ALL.into_iter().map(Some).chain([None]) {
                for visibility in Visibility::ALL.into_iter().map(Some).chain([None]) {
                    let filter = Filter { status, capability: tag.clone(), tier, visibility };
                    let wanted: Vec<_> = all.iter().filter(|agent| filter.matches(agent)).cloned().collect();
                    assert_eq!(subject.all(A, &filter).await, wanted, "{filter:?}");
                    assert_eq!(subject.count(A, &filter).await, wanted.len() as u64, "{filter:?}");
                }
            }
        }
    }
}

pub(crate) async fn a_search_returns_active_agents_with_the_capability<S: Store>(subject: &Subject<S>) {
    let with = async |tenant, text: &str, tags: &[&str], status| {
        let agent = subject.register_with(tenant, text, tagged(tags)).await;
        subject.bring(&agent, status).await
    };
    with(A, "one", &["chat"], AgentStatus::Active).await;
    with(A, "draft", &["chat"], AgentStatus::Draft).await;
    with(A, "other", &["chat-2", "cha"], AgentStatus::Active).await;
    with(A, "old", &["chat"], AgentStatus::Deprecated).await;
    let two = with(A, "two", &["a", "chat", "z"], AgentStatus::Active).await;
    with(B, "foreign", &["chat"], AgentStatus::Active).await;
    let shared = AgentContent { visibility: Visibility::Shared, ..tagged(&["chat"]) };
    let shared = subject.register_with(P, "shared", shared).await;
    subject.bring(&shared, AgentStatus::Active).await;
    let find = async |tag: &str, after, limit| {
        let (tag, mut found) = (Capability::parse(tag).expect("a tag"), Vec::new());
        let finding = subject.registry.find_by_capability(&tag, after, limit, |agent| found.push(agent));
        let next = finding.in_tenant(A).await.expect("a page");
        (found.iter().map(|agent: &Agent| agent.name.to_string()).collect::<Vec<_>>(), next)
    };
    assert_eq!(find("chat", None, 10).await, (vec!["one".into(), "two".into(), "shared".into()], None));
    assert_eq!(find("chat", None, 2).await, (vec!["one".into(), "two".into()], Some(two.id)));
    assert_eq!(find("chat", Some(two.id), 2).await, (vec!["shared".into()], None));
    assert_eq!(find("paint", None, 10).await, (vec![], None));
    // A removed capability is no longer found.
    subject.update(A, &two, tagged(&["z"])).await.expect("an update");
    assert_eq!(find("chat", None, 10).await.0, ["one", "shared"]);
    assert_eq!(find("z", None, 10).await.0, ["two"]);
}

pub(crate) async fn paging_continues_while_agents_are_added_and_deleted<S: Store>(subject: &Subject<S>) {
    let visible = mixed(subject).await;
    let (first, next) = subject.page(A, &Query::first(Filter::default(), 5)).await;
    // The last agent of the page, one that was shown before, and one that comes later.
    for gone in [first[4].id, first[1].id, visible[6]] {
        subject.step(A, gone, Transition::Delete).await.expect("one of its own");
    }
    let late = subject.register(A, "late").await;
    let (rest, end) = subject.page(A, &Query { filter: Filter::default(), after: next, limit: 100 }).await;
    let mut wanted = visible[5..].to_vec();
    wanted.retain(|id| *id != visible[6]);
    wanted.push(late.id);
    assert_eq!((ids(&rest), end), (wanted, None));
}

pub(crate) async fn a_cursor_of_another_tenant_is_only_a_position<S: Store>(subject: &Subject<S>) {
    subject.register(A, "one").await;
    let foreign = subject.register(B, "foreign").await;
    subject.register(A, "two").await;
    let before = AgentId::v7(tenancy_agents::UnixMillis(1), [0; 10]);
    for (after, wanted) in [(foreign.id, vec!["two"]), (before, vec!["one", "two"])] {
        let query = Query { filter: Filter::default(), after: Some(after), limit: 10 };
        assert_eq!(names(&subject.page(A, &query).await.0), wanted);
    }
    let update = subject.update(A, &foreign, described("mine")).await;
    assert!(update.is_err());
}
