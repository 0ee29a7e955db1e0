//! A database of many agents, and Postgres by hand.

use tenancy::TenantId;
use tenancy_agents::PgStore;
use tenancy_postgres::{Config, SigningKey, TenantDb};
use tokio_postgres::{Client, Statement};
use uuid::Uuid;

use crate::{TENANT, id};

fn key() -> SigningKey {
    SigningKey::new(1, b"a secret of the benchmarks, not of others").expect("a key")
}

/// What `gateway migrate` does.
pub async fn set_up(operator: &mut Client) {
    tenancy_postgres::migrate(operator).await.expect("tenancy's schema");
    tenancy_postgres::add_key(operator, &key()).await.expect("a key");
    tenancy_agents::store::postgres::migrate(operator).await.expect("the agents' schema");
    let role = "DO $$BEGIN IF to_regrole('service') IS NULL THEN CREATE ROLE service LOGIN IN ROLE tenancy_app; \
         END IF; END$$";
    operator.batch_execute(role).await.expect("a role");
}

/// The agents of a database.
pub async fn connect(config: tokio_postgres::Config) -> PgStore {
    PgStore::new(TenantDb::connect(Config::new(config, key())).await.expect("a database that does not leak"))
}

/// Gives each of so many tenants, whose ids begin with the first's, so many agents: past the triggers, and as they would.
pub async fn fill_postgres(operator: &Client, first: TenantId, tenants: u64, agents: u64) {
    let first = Uuid::from(first).as_u128();
    let (head, last) = (format!("{:024x}", first >> 32), first & 0xffff_ffff);
    let statements = [
        "ALTER TABLE tenancy_agents.agents DISABLE TRIGGER USER".to_owned(),
        format!(
            "INSERT INTO tenancy_agents.agents (tenant_id, id, name, display_name, description, version, tier, \
             visibility, status, capabilities, endpoint, owner, card, revision, created_at, updated_at) \
             SELECT ('{head}' || lpad(to_hex({last} + t), 8, '0'))::uuid, lpad(to_hex(n), 32, '0')::uuid, \
             'agent-' || n, 'An agent', 'It answers', '1.0', 'standard', 'private', 'active', ARRAY['chat'], \
             'https://agents.example/', 'team', NULL, 1, 0, 0 \
             FROM generate_series(0, {tenants} - 1) t, generate_series(0, {agents} - 1) n"
        ),
        "INSERT INTO tenancy_agents.agent_capabilities (tenant_id, capability, id) \
         SELECT tenant_id, 'chat', id FROM tenancy_agents.agents"
            .to_owned(),
        "INSERT INTO tenancy_agents.names (name, holder, is_shared) \
         SELECT name, tenant_id, false FROM tenancy_agents.agents"
            .to_owned(),
        "ALTER TABLE tenancy_agents.agents ENABLE TRIGGER USER".to_owned(),
        "VACUUM ANALYZE tenancy_agents.agents, tenancy_agents.agent_capabilities, tenancy_agents.names"
            .to_owned(),
    ];
    for statement in statements {
        operator.batch_execute(&statement).await.expect("agents");
    }
}

/// The same rows with the tenant in each statement, and nothing else: as a superuser, whom no policy holds.
#[derive(Debug)]
pub struct PlainPostgres {
    client: Client,
    get: Statement,
    list: Statement,
}

impl PlainPostgres {
    /// On a connection.
    pub async fn new(client: Client) -> Self {
        let get = "SELECT * FROM tenancy_agents.agents WHERE tenant_id = $1 AND id = $2";
        let list = "SELECT * FROM tenancy_agents.agents WHERE tenant_id = $1 AND id > $2 AND status <> 'deleted' \
             ORDER BY id LIMIT $3";
        let get = client.prepare(get).await.expect("a statement");
        let list = client.prepare(list).await.expect("a statement");
        Self { client, get, list }
    }

    /// An agent.
    pub async fn get(&self, number: u64) -> usize {
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 2] =
            [&Uuid::from(TENANT), &id(number).as_uuid()];
        self.client.query(&self.get, &params).await.expect("an agent").len()
    }

    /// The agents behind one.
    pub async fn list(&self, after: u64, limit: i64) -> usize {
        let (tenant, after) = (Uuid::from(TENANT), id(after).as_uuid());
        self.client.query(&self.list, &[&tenant, &after, &limit]).await.expect("agents").len()
    }
}
