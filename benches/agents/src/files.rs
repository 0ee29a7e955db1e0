//! Files with many agents, many files, and a peer on rusqlite.

use std::num::NonZeroUsize;
use std::path::Path;

use rusqlite::{Connection, params};
use tenancy::{TenantContext, TenantId};
use tenancy_agents::store::sqlite::SCHEMA;

use tenancy_sqlite::{Config, Error, Migration, TenantFiles};

use crate::{TENANT, id, tenant};

const MIGRATIONS: &[Migration] = &[Migration { version: 1, name: "agents", sql: SCHEMA }];

const AGENTS: &str = "INSERT INTO agents (id, tenant, name, display_name, description, version, tier, visibility, \
     capabilities, endpoint, owner, card, status, revision, created_at, updated_at) \
     VALUES (?1, ?2, ?3, 'An agent', 'It answers', '1.0', 'standard', 'private', 'chat', 'https://agents.example/', \
     'team', NULL, 'active', 1, 0, 0)";

/// Opens the tenants' files in a folder.
pub fn files(folder: &Path) -> TenantFiles {
    let most = NonZeroUsize::new(64).expect("not zero");
    TenantFiles::open(Config::new(folder).migrations(MIGRATIONS).max_open(most)).expect("a folder")
}

/// Adds agents to a tenant. All are active and have the capability `chat`.
pub fn fill(files: &TenantFiles, tenant: TenantId, agents: u64) {
    let filled = TenantContext::scope(tenant, || {
        files.write(|tx| {
            let mut agent = tx.prepare_cached(AGENTS)?;
            let mut tag =
                tx.prepare_cached("INSERT INTO agent_capabilities (tag, id) VALUES ('chat', ?1)")?;
            for number in 0..agents {
                let id = id(number).as_uuid();
                agent.execute(params![id.as_bytes(), tenant.as_bytes(), format!("agent-{number}")])?;
                tag.execute([id.as_bytes()])?;
            }
            Ok::<_, Error>(())
        })
    });
    filled.expect("agents");
}

/// Creates the files of this many tenants. Their tables are empty.
pub fn empty_files(files: &TenantFiles, tenants: u64) {
    for number in 0..tenants {
        fill(files, tenant(number), 0);
    }
}

/// One file for all tenants, and the tenant in each statement, as in most programs.
#[derive(Debug)]
pub struct ByHand(Connection);

impl ByHand {
    /// Creates a file with this many agents of the tenant.
    pub fn filled(folder: &Path, agents: u64) -> Self {
        let connection = Connection::open(folder.join("by-hand.sqlite")).expect("a file");
        connection
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
                 CREATE TABLE agents (tenant BLOB, id BLOB, name TEXT, content TEXT, PRIMARY KEY (tenant, id));
                 CREATE UNIQUE INDEX by_name ON agents (tenant, name);
                 CREATE TABLE tags (tenant BLOB, tag TEXT, id BLOB, PRIMARY KEY (tenant, tag, id)) WITHOUT ROWID;
                 BEGIN",
            )
            .expect("a table");
        let by_hand = Self(connection);
        for number in 0..agents {
            by_hand.insert(number);
        }
        by_hand.0.execute_batch("COMMIT").expect("a commit");
        by_hand
    }

    /// Adds an agent in a transaction of its own.
    pub fn register(&self, number: u64) {
        self.0.execute_batch("BEGIN IMMEDIATE").expect("a transaction");
        self.insert(number);
        self.0.execute_batch("COMMIT").expect("a commit");
    }

    fn insert(&self, number: u64) {
        let id = id(number).as_uuid();
        let values = params![TENANT.as_bytes(), id.as_bytes(), format!("agent-{number}"), CONTENT];
        let mut insert =
            self.0.prepare_cached("INSERT INTO agents VALUES (?1, ?2, ?3, ?4)").expect("a statement");
        insert.execute(values).expect("a new agent");
        let mut tag = self.0.prepare_cached("INSERT INTO tags VALUES (?1, 'chat', ?2)").expect("a statement");
        tag.execute(params![TENANT.as_bytes(), id.as_bytes()]).expect("a new tag");
    }

    /// Returns an agent's content.
    pub fn get(&self, number: u64) -> String {
        let sql = "SELECT content FROM agents WHERE tenant = ?1 AND id = ?2";
        let mut get = self.0.prepare_cached(sql).expect("a statement");
        let id = id(number).as_uuid();
        get.query_row(params![TENANT.as_bytes(), id.as_bytes()], |row| row.get(0)).expect("an agent")
    }

    /// Returns the contents of the agents that follow one.
    pub fn list(&self, after: u64, limit: u32) -> Vec<String> {
        self.page(
            "SELECT content FROM agents WHERE tenant = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
            after,
            limit,
        )
    }

    /// Returns the contents of the agents that follow one and have the capability `chat`.
    pub fn find(&self, after: u64, limit: u32) -> Vec<String> {
        let sql = "SELECT content FROM tags JOIN agents USING (tenant, id) \
             WHERE tenant = ?1 AND tag = 'chat' AND id > ?2 ORDER BY id LIMIT ?3";
        self.page(sql, after, limit)
    }

    fn page(&self, sql: &str, after: u64, limit: u32) -> Vec<String> {
        let mut list = self.0.prepare_cached(sql).expect("a statement");
        let after = id(after).as_uuid();
        let rows = list.query_map(params![TENANT.as_bytes(), after.as_bytes(), limit], |row| row.get(0));
        rows.expect("agents").collect::<Result<_, _>>().expect("agents")
    }
}

const CONTENT: &str =
    "An agent|It answers|1.0|standard|private|chat|https://agents.example/|team|active|1|0|0";
