//! The store in Postgres. The suite in `stores` tests what all stores have in common.

use std::time::Duration;

use tenancy::{TenantFutureExt, TenantId};
use tenancy_agents::store::postgres::migrate;
use tenancy_agents::{
    Agent, AgentContent, AgentError, AgentId, AgentName, AgentRegistry, AgentStatus, Capabilities,
    Capability, Card, Endpoint, Filter, NameConflict, PgStore, Query, RandomIds, Store, SystemClock, Text,
    Tier, UnixMillis, Visibility,
};
use tenancy_postgres::{Error, FindingKind, Severity};
use tokio::time::timeout;
use tokio_postgres::Client;

use crate::support::database::{Database, LIMIT, eventually};
use crate::support::{A, B, C, P};

/// Returns a draft whose id is made of the number.
fn draft(tenant: TenantId, number: u64, name: &str) -> Agent {
    let at = UnixMillis(1_767_225_600_000 + number);
    Agent {
        id: id(number),
        tenant,
        name: AgentName::parse(name).expect("a name"),
        content: AgentContent {
            display_name: Text::parse(name).expect("a text"),
            capabilities: Capabilities::parse(["chat"]).expect("a tag"),
            ..AgentContent::default()
        },
        status: AgentStatus::Draft,
        revision: 1,
        created_at: at,
        updated_at: at,
        last_seen_at: None,
    }
}

fn id(number: u64) -> AgentId {
    AgentId::v7(UnixMillis(number), [7; 10])
}

/// Returns an agent that the platform shares with all tenants.
fn shared(number: u64, name: &str) -> Agent {
    let mut agent = draft(P, number, name);
    agent.status = AgentStatus::Active;
    agent.content.visibility = Visibility::Shared;
    agent
}

async fn page(store: &PgStore, tenant: TenantId, query: Query) -> Result<Vec<Agent>, AgentError> {
    let mut agents = Vec::new();
    store.list(&query, |agent| agents.push(agent)).in_tenant(tenant).await?;
    Ok(agents)
}

async fn all(store: &PgStore, tenant: TenantId) -> Vec<Agent> {
    page(store, tenant, Query::first(Filter::default(), 100)).await.expect("a page")
}

async fn add(store: &PgStore, agent: &Agent) {
    store.insert(agent).in_tenant(agent.tenant).await.expect("an agent");
}

/// Turns an existing draft into a tombstone.
async fn bury(store: &PgStore, draft: Agent) {
    let deleted = Agent { status: AgentStatus::Deleted, revision: 2, ..draft };
    assert!(store.replace(&deleted, 1).in_tenant(deleted.tenant).await.expect("an answer"));
}

async fn get(store: &PgStore, tenant: TenantId, number: u64) -> Option<Agent> {
    store.get(id(number)).in_tenant(tenant).await.expect("an answer")
}

async fn named(store: &PgStore, tenant: TenantId, name: &str) -> Option<Agent> {
    let name = AgentName::parse(name).expect("a name");
    store.get_by_name(&name).in_tenant(tenant).await.expect("an answer")
}

async fn operate(operator: &Client, sql: &str) {
    if let Err(error) = operator.batch_execute(sql).await {
        panic!("{sql}: {error:?}");
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn only_the_oldest_tombstone_of_the_tenant_makes_room() {
    let database = Database::shared();
    let store = database.store().await.quota(2);
    add(&store, &draft(A, 1, "one")).await;
    add(&store, &draft(A, 2, "two")).await;
    let full = store.insert(&draft(A, 3, "three")).in_tenant(A).await;
    assert!(matches!(full, Err(AgentError::Quota { limit: 2 })), "{full:?}");
    add(&store, &draft(B, 1, "one")).await;
    bury(&store, draft(A, 1, "one")).await;
    add(&store, &draft(A, 3, "three")).await;
    assert_eq!(get(&store, A, 1).await, None);
    let names: Vec<_> = all(&store, A).await.into_iter().map(|agent| agent.name.to_string()).collect();
    assert_eq!(names, ["two", "three"]);
    assert!(get(&store, B, 1).await.is_some());
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn tombstones_make_no_room_above_a_lowered_quota() {
    let database = Database::shared();
    let store = database.store().await;
    for (number, name) in (1..).zip(["one", "two", "three", "four", "five"]) {
        add(&store, &draft(A, number, name)).await;
        if number < 3 {
            bury(&store, draft(A, number, name)).await;
        }
    }
    let refused = store.clone().quota(3).insert(&draft(A, 6, "six")).in_tenant(A).await;
    assert!(matches!(refused, Err(AgentError::Quota { limit: 3 })), "{refused:?}");
    assert!(
        get(&store, A, 1).await.is_some() && get(&store, A, 2).await.is_some(),
        "none is forgotten in vain"
    );
    add(&store.clone().quota(4), &draft(A, 6, "six")).await;
    assert_eq!((get(&store, A, 1).await, get(&store, A, 2).await), (None, None));
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn truncated_agents_leave_no_name_and_no_tag() {
    let database = Database::shared();
    let store = database.store().await;
    add(&store, &draft(A, 1, "one")).await;
    add(&store, &shared(2, "all")).await;
    let operator = database.superuser().await;
    operate(&operator, "TRUNCATE tenancy_agents.agents").await;
    for (number, name) in [(3, "one"), (4, "all")] {
        add(&store, &draft(A, number, name)).await;
    }
    let tags = "SELECT count(*) FROM tenancy_agents.agent_capabilities";
    assert_eq!(operator.query_one(tags, &[]).await.expect("a row").get::<_, i64>(0), 2);
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn the_migration_is_idempotent_and_passes_the_audit() {
    let database = Database::shared();
    let store = database.store().await;
    add(&store, &draft(A, 1, "a")).await;
    let mut operator = database.superuser().await;
    migrate(&mut operator).await.expect("the same again");
    assert!(get(&store, A, 1).await.is_some());

    let findings = database.connect().await.audit().await.expect("an audit");
    assert!(findings.iter().all(|finding| finding.severity != Severity::Critical), "{findings:?}");
    let ours: Vec<_> = findings.iter().filter(|finding| finding.object.contains("tenancy_agents")).collect();
    assert!(ours.iter().all(|finding| finding.kind == FindingKind::SecurityDefiner), "{ours:?}");
    assert_eq!(ours.len(), 1, "the trigger that sees all names: {ours:?}");
}

/// On Supabase and other hosts nobody is a superuser.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn an_operator_without_superuser_can_migrate() {
    let database = Database::empty();
    let superuser = database.superuser().await;
    let sql = "CREATE ROLE operator LOGIN CREATEROLE; GRANT CREATE ON DATABASE postgres TO operator";
    operate(&superuser, sql).await;
    let mut operator = database.client("operator").await;
    tenancy_postgres::migrate(&mut operator).await.expect("tenancy's schema");
    for _ in 0..2 {
        migrate(&mut operator).await.expect("the agents' schema");
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn rejects_a_schema_of_another_owner() {
    let database = Database::empty();
    let mut operator = database.superuser().await;
    tenancy_postgres::migrate(&mut operator).await.expect("tenancy's schema");
    operate(&operator, "CREATE ROLE service LOGIN; CREATE SCHEMA tenancy_agents AUTHORIZATION service").await;
    let error = migrate(&mut operator).await.expect_err("a schema of who may alter it");
    assert_eq!(error.code(), Some(&tokio_postgres::error::SqlState::DUPLICATE_SCHEMA));
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn an_agent_round_trips() {
    let database = Database::shared();
    let store = database.store().await;
    let mut full = draft(A, 1, "full");
    full.content.display_name = Text::parse("Ünï 'quoted'\n\t\\").expect("a text");
    full.content.description = Text::parse(&"d".repeat(512)).expect("a text");
    full.content.version = Text::parse("1.2.3").expect("a text");
    full.content.tier = Tier::Premium;
    full.content.visibility = Visibility::Shared;
    full.content.capabilities = Capabilities::parse(["a", "b:1", "c-d", "9._"]).expect("tags");
    full.content.endpoint = Endpoint::parse("https://agents.example/full").expect("a url");
    full.content.owner = Text::parse("ops").expect("a text");
    // The last digit of a float counts when two cards are compared.
    let card = format!(r#"{{"a":"{}","b":6.934698245112693e+276}}"#, "x".repeat(65_000));
    full.content.card = Some(Card::parse(&card).expect("a card"));
    full.status = AgentStatus::Suspended;
    full.revision = 7;
    full.last_seen_at = Some(UnixMillis(1_767_225_600_123));
    let mut bare = draft(A, 2, "bare");
    bare.content = AgentContent::default();
    (bare.created_at, bare.updated_at) = (UnixMillis(0), UnixMillis(0));

    for agent in [&full, &bare] {
        add(&store, agent).await;
    }
    assert_eq!(get(&store, A, 1).await.as_ref(), Some(&full));
    assert_eq!(named(&store, A, "bare").await.as_ref(), Some(&bare));
    assert_eq!(all(&store, A).await, [full.clone(), bare]);

    let mut next = full.clone();
    next.content.capabilities = Capabilities::parse(["z"]).expect("a tag");
    next.content.card = None;
    next.last_seen_at = None;
    next.revision = 8;
    assert!(store.replace(&next, 7).in_tenant(A).await.expect("an answer"));
    assert_eq!(get(&store, A, 1).await, Some(Agent { last_seen_at: full.last_seen_at, ..next }));
    for (tag, found) in [("a", 0), ("b:1", 0), ("z", 1)] {
        let filter = Filter { capability: Some(Capability::parse(tag).expect("a tag")), ..Filter::default() };
        assert_eq!(store.count(&filter).in_tenant(A).await.expect("a count"), found, "{tag}");
        let found = usize::try_from(found).expect("a small number");
        assert_eq!(page(&store, A, Query::first(filter, 9)).await.expect("a page").len(), found, "{tag}");
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn sql_and_rust_agree_on_what_is_shared() {
    let database = Database::shared();
    let store = database.store().await;
    let mut agents = Vec::new();
    for tenant in [A, P] {
        for status in AgentStatus::ALL {
            for visibility in Visibility::ALL {
                let number = agents.len() as u64;
                let mut agent = draft(tenant, number, &format!("n{number}"));
                (agent.status, agent.content.visibility) = (status, visibility);
                add(&store, &agent).await;
                agents.push(agent);
            }
        }
    }
    let operator = database.superuser().await;
    for agent in &agents {
        let sql = "SELECT is_shared FROM tenancy_agents.agents WHERE id = $1";
        let is_shared: bool = operator.query_one(sql, &[&agent.id.as_uuid()]).await.expect("a row").get(0);
        assert_eq!(is_shared, agent.is_shared(), "{agent:?}");
        // Each tenant can read exactly the agents that are visible to it.
        for tenant in [A, B, P] {
            let found = store.get(agent.id).in_tenant(tenant).await.expect("an answer");
            assert_eq!(found.is_some(), agent.is_visible_to(tenant), "{tenant}: {agent:?}");
        }
    }
    for tenant in [A, B, P] {
        for status in [None, Some(AgentStatus::Active), Some(AgentStatus::Deleted)] {
            let filter = Filter {
                status,
                capability: Some(Capability::parse("chat").expect("a tag")),
                ..Filter::default()
            };
            let wanted: Vec<_> =
                agents.iter().filter(|a| a.is_visible_to(tenant) && filter.matches(a)).cloned().collect();
            assert_eq!(store.count(&filter).in_tenant(tenant).await.expect("a count"), wanted.len() as u64);
            assert_eq!(page(&store, tenant, Query::first(filter, 100)).await.expect("a page"), wanted);
        }
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn pages_of_own_and_shared_agents_are_sorted_by_id() {
    let database = Database::shared();
    let store = database.store().await;
    for number in [2, 5, 6] {
        add(&store, &shared(number, &format!("p{number}"))).await;
    }
    for number in [1, 3, 4, 7] {
        add(&store, &draft(A, number, &format!("a{number}"))).await;
    }
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let query = Query { filter: Filter::default(), after, limit: 2 };
        let agents = page(&store, A, query).await.expect("a page");
        let Some(last) = agents.last() else { break };
        assert!(agents.len() <= 2);
        after = Some(last.id);
        seen.extend(agents.into_iter().map(|agent| agent.id));
    }
    assert_eq!(seen, (1..=7).map(id).collect::<Vec<_>>());
    assert!(page(&store, A, Query::first(Filter::default(), 0)).await.expect("a page").is_empty());
    let most = Query::first(Filter::default(), usize::MAX);
    assert_eq!(page(&store, B, most).await.expect("a page").len(), 3);
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn two_tenants_can_use_the_same_id() {
    let database = Database::shared();
    let store = database.store().await;
    let (of_a, of_b) = (draft(A, 1, "a"), draft(B, 1, "b"));
    add(&store, &of_a).await;
    assert!(get(&store, B, 1).await.is_none());
    assert!(!store.replace(&of_b, 1).in_tenant(B).await.expect("an answer"));
    assert!(!store.touch(id(1), UnixMillis(9)).in_tenant(B).await.expect("an answer"));
    assert!(matches!(store.insert(&of_a).in_tenant(B).await, Err(AgentError::NotFound)));
    // Not even this reveals that A uses the id.
    add(&store, &of_b).await;
    assert!(store.touch(id(1), UnixMillis(9)).in_tenant(B).await.expect("an answer"));
    assert_eq!(get(&store, A, 1).await, Some(of_a.clone()));
    assert_eq!(get(&store, B, 1).await, Some(Agent { last_seen_at: Some(UnixMillis(9)), ..of_b }));
    let taken = store.insert(&draft(A, 1, "other")).in_tenant(A).await;
    assert!(matches!(taken, Err(AgentError::NameTaken)), "{taken:?}");
    let taken = store.insert(&draft(A, 2, "a")).in_tenant(A).await;
    assert!(matches!(taken, Err(AgentError::NameTaken)), "{taken:?}");
    assert!(matches!(store.get(id(1)).await, Err(AgentError::NoTenant(_))));
    assert!(matches!(store.insert(&of_a).await, Err(AgentError::NoTenant(_))));
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn raw_sql_sees_nothing_of_another_tenant() {
    let database = Database::shared();
    let store = database.store().await;
    add(&store, &draft(A, 1, "a")).await;
    add(&store, &draft(P, 2, "p")).await;
    let db = database.connect().await;
    for table in ["agents", "agent_capabilities"] {
        let sql = format!("SELECT tenant_id FROM tenancy_agents.{table}");
        assert_eq!(db.query(&sql, &[]).in_tenant(B).await.expect("rows").len(), 0, "{table}");
        assert_eq!(db.query(&sql, &[]).in_tenant(A).await.expect("rows").len(), 1, "{table}");
        let sql = format!("DELETE FROM tenancy_agents.{table}");
        assert_eq!(db.execute(&sql, &[]).in_tenant(B).await.expect("a number"), 0, "{table}");
        let sql = format!("UPDATE tenancy_agents.{table} SET tenant_id = '{A}'");
        assert_eq!(db.execute(&sql, &[]).in_tenant(B).await.expect("a number"), 0, "{table}");
        assert!(db.execute(&sql, &[]).in_tenant(P).await.is_err(), "{table}");
    }
    let refused = [
        "SELECT holder FROM tenancy_agents.names",
        "INSERT INTO tenancy_agents.names VALUES ('x', gen_random_uuid(), false)",
        "SELECT tenancy_agents.keep_name()",
        "UPDATE tenancy_agents.agents SET is_shared = true",
    ];
    for sql in refused {
        assert!(db.execute(sql, &[]).in_tenant(A).await.is_err(), "{sql}");
    }
    assert!(get(&store, A, 1).await.is_some());
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn statements_keep_tenants_apart_without_row_level_security() {
    let database = Database::shared();
    let store = database.store().await;
    let operator = database.superuser().await;
    for table in ["agents", "agent_capabilities"] {
        operate(&operator, &format!("ALTER TABLE tenancy_agents.{table} DISABLE ROW LEVEL SECURITY")).await;
    }
    add(&store, &draft(A, 1, "a")).await;
    add(&store, &draft(P, 2, "p")).await;
    assert!(get(&store, B, 1).await.is_none() && get(&store, B, 2).await.is_none());
    assert!(named(&store, B, "a").await.is_none() && named(&store, B, "p").await.is_none());
    let chat = Filter { capability: Some(Capability::parse("chat").expect("a tag")), ..Filter::default() };
    for filter in [Filter::default(), chat] {
        assert_eq!(store.count(&filter).in_tenant(B).await.expect("a count"), 0);
        assert_eq!(page(&store, B, Query::first(filter, 9)).await.expect("a page"), []);
    }
    assert!(!store.replace(&draft(B, 1, "b"), 1).in_tenant(B).await.expect("an answer"));
    assert!(!store.touch(id(1), UnixMillis(9)).in_tenant(B).await.expect("an answer"));
    assert_eq!(get(&store, A, 1).await, Some(draft(A, 1, "a")));
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn the_registry_hides_agents_that_postgres_leaks() {
    let database = Database::shared();
    let store = database.store().await;
    add(&store, &draft(P, 2, "p")).await;
    let operator = database.superuser().await;
    operate(
        &operator,
        "ALTER TABLE tenancy_agents.agents DROP COLUMN is_shared, ADD COLUMN is_shared boolean DEFAULT true",
    )
    .await;
    // The store leaks an agent that the platform does not share, but the registry does not.
    assert!(get(&store, B, 2).await.is_some() && named(&store, B, "p").await.is_some());
    assert_eq!(all(&store, B).await.len(), 1);
    let registry = AgentRegistry::new(store, SystemClock, RandomIds);
    assert!(matches!(registry.get(id(2)).in_tenant(B).await, Err(AgentError::NotFound)));
    let name = AgentName::parse("p").expect("a name");
    assert!(matches!(registry.get_by_name(&name).in_tenant(B).await, Err(AgentError::NotFound)));
    let mut given = 0;
    let query = Query::first(Filter::default(), 9);
    registry.list(&query, |_| given += 1).in_tenant(B).await.expect("a page");
    assert_eq!(given, 0);
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn shared_names_are_reserved_across_tenants() {
    let database = Database::shared();
    let store = database.store().await;
    for (tenant, number) in [(C, 1), (A, 2), (B, 3)] {
        add(&store, &draft(tenant, number, "x")).await;
    }
    // The platform has an agent of this name that is not shared.
    let own = draft(P, 4, "x");
    add(&store, &own).await;
    let mut sharing = shared(4, "x");
    sharing.revision = 2;
    let held = store.replace(&sharing, 1).in_tenant(P).await;
    let holders = NameConflict { first: A, others: 2 };
    assert!(matches!(held, Err(AgentError::NameHeld(found)) if found == holders), "{held:?}");
    assert_eq!(get(&store, P, 4).await, Some(own));
    assert!(matches!(store.insert(&shared(5, "x")).in_tenant(P).await, Err(AgentError::NameTaken)));

    add(&store, &draft(B, 8, "y")).await;
    let held = store.insert(&shared(8, "y")).in_tenant(P).await;
    let of_b = NameConflict { first: B, others: 0 };
    assert!(matches!(held, Err(AgentError::NameHeld(found)) if found == of_b), "{held:?}");

    // A tombstone does not reserve its name.
    for (tenant, number) in [(A, 2), (B, 3)] {
        bury(&store, draft(tenant, number, "x")).await;
    }
    let held = store.replace(&sharing, 1).in_tenant(P).await;
    let holders = NameConflict { first: C, others: 0 };
    assert!(matches!(held, Err(AgentError::NameHeld(found)) if found == holders), "{held:?}");
    let delete = format!("DELETE FROM tenancy_agents.agents WHERE tenant_id = '{C}'");
    operate(&database.superuser().await, &delete).await;
    assert!(store.replace(&sharing, 1).in_tenant(P).await.expect("an answer"));

    let refused = store.insert(&draft(B, 6, "x")).in_tenant(B).await;
    assert!(matches!(refused, Err(AgentError::NameShared)), "{refused:?}");
    let back = Agent { revision: 3, ..draft(A, 2, "x") };
    let refused = store.replace(&back, 2).in_tenant(A).await;
    assert!(matches!(refused, Err(AgentError::NameShared)), "a tombstone does not rise: {refused:?}");
    add(&store, &Agent { status: AgentStatus::Deleted, ..draft(B, 6, "x") }).await;

    // A suspended agent is not shared, so that its name can be taken before it is resumed.
    let suspended = Agent { status: AgentStatus::Suspended, revision: 3, ..sharing.clone() };
    assert!(store.replace(&suspended, 2).in_tenant(P).await.expect("an answer"));
    add(&store, &draft(B, 7, "x")).await;
    sharing.revision = 4;
    let held = store.replace(&sharing, 3).in_tenant(P).await;
    let holders = NameConflict { first: B, others: 0 };
    assert!(matches!(held, Err(AgentError::NameHeld(found)) if found == holders), "{held:?}");
}

/// In each round the tenant and the platform try at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn concurrent_sharing_and_insertion_never_both_get_a_name() {
    let database = Database::shared();
    let store = database.store().await;
    let (mut tenants, mut platforms) = (0, 0);
    for number in 0..200 {
        let name = format!("n{number}");
        let (of_a, mut sharing) = (draft(A, number, &name), shared(number, &name));
        add(&store, &draft(P, number, &name)).await;
        sharing.revision = 2;
        let inserted = async { store.insert(&of_a).in_tenant(A).await.map(|()| true) };
        let replaced = store.replace(&sharing, 1).in_tenant(P);
        match tokio::join!(inserted, replaced) {
            (Ok(true), Err(AgentError::NameHeld(_))) => tenants += 1,
            (Err(AgentError::NameShared), Ok(true)) => platforms += 1,
            other => panic!("{number}: {other:?}"),
        }
    }
    assert_eq!(tenants + platforms, 200);
}

/// The first transaction has run its statement and is not committed when the second one begins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn sharing_a_name_waits_for_a_transaction_that_takes_it() {
    let database = Database::shared();
    let store = database.store().await;
    let db = database.connect().await;
    add(&store, &draft(P, 1, "x")).await;
    let takes = db.begin_in(A).await.expect("a transaction");
    let sql = format!(
        "INSERT INTO tenancy_agents.agents SELECT '{A}', gen_random_uuid(), 'x', '', '', '', 'basic', 'private', \
         'draft', '{{}}', '', '', NULL, 1, 0, 0"
    );
    takes.execute(&sql, &[]).await.expect("a name");
    // Another tenant does not wait for the transaction.
    add(&store, &draft(B, 2, "x")).await;
    let sharing = Agent { revision: 2, ..shared(1, "x") };
    let shares = tokio::spawn({
        let store = store.clone();
        async move { store.replace(&sharing, 1).await }.in_tenant(P)
    });
    let operator = database.superuser().await;
    let waits = "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database
        WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()";
    eventually("it waits", async || {
        assert!(!shares.is_finished(), "it does not wait");
        operator.query_one(waits, &[]).await.expect("a row").get::<_, i64>(0) > 0
    })
    .await;
    takes.commit().await.expect("a commit");
    let held = shares.await.expect("no panic");
    let holders = NameConflict { first: A, others: 1 };
    assert!(matches!(held, Err(AgentError::NameHeld(found)) if found == holders), "{held:?}");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn rejects_insertion_at_an_isolation_level_that_sees_old_names() {
    let database = Database::shared();
    let operator = database.superuser().await;
    let name = database.name();
    operate(
        &operator,
        &format!("ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'"),
    )
    .await;
    let store = database.store().await;
    let refused = store.insert(&draft(A, 1, "a")).in_tenant(A).await;
    assert!(matches!(refused, Err(AgentError::Store(_))), "{refused:?}");
    assert!(get(&store, A, 1).await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn one_of_two_concurrent_replacements_succeeds() {
    let database = Database::shared();
    let store = database.store().await;
    let agent = draft(A, 1, "a");
    add(&store, &agent).await;
    assert!(!store.replace(&agent, 2).in_tenant(A).await.expect("an answer"));
    for revision in 1..20 {
        let next = |owner| {
            let mut next = Agent { revision: revision + 1, ..agent.clone() };
            next.content.owner = Text::parse(owner).expect("a text");
            next
        };
        let (first, second) = (next("first"), next("second"));
        let (is_first, is_second) = tokio::join!(
            store.replace(&first, revision).in_tenant(A),
            store.replace(&second, revision).in_tenant(A)
        );
        let (is_first, is_second) = (is_first.expect("an answer"), is_second.expect("an answer"));
        assert!(is_first != is_second, "{revision}: {is_first} {is_second}");
        assert_eq!(get(&store, A, 1).await, Some(if is_first { first } else { second }));
    }
}

/// Returns how many sequential scans a call made, how many index entries it read, and its result.
async fn work<T>(
    database: &Database,
    operator: &Client,
    call: impl AsyncFnOnce(&PgStore) -> T,
) -> (i64, i64, T) {
    let before = counters(operator).await;
    let store = database.store().await;
    let value = call(&store).await;
    drop(store);
    no_other_session(operator).await;
    let after = counters(operator).await;
    (after.0 - before.0, after.1 - before.1, value)
}

/// Waits until other sessions have ended, since a session publishes its counters at its end.
async fn no_other_session(operator: &Client) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'
        AND pid <> pg_backend_pid() AND datname = current_database()";
    eventually("no other session", async || {
        operator.query_one(sql, &[]).await.expect("a row").get::<_, i64>(0) == 0
    })
    .await;
}

async fn counters(operator: &Client) -> (i64, i64) {
    let sql =
        "SELECT (SELECT sum(seq_scan)::bigint FROM pg_stat_user_tables WHERE schemaname = 'tenancy_agents'),
        (SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE schemaname = 'tenancy_agents')";
    let row = operator.query_one(sql, &[]).await.expect("a row");
    (row.get(0), row.get(1))
}

/// Three tenants and the platform have 20,000 agents each. Most of a tenant's older agents are tombstones, 40 wait for
/// approval, and a tenth has the capability. The platform shares 40.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_page_reads_few_rows_besides_its_own() {
    let database = Database::shared();
    let operator = database.superuser().await;
    let fill = format!(
        "INSERT INTO tenancy_agents.agents
        SELECT t::uuid, ('00000000-0000-7000-8000-' || lpad(to_hex(n * 2 + 1), 12, '0'))::uuid,
            left(t, 2) || '-' || n, '', '', '', 'basic',
            CASE WHEN t = '{P}' AND n % 500 = 0 THEN 'shared' ELSE 'private' END,
            CASE WHEN t = '{P}' THEN 'active' WHEN n % 500 = 2 THEN 'pending_approval'
                WHEN n < 9000 AND n % 10 > 0 THEN 'deleted' ELSE 'active' END,
            CASE WHEN n % 10 = 0 THEN '{{chat,common}}' ELSE '{{common}}' END::text[],
            '', '', NULL, 1, 0, 0
        FROM unnest(ARRAY['{A}', '{B}', '{C}', '{P}']) t, generate_series(0, 19999) n;
        ANALYZE tenancy_agents.agents, tenancy_agents.agent_capabilities"
    );
    operate(&database.superuser().await, &fill).await;
    no_other_session(&operator).await;
    let middle: AgentId = "00000000-0000-7000-8000-000000004e20".parse().expect("an id");
    let active = Filter { status: Some(AgentStatus::Active), ..Filter::default() };
    let pending = Filter { status: Some(AgentStatus::PendingApproval), ..Filter::default() };
    let chat = Filter::active_with(Capability::parse("chat").expect("a tag"));
    let limit = 20;
    for (name, filter) in
        [("all", Filter::default()), ("active", active), ("pending", pending), ("chat", chat)]
    {
        for after in [None, Some(middle)] {
            let query = Query { filter: filter.clone(), after, limit };
            let (scans, read, agents) =
                work(&database, &operator, async |store| page(store, A, query).await.expect("a page")).await;
            assert_eq!(agents.len(), limit, "{name}");
            assert_eq!(scans, 0, "{name} after {after:?}: {read}");
            // The entries of the tenant and of the platform; with a capability the planner also reads joined rows.
            let most = if name == "chat" { 500 } else { 150 };
            assert!((20..=most).contains(&read), "{name} after {after:?}: {read}");
        }
    }
    let (scans, read, _) = work(&database, &operator, async |store| {
        let found = store.get(middle_agent()).in_tenant(A).await.expect("an answer");
        assert!(found.is_some());
        named(store, A, &format!("{}-10000", &A.to_string()[..2])).await.expect("an agent")
    })
    .await;
    assert!(scans == 0 && (2..=8).contains(&read), "{scans} {read}");
}

fn middle_agent() -> AgentId {
    "00000000-0000-7000-8000-000000004e21".parse().expect("an id")
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn an_invalid_row_is_an_error_that_shows_no_value() {
    let database = Database::shared();
    let store = database.store().await;
    let operator = database.superuser().await;
    let no_checks = "ALTER TABLE tenancy_agents.agents DROP CONSTRAINT agents_tier_check,
        DROP CONSTRAINT agents_status_check, DROP CONSTRAINT agents_visibility_check";
    operate(&operator, no_checks).await;
    add(&store, &draft(B, 1, "b")).await;
    let broken = [
        "name = 'Secret Name'",
        "display_name = repeat('secret', 99)",
        "description = E'secret\\u0007'",
        "version = repeat('secret', 9)",
        "tier = 'secret'",
        "visibility = 'secret'",
        "status = 'secret'",
        "capabilities = '{Secret Tag}'",
        "endpoint = 'javascript:secret'",
        "owner = repeat('secret', 20)",
        "card = '[\"secret\"]'",
        "revision = -1",
        "created_at = -1",
        "updated_at = -1",
        "last_seen_at = -1",
    ];
    for (number, set) in broken.iter().enumerate() {
        let agent = draft(A, number as u64, "a");
        add(&store, &agent).await;
        let id = agent.id.as_uuid();
        let sql = format!("UPDATE tenancy_agents.agents SET {set} WHERE tenant_id = '{A}' AND id = '{id}'");
        operate(&operator, &sql).await;
        let read = store.get(agent.id).in_tenant(A).await;
        let Err(AgentError::Store(error)) = &read else { panic!("{set}: {read:?}") };
        let column = set.split(' ').next().expect("a column");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(column) && !shown.to_lowercase().contains("secret"), "{set}: {shown}");
        let listed = page(&store, A, Query::first(Filter::default(), 9)).await;
        assert!(matches!(listed, Err(AgentError::Store(_))), "{set}: {listed:?}");
        assert_eq!(all(&store, B).await, [draft(B, 1, "b")], "{set}");
        operate(&operator, &format!("DELETE FROM tenancy_agents.agents WHERE tenant_id = '{A}'")).await;
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn rejects_numbers_that_postgres_cannot_store() {
    let database = Database::shared();
    let store = database.store().await;
    let agent = Agent { revision: u64::MAX, ..draft(A, 1, "a") };
    assert!(matches!(store.insert(&agent).in_tenant(A).await, Err(AgentError::Store(_))));
    assert!(all(&store, A).await.is_empty());
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn reconnects_after_the_server_restarts() {
    let mut database = Database::alone();
    let store = database.store().await;
    let agent = draft(A, 1, "a");
    add(&store, &agent).await;
    database.server.crash_and_restart().expect("it starts again");
    eventually("the server is used again", async || match store.get(id(1)).in_tenant(A).await {
        Ok(_) => true,
        Err(error) => {
            assert!(matches!(error, AgentError::Unavailable(Some(_))), "{error:?}");
            false
        }
    })
    .await;
    assert_eq!(get(&store, A, 1).await, Some(agent));
    add(&store, &draft(A, 2, "b")).await;
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_stopped_server_is_reported_as_unavailable() {
    let database = Database::alone();
    let store = database.store().await;
    let agent = draft(A, 1, "a");
    add(&store, &agent).await;
    drop(database);
    for _ in 0..3 {
        let read = store.get(id(1)).in_tenant(A).await;
        assert!(matches!(read, Err(AgentError::Unavailable(Some(_)))), "{read:?}");
        let written = store.touch(id(1), UnixMillis(1)).in_tenant(A).await;
        assert!(matches!(written, Err(AgentError::Unavailable(Some(_)))), "{written:?}");
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn cancels_statements_that_exceed_the_timeout() {
    let database = Database::shared();
    let store = database.store().await;
    add(&store, &draft(A, 1, "a")).await;
    let store = store.timeout(Duration::from_millis(300));
    let mut operator = database.superuser().await;
    let transaction = operator.transaction().await.expect("a transaction");
    transaction.batch_execute("LOCK TABLE tenancy_agents.agents").await.expect("a lock");
    let calls =
        async { (store.get(id(1)).in_tenant(A).await, store.touch(id(1), UnixMillis(1)).in_tenant(A).await) };
    let (read, touched) = timeout(LIMIT, calls).await.expect("they do not wait for the lock");
    assert!(matches!(read, Err(AgentError::Unavailable(Some(_)))), "{read:?}");
    assert!(matches!(touched, Err(AgentError::Unavailable(Some(_)))), "{touched:?}");
    transaction.rollback().await.expect("a rollback");
    let open = "SELECT count(*) FROM pg_stat_activity
        WHERE usename = 'service' AND datname = current_database() AND xact_start IS NOT NULL";
    eventually("no open transaction", async || {
        operator.query_one(open, &[]).await.expect("a row").get::<_, i64>(0) == 0
    })
    .await;
    let store = store.timeout(Duration::from_secs(30));
    assert_eq!(get(&store, A, 1).await, Some(draft(A, 1, "a")));
}

/// The detail of a constraint violation contains the row, which an error must not show.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn an_error_shows_no_row() {
    let database = Database::shared();
    let store = database.store().await;
    let operator = database.superuser().await;
    operate(&operator, "ALTER TABLE tenancy_agents.agents ADD CHECK (owner <> 'hidden')").await;
    let mut agent = draft(A, 1, "a");
    agent.content.owner = Text::parse("hidden").expect("a text");
    let refused = store.insert(&agent).in_tenant(A).await;
    let Err(AgentError::Store(error)) = refused else { panic!("{refused:?}") };
    assert!(!format!("{error} {error:?}").contains("hidden"), "{error:?}");
    let cause: Option<&Error> = error.get_ref().downcast_ref();
    assert!(matches!(cause, Some(Error::Postgres(_))), "{cause:?}");
}
