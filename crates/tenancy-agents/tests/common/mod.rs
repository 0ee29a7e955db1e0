//! What the tests on a Postgres share.

#![allow(dead_code, reason = "each test file uses its part")]

#[path = "../../../tenancy-postgres/tests/common/server.rs"]
pub(crate) mod server;

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

pub(crate) async fn set_up(server: &Server) {
    let mut operator = server.superuser().await;
    tenancy_postgres::migrate(&mut operator).await.expect("tenancy's schema");
    tenancy_postgres::add_key(&operator, &key()).await.expect("a key");
    tenancy_agents::store::postgres::migrate(&mut operator).await.expect("the agents' schema");
    operator.batch_execute("CREATE ROLE service LOGIN IN ROLE tenancy_app").await.expect("a role");
}

/// It succeeds where the audit has no critical finding.
pub(crate) async fn connect(server: &Server) -> TenantDb {
    let config = Config::new(server.config("service", "postgres"), key());
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
