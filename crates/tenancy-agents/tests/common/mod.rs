//! What the tests on a Postgres share.

#![allow(dead_code, reason = "each test file uses its part")]

#[path = "../../../tenancy-postgres/tests/common/server.rs"]
pub(crate) mod server;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tenancy::{TenantId, tenant_id};
use tenancy_agents::{
    Agent, AgentContent, AgentId, AgentName, AgentStatus, Capabilities, PgStore, Text, UnixMillis, Visibility,
};
use tenancy_postgres::{Config, SigningKey, TenantDb};

pub(crate) use server::Server;

pub(crate) const A: TenantId = tenant_id!("aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa");
pub(crate) const B: TenantId = tenant_id!("bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb");
pub(crate) const C: TenantId = tenant_id!("cccccccc-cccc-4ccc-8ccc-cccccccccccc");
pub(crate) const PLATFORM: TenantId = TenantId::PLATFORM;

/// A new server's store, of all migrations, a key and a role of the service's own.
pub(crate) async fn pg_store(server: &Server) -> PgStore {
    set_up(server).await;
    PgStore::new(connect(server).await)
}

/// The same, in a database of a test's own, on a server that tests share.
pub(crate) async fn own_pg_store() -> (PgStore, Arc<Server>) {
    static MADE: AtomicUsize = AtomicUsize::new(0);
    // Two that make the same roles at once get into each other's way.
    static ROLES: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let server = shared_server();
    let name = format!("test_{}", MADE.fetch_add(1, Ordering::Relaxed));
    let roles = ROLES.lock().await;
    let create = format!("CREATE DATABASE {name} TEMPLATE template0");
    server.superuser().await.batch_execute(&create).await.expect("a database");
    set_up_in(&server, &name).await;
    drop(roles);
    (PgStore::new(connect_to(&server, &name).await), server)
}

/// It ends with the last test that uses it.
fn shared_server() -> Arc<Server> {
    static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let server = Arc::new(Server::start());
        *shared = Arc::downgrade(&server);
        server
    })
}

pub(crate) async fn set_up(server: &Server) {
    set_up_in(server, "postgres").await;
}

async fn set_up_in(server: &Server, database: &str) {
    let mut operator = server.client("postgres", database).await;
    tenancy_postgres::migrate(&mut operator).await.expect("tenancy's schema");
    tenancy_postgres::add_key(&operator, &key()).await.expect("a key");
    tenancy_agents::store::postgres::migrate(&mut operator).await.expect("the agents' schema");
    let role = "DO $$BEGIN IF pg_catalog.to_regrole('service') IS NULL THEN \
         CREATE ROLE service LOGIN IN ROLE tenancy_app; END IF; END$$";
    operator.batch_execute(role).await.expect("a role");
}

/// It succeeds where the audit has no critical finding.
pub(crate) async fn connect(server: &Server) -> TenantDb {
    connect_to(server, "postgres").await
}

async fn connect_to(server: &Server, database: &str) -> TenantDb {
    let config = Config::new(server.config("service", database), key());
    TenantDb::connect(config.wait(Duration::from_secs(30))).await.expect("a database that does not leak")
}

fn key() -> SigningKey {
    SigningKey::new(1, b"a secret of the tests, not of others").expect("a key")
}

/// A tenant's draft. Ids go by their numbers.
pub(crate) fn draft(tenant: TenantId, number: u64, name: &str) -> Agent {
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

pub(crate) fn id(number: u64) -> AgentId {
    AgentId::v7(UnixMillis(number), [7; 10])
}

/// The platform's, for all tenants.
pub(crate) fn shared(number: u64, name: &str) -> Agent {
    let mut agent = draft(PLATFORM, number, name);
    agent.status = AgentStatus::Active;
    agent.content.visibility = Visibility::Shared;
    agent
}
