//! The store in fixed memory: quotas and capacity.

use tenancy::{TenantContext, TenantId};
use tenancy_agents::{
    Agent, AgentContent, AgentError, AgentId, AgentName, AgentRegistry, AgentStatus, Filter, FixedStore,
    Query, RandomIds, SystemClock, UnixMillis, block_on_ready,
};

use crate::support::{A, B};

type Registry<const N: usize> = AgentRegistry<FixedStore<N>, SystemClock, RandomIds>;

fn registry<const N: usize>(quota: usize) -> Registry<N> {
    AgentRegistry::new(FixedStore::with_quota(quota), SystemClock, RandomIds)
}

fn register<const N: usize>(
    registry: &Registry<N>,
    tenant: TenantId,
    name: &str,
) -> Result<Agent, AgentError> {
    let name = AgentName::parse(name).expect("a name");
    let registered =
        TenantContext::scope(tenant, || block_on_ready(registry.register(name, AgentContent::default())));
    registered.map(|registered| registered.agent)
}

fn deregister<const N: usize>(registry: &Registry<N>, agent: &Agent) {
    TenantContext::scope(agent.tenant, || block_on_ready(registry.deregister(agent.id))).expect("its own");
}

fn get<const N: usize>(registry: &Registry<N>, tenant: TenantId, id: AgentId) -> Result<Agent, AgentError> {
    TenantContext::scope(tenant, || block_on_ready(registry.get(id)))
}

#[test]
fn a_tenant_at_its_quota_does_not_affect_others() {
    let registry = registry::<6>(3);
    for name in ["one", "two", "three"] {
        register(&registry, A, name).expect("room");
    }
    let error = register(&registry, A, "four").expect_err("its quota");
    assert!(matches!(error, AgentError::Quota { limit: 3 }), "{error}");
    for name in ["one", "two", "three"] {
        register(&registry, B, name).expect("room of its own");
    }
    // An agent that exists already needs no room.
    register(&registry, A, "three").expect("it is there");
}

#[test]
fn a_full_store_is_reported_as_full() {
    let registry = registry::<2>(2);
    register(&registry, A, "one").expect("room");
    register(&registry, B, "one").expect("room");
    let error = register(&registry, A, "two").expect_err("no room");
    assert!(matches!(error, AgentError::Full), "{error}");
}

#[test]
fn only_the_oldest_tombstone_of_the_tenant_makes_room() {
    let registry = registry::<4>(3);
    let foreign = register(&registry, B, "foreign").expect("room");
    deregister(&registry, &foreign);
    let [one, two, three] = ["one", "two", "three"].map(|name| register(&registry, A, name).expect("room"));
    // Both can be deleted within the same millisecond: then the one with the lesser id counts as older.
    deregister(&registry, &one);
    deregister(&registry, &two);
    register(&registry, A, "four").expect("in the place of the first tombstone");
    assert!(matches!(get(&registry, A, one.id), Err(AgentError::NotFound)));
    assert_eq!(get(&registry, A, two.id).expect("a tombstone").status, AgentStatus::Deleted);
    register(&registry, A, "five").expect("in the place of the second");
    let error = register(&registry, A, "six").expect_err("no tombstone is left");
    assert!(matches!(error, AgentError::Quota { limit: 3 }), "{error}");
    assert_eq!(get(&registry, B, foreign.id).expect("B's tombstone").status, AgentStatus::Deleted);
    assert_eq!(get(&registry, A, three.id).expect("it is in use").status, AgentStatus::Draft);
}

#[test]
fn a_full_store_keeps_tombstones_of_other_tenants() {
    let registry = registry::<2>(2);
    let (a, b) = (register(&registry, A, "one").expect("room"), register(&registry, B, "one").expect("room"));
    deregister(&registry, &b);
    let error = register(&registry, A, "two").expect_err("no room of its own");
    assert!(matches!(error, AgentError::Full), "{error}");
    deregister(&registry, &a);
    register(&registry, A, "two").expect("in the place of its own");
    assert!(get(&registry, B, b.id).is_ok());
}

#[test]
fn a_store_without_capacity_accepts_no_agent() {
    let registry = registry::<0>(0);
    assert!(matches!(register(&registry, A, "one"), Err(AgentError::Quota { limit: 0 })));
    let none = TenantContext::scope(A, || {
        block_on_ready(registry.list(&Query::first(Filter::default(), 9), |_| ()))
    });
    assert_eq!(none.expect("a page"), None);
}

#[test]
fn debug_shows_no_agent() {
    let registry = registry::<2>(1);
    register(&registry, A, "secret-plan").expect("room");
    let shown = format!("{registry:?}");
    assert!(shown.contains("capacity: 2") && !shown.contains("secret") && !shown.contains("550e"), "{shown}");
}

/// On a device, 64 agents take 108 KiB.
#[test]
fn an_agent_takes_less_than_two_kibibytes() {
    assert!(size_of::<Option<Agent>>() <= 2048, "{}", size_of::<Option<Agent>>());
}

/// On a device a future is on the stack, which is small.
#[test]
fn a_future_holds_its_arguments_and_at_most_one_agent() {
    const AGENT: usize = size_of::<Agent>();
    const CONTENT: usize = size_of::<AgentContent>();
    // Ids, a query, references, and the state of the future.
    const SMALL: usize = 256;
    let registry = registry::<2>(2);
    let id = AgentId::v7(UnixMillis(0), [0; 10]);
    let name = AgentName::parse("one").expect("a name");
    let query = Query::first(Filter::default(), 9);
    for (operation, size, most) in [
        ("get", size_of_val(&registry.get(id)), SMALL),
        ("get_by_name", size_of_val(&registry.get_by_name(&name)), SMALL),
        ("list", size_of_val(&registry.list(&query, |_| ())), SMALL),
        ("heartbeat", size_of_val(&registry.heartbeat(id)), SMALL),
        ("submit", size_of_val(&registry.submit(id)), AGENT + SMALL),
        ("deregister", size_of_val(&registry.deregister(id)), AGENT + SMALL),
        ("update", size_of_val(&registry.update(id, 1, AgentContent::default())), CONTENT + AGENT + SMALL),
        (
            "register",
            size_of_val(&registry.register(name.clone(), AgentContent::default())),
            CONTENT + AGENT + SMALL,
        ),
    ] {
        assert!(size <= most, "{operation} has {size} bytes, more than {most}");
    }
}
