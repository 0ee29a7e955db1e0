//! Databases with many agents, and a peer on tokio-postgres.

use tenancy::TenantId;
use tenancy_agents::{AgentId, PgStore};
use tenancy_postgres::{Config, SigningKey, TenantDb};
use tokio_postgres::{Client, NoTls, Statement};
use uuid::Uuid;

use crate::{TENANT, id};

fn key() -> SigningKey {
    SigningKey::new(1, b"a secret of the benchmarks alone").expect("a key")
}

/// Connects, and runs the connection in a task of the current runtime.
pub async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("a connection");
    tokio::spawn(async move {
        // It ends with its client, or with the server.
        let _ = connection.await;
    });
    client
}

/// Creates the schemas, a key, and the role `service`.
pub async fn set_up(operator: &mut Client) {
    tenancy_postgres::migrate(operator).await.expect("tenancy's schema");
    tenancy_postgres::add_key(operator, &key()).await.expect("a key");
    tenancy_agents::store::postgres::migrate(operator).await.expect("the agents' schema");
    let role = "DO $$BEGIN IF to_regrole('service') IS NULL THEN CREATE ROLE service LOGIN IN ROLE tenancy_app; \
         END IF; END$$";
    operator.batch_execute(role).await.expect("a role");
}

/// Connects a registry's store.
pub async fn connect(url: &str) -> PgStore {
    let config = Config::from_url(url, key()).expect("a valid URL");
    PgStore::new(TenantDb::connect(config).await.expect("a database that passes the audit"))
}

/// Adds agents to each of this many tenants, whose ids follow the first one.
///
/// The triggers are off, which saves minutes; the rows are those that the triggers would write.
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

/// Statements on the same tables by a superuser, to whom no policy applies. The tenant is a parameter.
#[derive(Debug)]
pub struct PlainPostgres {
    client: Client,
    get: Statement,
    list: Statement,
    find: Statement,
    register: Statement,
}

impl PlainPostgres {
    /// Prepares the statements on a connection, and turns triggers off for it.
    pub async fn new(client: Client) -> Self {
        let get = "SELECT * FROM tenancy_agents.agents WHERE tenant_id = $1 AND id = $2";
        let list = "SELECT * FROM tenancy_agents.agents WHERE tenant_id = $1 AND id > $2 AND status <> 'deleted' \
             ORDER BY id LIMIT $3";
        let find = "SELECT agents.* FROM tenancy_agents.agent_capabilities c JOIN tenancy_agents.agents USING (tenant_id, id) \
             WHERE c.tenant_id = $1 AND c.capability = 'chat' AND c.id > $2 AND status = 'active' \
             ORDER BY c.id LIMIT $3";
        let register = "WITH agent AS (INSERT INTO tenancy_agents.agents (tenant_id, id, name, display_name, \
             description, version, tier, visibility, status, capabilities, endpoint, owner, card, revision, created_at, \
             updated_at) VALUES ($1, $2::uuid, 'by-hand-' || ($2::uuid)::text, 'An agent', 'It answers', '1.0', 'standard', 'private', \
             'draft', ARRAY['chat'], 'https://agents.example/', 'team', NULL, 1, 0, 0)), \
             name AS (INSERT INTO tenancy_agents.names (name, holder, is_shared) \
             VALUES ('by-hand-' || ($2::uuid)::text, $1, false)) \
             INSERT INTO tenancy_agents.agent_capabilities (tenant_id, capability, id) VALUES ($1, 'chat', $2)";
        client.batch_execute("SET session_replication_role = replica").await.expect("a superuser");
        let prepare = async |sql| client.prepare(sql).await.expect("a valid statement");
        let [get, list, find, register] =
            [prepare(get).await, prepare(list).await, prepare(find).await, prepare(register).await];
        Self { client, get, list, find, register }
    }

    /// Selects an agent and returns the number of rows.
    pub async fn get(&self, number: u64) -> usize {
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 2] =
            [&Uuid::from(TENANT), &id(number).as_uuid()];
        self.client.query(&self.get, &params).await.expect("an agent").len()
    }

    /// Selects the agents that follow one and returns the number of rows.
    pub async fn list(&self, after: u64, limit: i64) -> usize {
        self.page(&self.list, after, limit).await
    }

    /// Selects the active agents with the capability `chat` that follow one and returns the number of rows.
    pub async fn find(&self, after: u64, limit: i64) -> usize {
        self.page(&self.find, after, limit).await
    }

    async fn page(&self, statement: &Statement, after: u64, limit: i64) -> usize {
        let (tenant, after) = (Uuid::from(TENANT), id(after).as_uuid());
        self.client.query(statement, &[&tenant, &after, &limit]).await.expect("agents").len()
    }

    /// Inserts an agent, its name and its capability by one statement.
    pub async fn register(&self, id: AgentId) {
        let inserted = self.client.execute(&self.register, &[&Uuid::from(TENANT), &id.as_uuid()]).await;
        assert_eq!(inserted.expect("a new agent"), 1);
    }
}
