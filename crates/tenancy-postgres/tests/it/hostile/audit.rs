//! The audit finds leaks that are planted and shown to leak.

use tenancy_postgres::audit;

use crate::support::orders::{Orders, enter, outcome};
use crate::support::{A, B};

/// A leak of B's data to A.
struct Leak {
    name: &'static str,
    plant: &'static str,
    /// Statements of A in one transaction.
    attack: &'static str,
    /// A part of the last statement's result if it leaks.
    shows: &'static str,
    undo: &'static str,
}

const LEAKS: &[Leak] = &[
    Leak {
        name: "a view of the keys",
        plant: "CREATE VIEW pads AS SELECT inner_pad FROM tenancy.minting; GRANT SELECT ON pads TO tenancy_app",
        attack: "SELECT octet_length(inner_pad) FROM pads",
        shows: "64",
        undo: "DROP VIEW pads",
    },
    Leak {
        name: "a view of the tenants",
        plant: "CREATE VIEW all_tenants AS SELECT slug FROM tenancy.tenants; GRANT SELECT ON all_tenants TO tenancy_app",
        attack: "SELECT slug FROM all_tenants",
        shows: "of-b",
        undo: "DROP VIEW all_tenants",
    },
    Leak {
        name: "a view of a table without tenant_id that is not granted",
        plant: "CREATE TABLE bodies (body text); INSERT INTO bodies VALUES ('of-b'); \
            CREATE VIEW bodies_view AS SELECT body FROM bodies; GRANT SELECT ON bodies_view TO tenancy_app",
        attack: "SELECT body FROM bodies_view",
        shows: "of-b",
        undo: "DROP VIEW bodies_view; DROP TABLE bodies",
    },
    Leak {
        name: "a shared table from which a tenants' table inherits",
        plant: "CREATE TABLE base (body text); SELECT tenancy.share_table('base'); \
            CREATE TABLE letters (id int) INHERITS (base); SELECT tenancy.enable_table('letters'); \
            INSERT INTO letters (body, tenant_id) VALUES ('of-b', 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb')",
        attack: "SELECT body FROM base",
        shows: "of-b",
        undo: "DROP TABLE letters; DROP TABLE base",
    },
    Leak {
        name: "a grant on the statistics",
        plant: "ANALYZE many; GRANT SELECT ON pg_catalog.pg_statistic TO tenancy_app",
        attack: "SELECT stavalues1::text FROM pg_statistic WHERE starelid = 'many'::regclass AND staattnum = 1",
        shows: "of-b",
        undo: "REVOKE SELECT ON pg_catalog.pg_statistic FROM tenancy_app",
    },
    Leak {
        name: "a view of the statistics",
        plant: "ANALYZE many; CREATE VIEW planner AS SELECT starelid, staattnum, stavalues1::text AS found FROM pg_statistic; \
            GRANT SELECT ON planner TO tenancy_app",
        attack: "SELECT found FROM planner WHERE starelid = 'many'::regclass AND staattnum = 1",
        shows: "of-b",
        undo: "DROP VIEW planner",
    },
    Leak {
        name: "a grant on a function that reads files",
        plant: "GRANT EXECUTE ON FUNCTION pg_read_binary_file(text) TO tenancy_app; CHECKPOINT",
        attack: "SELECT position('of-b'::bytea IN pg_read_binary_file(pg_relation_filepath('many'))) > 0",
        shows: "t",
        undo: "REVOKE EXECUTE ON FUNCTION pg_read_binary_file(text) FROM tenancy_app",
    },
    Leak {
        name: "a schema that the service owns",
        plant: "CREATE SCHEMA mine AUTHORIZATION service; CREATE TABLE mine.deeds (body text); \
            SELECT tenancy.enable_table('mine.deeds')",
        attack: "DROP TABLE mine.deeds; SELECT to_regclass('mine.deeds') IS NULL",
        shows: "t",
        undo: "DROP SCHEMA mine CASCADE",
    },
    Leak {
        name: "a rule on a table, whose owner bypasses",
        plant: "CREATE TABLE drafts (body text); SELECT tenancy.enable_table('drafts'); \
            INSERT INTO drafts VALUES ('of-a', 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'); \
            CREATE RULE also AS ON UPDATE TO drafts DO ALSO UPDATE many SET body = NEW.body; SELECT 1",
        attack: "UPDATE drafts SET body = 'by-a'; SELECT sum(n_tup_upd) > 100 FROM pg_stat_xact_user_tables WHERE relname = 'many'",
        shows: "t",
        undo: "DROP TABLE drafts",
    },
    Leak {
        name: "a trigger's function that its owner runs, and nobody may call",
        plant: "CREATE TABLE drafts (body text); SELECT tenancy.enable_table('drafts'); \
            CREATE FUNCTION peek() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS \
            $$BEGIN SELECT max(body) INTO NEW.body FROM public.many; RETURN NEW; END$$; \
            REVOKE ALL ON FUNCTION peek() FROM PUBLIC; \
            CREATE TRIGGER peek BEFORE INSERT ON drafts FOR EACH ROW EXECUTE FUNCTION peek()",
        attack: "INSERT INTO drafts VALUES ('x') RETURNING body",
        shows: "of-b",
        undo: "DROP TABLE drafts; DROP FUNCTION peek()",
    },
    Leak {
        name: "a function of a member of tenancy_owner",
        plant: "CREATE ROLE helper IN ROLE tenancy_owner; CREATE FUNCTION pads() RETURNS SETOF bytea LANGUAGE sql \
            SECURITY DEFINER AS 'SELECT inner_pad FROM tenancy.minting'; ALTER FUNCTION pads() OWNER TO helper",
        attack: "SELECT octet_length(pads())",
        shows: "64",
        undo: "DROP FUNCTION pads(); DROP ROLE helper",
    },
    Leak {
        name: "a function of a tables' owner that runs what it is given",
        plant: "CREATE ROLE holder; GRANT USAGE, CREATE ON SCHEMA public TO holder; ALTER TABLE many OWNER TO holder; \
            CREATE FUNCTION run(sql text) RETURNS void LANGUAGE plpgsql \
            SECURITY DEFINER AS 'BEGIN EXECUTE sql; END'; ALTER FUNCTION run(text) OWNER TO holder",
        attack: "SELECT run('ALTER TABLE public.many DISABLE ROW LEVEL SECURITY'); SELECT max(body) FROM many",
        shows: "of-b",
        undo: "DROP FUNCTION run(text); ALTER TABLE many OWNER TO postgres; DROP OWNED BY holder; DROP ROLE holder",
    },
    Leak {
        name: "tenant_id() is immutable",
        plant: "ALTER FUNCTION tenancy.tenant_id() IMMUTABLE",
        attack: "PREPARE kept AS SELECT max(body) FROM many; EXECUTE kept",
        shows: "of-a",
        undo: "ALTER FUNCTION tenancy.tenant_id() STABLE",
    },
    Leak {
        name: "a view that the service owns, which it may give rules",
        plant: "CREATE VIEW own_view AS SELECT body FROM many; ALTER VIEW own_view OWNER TO service",
        attack: "CREATE RULE gone AS ON DELETE TO own_view DO INSTEAD NOTHING; SELECT 'changed'",
        shows: "changed",
        undo: "DROP VIEW own_view",
    },
    Leak {
        name: "another database's rows, by a server that the service may use",
        plant: "CREATE EXTENSION dblink; CREATE EXTENSION postgres_fdw; \
            CREATE SERVER loop FOREIGN DATA WRAPPER dblink_fdw OPTIONS (host 'SOCKET', dbname 'postgres'); \
            CREATE USER MAPPING FOR service SERVER loop OPTIONS (user 'postgres', password 'x'); \
            GRANT USAGE ON FOREIGN SERVER loop TO service",
        attack: "SELECT srvname FROM pg_foreign_server WHERE has_server_privilege(oid, 'USAGE')",
        shows: "loop",
        undo: "DROP EXTENSION dblink CASCADE; DROP EXTENSION postgres_fdw",
    },
    Leak {
        name: "a tenants' table in the tenancy schema",
        plant: "CREATE TABLE tenancy.extra (body text, tenant_id uuid); INSERT INTO tenancy.extra VALUES ('of-b'); \
            GRANT SELECT ON tenancy.extra TO tenancy_app",
        attack: "SELECT body FROM tenancy.extra",
        shows: "of-b",
        undo: "DROP TABLE tenancy.extra",
    },
    Leak {
        name: "a materialized view's index, a sequence that the service may set",
        plant: "CREATE TABLE slips (id serial, body text); SELECT tenancy.enable_table('slips'); \
            GRANT UPDATE ON SEQUENCE slips_id_seq TO tenancy_app",
        attack: "SELECT setval('slips_id_seq', 2147483647)",
        shows: "2147483647",
        undo: "DROP TABLE slips",
    },
    Leak {
        name: "a column of a type that is the service's",
        plant: "CREATE DOMAIN word AS text; ALTER DOMAIN word OWNER TO service; CREATE TABLE words (body word); \
            SELECT tenancy.enable_table('words')",
        attack: "ALTER DOMAIN word ADD CHECK (VALUE <> 'of-b') NOT VALID; SELECT 'changed'",
        shows: "changed",
        undo: "DROP TABLE words; DROP DOMAIN word",
    },
];

async fn found(schema: &Orders) -> Vec<String> {
    let findings = audit(&mut schema.service().await).await.expect("findings");
    findings.iter().map(ToString::to_string).collect()
}

async fn start() -> Orders {
    let schema = Orders::alone().await;
    schema
        .operate(&format!(
            "CREATE TABLE many (body text); SELECT tenancy.enable_table('many'); \
            INSERT INTO many SELECT 'of-a', '{A}' FROM generate_series(1, 200); \
            INSERT INTO many SELECT 'of-b', '{B}' FROM generate_series(1, 200); \
            INSERT INTO tenancy.tenants (id, slug) VALUES ('{A}', 'of-a'), ('{B}', 'of-b')"
        ))
        .await;
    schema
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn finds_each_planted_leak() {
    let schema = start().await;
    let before = found(&schema).await;
    let mut missed = Vec::new();
    for leak in LEAKS {
        schema.operate(leak.plant).await;
        let new: Vec<_> =
            found(&schema).await.into_iter().filter(|finding| !before.contains(finding)).collect();
        let client = schema.service().await;
        enter(&client, A).await;
        let shown = outcome(&client, leak.attack).await;
        client.batch_execute("ROLLBACK").await.expect("it ends");
        if !shown.contains(leak.shows) {
            println!("{}: it does not leak: {shown}", leak.name);
        }
        if new.is_empty() {
            missed.push(leak.name);
        } else if !new.iter().any(|finding| finding.starts_with("critical")) {
            println!("{}: a warning: {new:?}", leak.name);
        }
        schema.operate(leak.undo).await;
        schema.operate("SELECT tenancy.enable_table('many')").await;
    }
    assert!(missed.is_empty(), "not found: {missed:#?}");
}
