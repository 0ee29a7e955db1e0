//! Fixed memory: who may have how much of it.

use tenancy::{TenantContext, TenantId, tenant_id};
use tenancy_agents::{
    Agent, AgentContent, AgentError, AgentId, AgentName, AgentRegistry, AgentStatus, Filter, FixedStore,
    Query, SystemSource, UnixMillis, immediate,
};

const A: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
const B: TenantId = tenant_id!("6ba7b810-9dad-41d1-80b4-00c04fd430c8");

type Registry<const N: usize> = AgentRegistry<FixedStore<N>, SystemSource>;

fn registry<const N: usize>(quota: usize) -> Registry<N> {
    AgentRegistry::new(FixedStore::with_quota(quota), SystemSource)
}

fn register<const N: usize>(
    registry: &Registry<N>,
    tenant: TenantId,
    name: &str,
) -> Result<Agent, AgentError> {
    let name = AgentName::parse(name).expect("a name");
    let registered =
        TenantContext::scope(tenant, || immediate(registry.register(name, AgentContent::default())));
    registered.map(|registered| registered.agent)
}

fn deregister<const N: usize>(registry: &Registry<N>, agent: &Agent) {
    TenantContext::scope(agent.tenant, || immediate(registry.deregister(agent.id))).expect("its own");
}

fn get<const N: usize>(registry: &Registry<N>, tenant: TenantId, id: AgentId) -> Result<Agent, AgentError> {
    TenantContext::scope(tenant, || immediate(registry.get(id)))
}

#[test]
fn a_tenant_at_its_quota_leaves_the_others_theirs() {
    let registry = registry::<6>(3);
    for name in ["one", "two", "three"] {
        register(&registry, A, name).expect("room");
    }
    let error = register(&registry, A, "four").expect_err("its quota");
    assert!(matches!(error, AgentError::Quota { limit: 3 }), "{error}");
    for name in ["one", "two", "three"] {
        register(&registry, B, name).expect("room of its own");
    }
    // What is there already needs no room.
    register(&registry, A, "three").expect("it is there");
}

#[test]
fn no_room_is_no_quota() {
    let registry = registry::<2>(2);
    register(&registry, A, "one").expect("room");
    register(&registry, B, "one").expect("room");
    let error = register(&registry, A, "two").expect_err("no room");
    assert!(matches!(error, AgentError::Full), "{error}");
}

#[test]
fn the_tenants_oldest_tombstone_makes_room_and_no_other_does() {
    let registry = registry::<4>(3);
    let foreign = register(&registry, B, "foreign").expect("room");
    deregister(&registry, &foreign);
    let [one, two, three] = ["one", "two", "three"].map(|name| register(&registry, A, name).expect("room"));
    // They are deleted within one millisecond, perhaps: then the one with the lesser id is the older.
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
fn a_full_memory_takes_no_tombstone_of_another() {
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
fn a_store_of_nothing_holds_nothing() {
    let registry = registry::<0>(0);
    assert!(matches!(register(&registry, A, "one"), Err(AgentError::Quota { limit: 0 })));
    let none =
        TenantContext::scope(A, || immediate(registry.list(&Query::first(Filter::default(), 9), |_| ())));
    assert_eq!(none.expect("a page"), None);
}

#[test]
fn nothing_of_the_agents_is_shown() {
    let registry = registry::<2>(1);
    register(&registry, A, "secret-plan").expect("room");
    let shown = format!("{registry:?}");
    assert!(shown.contains("capacity: 2") && !shown.contains("secret") && !shown.contains("550e"), "{shown}");
}

/// What a device gives for one: 64 of them take 108 KiB.
#[test]
fn an_agent_takes_less_than_two_kibibytes() {
    assert!(size_of::<Option<Agent>>() <= 2048, "{}", size_of::<Option<Agent>>());
}

/// On a device a future lies on the stack, which is small.
#[test]
fn a_future_holds_what_it_was_given_and_one_agent_at_most() {
    const AGENT: usize = size_of::<Agent>();
    const CONTENT: usize = size_of::<AgentContent>();
    // Ids, a query, references, and how far it has come.
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
