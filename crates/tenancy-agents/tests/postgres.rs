//! What is particular to agents in Postgres. What each store does the same is the suite's.

mod common;

use std::time::Duration;

use common::{A, B, C, PLATFORM, Server, connect, draft, id, pg_store, set_up, shared};
use tenancy::{TenantFutureExt, TenantId};
use tenancy_agents::store::postgres::migrate;
use tenancy_agents::{
    Agent, AgentError, AgentName, AgentRegistry, AgentStatus, Capabilities, Capability, Card, Endpoint,
    Filter, NameHolders, PgStore, Query, Store, SystemSource, Text, Tier, UnixMillis, Visibility,
};
use tenancy_postgres::{Error, FindingKind, Severity};
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

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

/// Makes a tombstone of a draft that is there.
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

/// In Postgres as in fixed memory.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_tenants_oldest_tombstone_makes_room_and_no_other_does() {
    let server = Server::start();
    let store = pg_store(&server).await.quota(2);
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

/// One that is lowered is one from then on.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_quota_is_not_passed_by_a_tombstone_for_each() {
    let server = Server::start();
    let store = pg_store(&server).await;
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
async fn of_agents_that_an_operator_threw_away_no_name_and_no_tag_is_left() {
    let server = Server::start();
    let store = pg_store(&server).await;
    add(&store, &draft(A, 1, "one")).await;
    add(&store, &shared(2, "all")).await;
    let operator = server.superuser().await;
    operate(&operator, "TRUNCATE tenancy_agents.agents").await;
    for (number, name) in [(3, "one"), (4, "all")] {
        add(&store, &draft(A, number, name)).await;
    }
    let tags = "SELECT count(*) FROM tenancy_agents.agent_capabilities";
    assert_eq!(operator.query_one(tags, &[]).await.expect("a row").get::<_, i64>(0), 2);
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn the_migration_runs_again_and_the_audit_lets_it_be() {
    let server = Server::start();
    let store = pg_store(&server).await;
    add(&store, &draft(A, 1, "a")).await;
    let mut operator = server.superuser().await;
    migrate(&mut operator).await.expect("the same again");
    assert!(get(&store, A, 1).await.is_some());

    let findings = connect(&server).await.audit().await.expect("an audit");
    assert!(findings.iter().all(|finding| finding.severity != Severity::Critical), "{findings:?}");
    let ours: Vec<_> = findings.iter().filter(|finding| finding.object.contains("tenancy_agents")).collect();
    assert!(ours.iter().all(|finding| finding.kind == FindingKind::SecurityDefiner), "{ours:?}");
    assert_eq!(ours.len(), 1, "the trigger that sees all names: {ours:?}");
}

/// As on Supabase and other hosts, where nobody is a superuser.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn an_operator_is_no_superuser() {
    let server = Server::start();
    let superuser = server.superuser().await;
    let sql = "CREATE ROLE operator LOGIN CREATEROLE; GRANT CREATE ON DATABASE postgres TO operator";
    operate(&superuser, sql).await;
    let mut operator = server.client("operator", "postgres").await;
    tenancy_postgres::migrate(&mut operator).await.expect("tenancy's schema");
    for _ in 0..2 {
        migrate(&mut operator).await.expect("the agents' schema");
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn another_schema_of_the_name_is_refused() {
    let server = Server::start();
    let mut operator = server.superuser().await;
    tenancy_postgres::migrate(&mut operator).await.expect("tenancy's schema");
    operate(&operator, "CREATE ROLE service LOGIN; CREATE SCHEMA tenancy_agents AUTHORIZATION service").await;
    let error = migrate(&mut operator).await.expect_err("a schema of who may alter it");
    assert_eq!(error.code(), Some(&tokio_postgres::error::SqlState::DUPLICATE_SCHEMA));
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn an_agent_comes_back_as_it_was() {
    let server = Server::start();
    let store = pg_store(&server).await;
    let mut full = draft(A, 1, "full");
    full.content.display_name = Text::parse("Ünï 'quoted'\n\t\\").expect("a text");
    full.content.description = Text::parse(&"d".repeat(512)).expect("a text");
    full.content.version = Text::parse("1.2.3").expect("a text");
    full.content.tier = Tier::Premium;
    full.content.visibility = Visibility::Shared;
    full.content.capabilities = Capabilities::parse(["a", "b:1", "c-d", "9._"]).expect("tags");
    full.content.endpoint = Endpoint::parse("https://agents.example/full").expect("a url");
    full.content.owner = Text::parse("ops").expect("a text");
    // The last digit of a float counts: two cards are the same, or not.
    let card = format!(r#"{{"a":"{}","b":6.934698245112693e+276}}"#, "x".repeat(65_000));
    full.content.card = Some(Card::parse(&card).expect("a card"));
    full.status = AgentStatus::Suspended;
    full.revision = 7;
    full.last_seen_at = Some(UnixMillis(1_767_225_600_123));
    let mut bare = draft(A, 2, "bare");
    bare.content = tenancy_agents::AgentContent::default();
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
async fn what_is_shared_in_sql_is_what_is_shared() {
    let server = Server::start();
    let store = pg_store(&server).await;
    let mut agents = Vec::new();
    for tenant in [A, PLATFORM] {
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
    let operator = server.superuser().await;
    for agent in &agents {
        let sql = "SELECT is_shared FROM tenancy_agents.agents WHERE id = $1";
        let is_shared: bool = operator.query_one(sql, &[&agent.id.as_uuid()]).await.expect("a row").get(0);
        assert_eq!(is_shared, agent.is_shared(), "{agent:?}");
        // And what comes out, for each of those who ask.
        for tenant in [A, B, PLATFORM] {
            let found = store.get(agent.id).in_tenant(tenant).await.expect("an answer");
            assert_eq!(found.is_some(), agent.is_visible_to(tenant), "{tenant}: {agent:?}");
        }
    }
    for tenant in [A, B, PLATFORM] {
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
async fn pages_of_own_and_shared_ones_go_by_id() {
    let server = Server::start();
    let store = pg_store(&server).await;
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
async fn an_id_is_each_tenants_own() {
    let server = Server::start();
    let store = pg_store(&server).await;
    let (of_a, of_b) = (draft(A, 1, "a"), draft(B, 1, "b"));
    add(&store, &of_a).await;
    assert!(get(&store, B, 1).await.is_none());
    assert!(!store.replace(&of_b, 1).in_tenant(B).await.expect("an answer"));
    assert!(!store.touch(id(1), UnixMillis(9)).in_tenant(B).await.expect("an answer"));
    assert!(matches!(store.insert(&of_a).in_tenant(B).await, Err(AgentError::NotFound)));
    // That A has it is not told, not even so.
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
    let server = Server::start();
    let store = pg_store(&server).await;
    add(&store, &draft(A, 1, "a")).await;
    add(&store, &draft(PLATFORM, 2, "p")).await;
    let db = connect(&server).await;
    for table in ["agents", "agent_capabilities"] {
        let sql = format!("SELECT tenant_id FROM tenancy_agents.{table}");
        assert_eq!(db.query(&sql, &[]).in_tenant(B).await.expect("rows").len(), 0, "{table}");
        assert_eq!(db.query(&sql, &[]).in_tenant(A).await.expect("rows").len(), 1, "{table}");
        let sql = format!("DELETE FROM tenancy_agents.{table}");
        assert_eq!(db.execute(&sql, &[]).in_tenant(B).await.expect("a number"), 0, "{table}");
        let sql = format!("UPDATE tenancy_agents.{table} SET tenant_id = '{A}'");
        assert_eq!(db.execute(&sql, &[]).in_tenant(B).await.expect("a number"), 0, "{table}");
        assert!(db.execute(&sql, &[]).in_tenant(PLATFORM).await.is_err(), "{table}");
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
async fn without_row_level_security_the_statements_keep_tenants_apart() {
    let server = Server::start();
    let store = pg_store(&server).await;
    let operator = server.superuser().await;
    for table in ["agents", "agent_capabilities"] {
        operate(&operator, &format!("ALTER TABLE tenancy_agents.{table} DISABLE ROW LEVEL SECURITY")).await;
    }
    add(&store, &draft(A, 1, "a")).await;
    add(&store, &draft(PLATFORM, 2, "p")).await;
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
async fn the_registry_drops_what_a_store_gives_too_much() {
    let server = Server::start();
    let store = pg_store(&server).await;
    add(&store, &draft(PLATFORM, 2, "p")).await;
    let operator = server.superuser().await;
    operate(
        &operator,
        "ALTER TABLE tenancy_agents.agents DROP COLUMN is_shared, ADD COLUMN is_shared boolean DEFAULT true",
    )
    .await;
    // The store leaks what the platform keeps for itself,
    assert!(get(&store, B, 2).await.is_some() && named(&store, B, "p").await.is_some());
    assert_eq!(all(&store, B).await.len(), 1);
    // and the registry does not.
    let registry = AgentRegistry::new(store, SystemSource);
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
async fn names_are_kept_across_tenants() {
    let server = Server::start();
    let store = pg_store(&server).await;
    for (tenant, number) in [(C, 1), (A, 2), (B, 3)] {
        add(&store, &draft(tenant, number, "x")).await;
    }
    // The platform has it for itself: no more.
    let own = draft(PLATFORM, 4, "x");
    add(&store, &own).await;
    let mut sharing = shared(4, "x");
    sharing.revision = 2;
    let held = store.replace(&sharing, 1).in_tenant(PLATFORM).await;
    let holders = NameHolders { first: A, others: 2 };
    assert!(matches!(held, Err(AgentError::NameHeld(found)) if found == holders), "{held:?}");
    assert_eq!(get(&store, PLATFORM, 4).await, Some(own));
    assert!(matches!(store.insert(&shared(5, "x")).in_tenant(PLATFORM).await, Err(AgentError::NameTaken)));

    add(&store, &draft(B, 8, "y")).await;
    let held = store.insert(&shared(8, "y")).in_tenant(PLATFORM).await;
    let of_b = NameHolders { first: B, others: 0 };
    assert!(matches!(held, Err(AgentError::NameHeld(found)) if found == of_b), "{held:?}");

    // A tombstone holds no name.
    for (tenant, number) in [(A, 2), (B, 3)] {
        bury(&store, draft(tenant, number, "x")).await;
    }
    let held = store.replace(&sharing, 1).in_tenant(PLATFORM).await;
    let holders = NameHolders { first: C, others: 0 };
    assert!(matches!(held, Err(AgentError::NameHeld(found)) if found == holders), "{held:?}");
    let delete = format!("DELETE FROM tenancy_agents.agents WHERE tenant_id = '{C}'");
    operate(&server.superuser().await, &delete).await;
    assert!(store.replace(&sharing, 1).in_tenant(PLATFORM).await.expect("an answer"));

    let refused = store.insert(&draft(B, 6, "x")).in_tenant(B).await;
    assert!(matches!(refused, Err(AgentError::NameShared)), "{refused:?}");
    let back = Agent { revision: 3, ..draft(A, 2, "x") };
    let refused = store.replace(&back, 2).in_tenant(A).await;
    assert!(matches!(refused, Err(AgentError::NameShared)), "a tombstone does not rise: {refused:?}");
    add(&store, &Agent { status: AgentStatus::Deleted, ..draft(B, 6, "x") }).await;

    // It is not shared while it is suspended, and was not when it comes back.
    let suspended = Agent { status: AgentStatus::Suspended, revision: 3, ..sharing.clone() };
    assert!(store.replace(&suspended, 2).in_tenant(PLATFORM).await.expect("an answer"));
    add(&store, &draft(B, 7, "x")).await;
    sharing.revision = 4;
    let held = store.replace(&sharing, 3).in_tenant(PLATFORM).await;
    let holders = NameHolders { first: B, others: 0 };
    assert!(matches!(held, Err(AgentError::NameHeld(found)) if found == holders), "{held:?}");
}

/// Round after round each of them tries, at the same time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_name_is_never_shared_and_a_tenants() {
    let server = Server::start();
    let store = pg_store(&server).await;
    let (mut tenants, mut platforms) = (0, 0);
    for number in 0..200 {
        let name = format!("n{number}");
        let (of_a, mut sharing) = (draft(A, number, &name), shared(number, &name));
        add(&store, &draft(PLATFORM, number, &name)).await;
        sharing.revision = 2;
        let inserted = async { store.insert(&of_a).in_tenant(A).await.map(|()| true) };
        let replaced = store.replace(&sharing, 1).in_tenant(PLATFORM);
        match tokio::join!(inserted, replaced) {
            (Ok(true), Err(AgentError::NameHeld(_))) => tenants += 1,
            (Err(AgentError::NameShared), Ok(true)) => platforms += 1,
            other => panic!("{number}: {other:?}"),
        }
    }
    assert_eq!(tenants + platforms, 200);
}

/// Two that are in the middle of it, each behind its statement and before its commit.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn who_shares_a_name_waits_for_who_takes_it() {
    let server = Server::start();
    let store = pg_store(&server).await;
    let db = connect(&server).await;
    add(&store, &draft(PLATFORM, 1, "x")).await;
    let takes = db.begin_in(A).await.expect("a transaction");
    let sql = format!(
        "INSERT INTO tenancy_agents.agents SELECT '{A}', gen_random_uuid(), 'x', '', '', '', 'basic', 'private', \
         'draft', '{{}}', '', '', NULL, 1, 0, 0"
    );
    takes.execute(&sql, &[]).await.expect("a name");
    // Another tenant does not wait for it.
    add(&store, &draft(B, 2, "x")).await;
    let sharing = Agent { revision: 2, ..shared(1, "x") };
    let shares = tokio::spawn({
        let store = store.clone();
        async move { store.replace(&sharing, 1).await }.in_tenant(PLATFORM)
    });
    let operator = server.superuser().await;
    let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    while operator.query_one(waits, &[]).await.expect("a row").get::<_, i64>(0) == 0 {
        assert!(!shares.is_finished(), "it does not wait");
        sleep(Duration::from_millis(5)).await;
    }
    takes.commit().await.expect("a commit");
    let held = shares.await.expect("no panic");
    let holders = NameHolders { first: A, others: 1 };
    assert!(matches!(held, Err(AgentError::NameHeld(found)) if found == holders), "{held:?}");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_level_that_sees_old_names_takes_none() {
    let server = Server::start();
    set_up(&server).await;
    let operator = server.superuser().await;
    operate(&operator, "ALTER DATABASE postgres SET default_transaction_isolation = 'repeatable read'").await;
    let store = PgStore::new(connect(&server).await);
    let refused = store.insert(&draft(A, 1, "a")).in_tenant(A).await;
    assert!(matches!(refused, Err(AgentError::Store(_))), "{refused:?}");
    assert!(get(&store, A, 1).await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn of_those_that_replace_a_revision_one_does() {
    let server = Server::start();
    let store = pg_store(&server).await;
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

/// How many tables were read as a whole, and how many entries of indexes were read, by one call.
async fn work<T>(server: &Server, operator: &Client, call: impl AsyncFnOnce(&PgStore) -> T) -> (i64, i64, T) {
    let before = counters(operator).await;
    let store = PgStore::new(connect(server).await);
    let value = call(&store).await;
    drop(store);
    no_other_session(operator).await;
    let after = counters(operator).await;
    (after.0 - before.0, after.1 - before.1, value)
}

/// What a session has counted is there when it has ended.
async fn no_other_session(operator: &Client) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    while operator.query_one(sql, &[]).await.expect("a row").get::<_, i64>(0) > 0 {
        sleep(Duration::from_millis(5)).await;
    }
}

async fn counters(operator: &Client) -> (i64, i64) {
    let sql =
        "SELECT (SELECT sum(seq_scan)::bigint FROM pg_stat_user_tables WHERE schemaname = 'tenancy_agents'),
        (SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE schemaname = 'tenancy_agents')";
    let row = operator.query_one(sql, &[]).await.expect("a row");
    (row.get(0), row.get(1))
}

/// 3 tenants and the platform have 20,000 each: of a tenant's the older are tombstones, 40 wait for approval, and a tenth has the
/// tag. Of the platform's 40 are shared.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_page_reads_no_more_than_it_gives() {
    let server = Server::start();
    set_up(&server).await;
    let operator = server.superuser().await;
    let fill = format!(
        "INSERT INTO tenancy_agents.agents
        SELECT t::uuid, ('00000000-0000-7000-8000-' || lpad(to_hex(n * 2 + 1), 12, '0'))::uuid,
            left(t, 2) || '-' || n, '', '', '', 'basic',
            CASE WHEN t = '{PLATFORM}' AND n % 500 = 0 THEN 'shared' ELSE 'private' END,
            CASE WHEN t = '{PLATFORM}' THEN 'active' WHEN n % 500 = 2 THEN 'pending_approval'
                WHEN n < 9000 AND n % 10 > 0 THEN 'deleted' ELSE 'active' END,
            CASE WHEN n % 10 = 0 THEN '{{chat,common}}' ELSE '{{common}}' END::text[],
            '', '', NULL, 1, 0, 0
        FROM unnest(ARRAY['{A}', '{B}', '{C}', '{PLATFORM}']) t, generate_series(0, 19999) n;
        ANALYZE tenancy_agents.agents, tenancy_agents.agent_capabilities"
    );
    operate(&server.superuser().await, &fill).await;
    no_other_session(&operator).await;
    let middle: tenancy_agents::AgentId = "00000000-0000-7000-8000-000000004e20".parse().expect("an id");
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
                work(&server, &operator, async |store| page(store, A, query).await.expect("a page")).await;
            assert_eq!(agents.len(), limit, "{name}");
            assert_eq!(scans, 0, "{name} after {after:?}: {read}");
            // Of the tenant's and of the platform's; with a tag of those beside it too, as the planner joins them.
            let most = if name == "chat" { 500 } else { 150 };
            assert!((20..=most).contains(&read), "{name} after {after:?}: {read}");
        }
    }
    let (scans, read, _) = work(&server, &operator, async |store| {
        let found = store.get(middle_agent()).in_tenant(A).await.expect("an answer");
        assert!(found.is_some());
        named(store, A, "aa-10000").await.expect("an agent")
    })
    .await;
    assert!(scans == 0 && (2..=8).contains(&read), "{scans} {read}");
}

fn middle_agent() -> tenancy_agents::AgentId {
    "00000000-0000-7000-8000-000000004e21".parse().expect("an id")
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_row_that_is_no_agent_is_an_error_which_shows_nothing_of_it() {
    let server = Server::start();
    let store = pg_store(&server).await;
    let operator = server.superuser().await;
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
async fn a_number_that_postgres_does_not_hold_is_refused() {
    let server = Server::start();
    let store = pg_store(&server).await;
    let agent = Agent { revision: u64::MAX, ..draft(A, 1, "a") };
    assert!(matches!(store.insert(&agent).in_tenant(A).await, Err(AgentError::Store(_))));
    assert!(all(&store, A).await.is_empty());
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_server_that_comes_back_is_used_again() {
    let mut server = Server::start();
    let store = pg_store(&server).await;
    let agent = draft(A, 1, "a");
    add(&store, &agent).await;
    server.crash_and_restart();
    let mut errors = 0;
    while let Err(error) = store.get(id(1)).in_tenant(A).await {
        assert!(matches!(error, AgentError::Unavailable(Some(_))), "{error:?}");
        errors += 1;
        assert!(errors < 200, "it is not found again");
        sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(get(&store, A, 1).await, Some(agent));
    add(&store, &draft(A, 2, "b")).await;
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_server_that_is_gone_is_unavailable() {
    let server = Server::start();
    let store = pg_store(&server).await;
    let agent = draft(A, 1, "a");
    add(&store, &agent).await;
    drop(server);
    for _ in 0..3 {
        let read = store.get(id(1)).in_tenant(A).await;
        assert!(matches!(read, Err(AgentError::Unavailable(Some(_)))), "{read:?}");
        let written = store.touch(id(1), UnixMillis(1)).in_tenant(A).await;
        assert!(matches!(written, Err(AgentError::Unavailable(Some(_)))), "{written:?}");
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn what_takes_too_long_is_cancelled() {
    let server = Server::start();
    let store = pg_store(&server).await;
    add(&store, &draft(A, 1, "a")).await;
    let store = store.timeout(Duration::from_millis(300));
    let mut operator = server.superuser().await;
    let transaction = operator.transaction().await.expect("a transaction");
    transaction.batch_execute("LOCK TABLE tenancy_agents.agents").await.expect("a lock");
    let calls =
        async { (store.get(id(1)).in_tenant(A).await, store.touch(id(1), UnixMillis(1)).in_tenant(A).await) };
    let (read, touched) =
        timeout(Duration::from_mins(1), calls).await.expect("they do not wait for the lock");
    assert!(matches!(read, Err(AgentError::Unavailable(Some(_)))), "{read:?}");
    assert!(matches!(touched, Err(AgentError::Unavailable(Some(_)))), "{touched:?}");
    transaction.rollback().await.expect("a rollback");
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'service' AND xact_start IS NOT NULL";
    while operator.query_one(waiting, &[]).await.expect("a row").get::<_, i64>(0) > 0 {
        sleep(Duration::from_millis(5)).await;
    }
    let store = store.timeout(Duration::from_secs(30));
    assert_eq!(get(&store, A, 1).await, Some(draft(A, 1, "a")));
}

/// A violation's detail names the row: it is nobody's to read here.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn an_error_shows_no_row() {
    let server = Server::start();
    let store = pg_store(&server).await;
    let operator = server.superuser().await;
    operate(&operator, "ALTER TABLE tenancy_agents.agents ADD CHECK (owner <> 'hidden')").await;
    let mut agent = draft(A, 1, "a");
    agent.content.owner = Text::parse("hidden").expect("a text");
    let refused = store.insert(&agent).in_tenant(A).await;
    let Err(AgentError::Store(error)) = refused else { panic!("{refused:?}") };
    assert!(!format!("{error} {error:?}").contains("hidden"), "{error:?}");
    let cause: Option<&Error> = error.get_ref().downcast_ref();
    assert!(matches!(cause, Some(Error::Postgres(_))), "{cause:?}");
}
