//! Random hostile statements, while another tenant works.

use std::env;
use std::error::Error as StdError;
use std::fmt::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use fastrand::Rng;
use tenancy::{TenantFutureExt, TenantId};
use tenancy_postgres::Row;
use tenancy_postgres::{Error, TenantDb, TenantTx};
use tokio::time::timeout;
use tokio_postgres::Client;
use tokio_postgres::types::{FromSql, Type};

use crate::support::database::{Contents, Database};
use crate::support::notes::connect;
use crate::support::{B, LIMIT, eventually};

/// Every value of B begins with this text, and no statement of the other tenants contains it.
const MARKER: &str = "Zq7-of-b";

const BATCHES: usize = 20;
const SESSIONS: u64 = 3;
/// The number of statements of each session in each batch.
const STATEMENTS: usize = 334;

/// Returns everything in a session that differs from a new one. Each transaction sets its own `transaction_read_only`.
const LEFT: &str = "SELECT concat_ws('; ', \
    (SELECT string_agg(name || '=' || setting, ',') FROM pg_catalog.pg_settings WHERE source = 'session' AND name <> 'tenancy.context' AND name NOT LIKE 'transaction\\_%'), \
    (SELECT string_agg(relname, ',') FROM pg_catalog.pg_class WHERE relnamespace = pg_my_temp_schema()), \
    (SELECT string_agg(proname, ',') FROM pg_catalog.pg_proc WHERE pronamespace = pg_my_temp_schema()), \
    (SELECT string_agg(name, ',') FROM pg_catalog.pg_cursors WHERE name <> ''), \
    (SELECT string_agg(name, ',') FROM pg_catalog.pg_prepared_statements WHERE from_sql), \
    (SELECT string_agg(channel, ',') FROM pg_listening_channels() AS channel), \
    (SELECT string_agg(objid::text, ',') FROM pg_catalog.pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()), \
    nullif(current_user::text, 'service'), nullif(session_user::text, 'service'))";

/// Replaces each `{name}` in the text by a random fragment of that name, up to a depth.
fn grow(random: &mut Rng, text: &str, depth: usize) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').expect("closed");
        out.push_str(before);
        let choices = if depth > 4 { SHALLOW } else { fragments(name) };
        let choice = random.choice(choices).expect("a choice");
        out.push_str(&grow(random, choice, depth + 1));
        rest = after;
    }
    out + rest
}

const SHALLOW: &[&str] = &["NULL"];

fn fragments(name: &str) -> &'static [&'static str] {
    match name {
        "stmt" => STATEMENT,
        "q" => QUERY,
        "t" => TABLE,
        "p" => PREDICATE,
        "v" => VALUE,
        "x" => CONTEXT,
        "set" => SETTING,
        "b" => &["true", "false"],
        "flip" => FLIP,
        "keep" => &["set_config('my.copy', current_setting('tenancy.context'), false)"],
        "back" => &["set_config('tenancy.context', current_setting('my.copy'), true)"],
        "of-b" => {
            &["concat('bbbbbbbbbbbb4bbb8bbbbbbbbbbbbbbb', substr(current_setting('my.copy', true), 33))"]
        }
        "b-id" => &["'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb'"],
        _ => panic!("{name}"),
    }
}

const STATEMENT: &[&str] = &[
    "{q}",
    "{q}",
    "{q}",
    "{q}",
    "{q}",
    "{q}",
    "{q}",
    "{q}",
    "{q}",
    "{q}",
    "{q}",
    "{q}",
    "{q}",
    "{q}",
    "{q}",
    "{q}",
    "{q}",
    "{q}",
    "{flip}",
    "{flip}",
    "{flip}",
    "{flip}",
    "{flip}",
    "{flip}",
    "SET {set}",
    "SET LOCAL {set}",
    "SET {set}",
    "SET LOCAL {set}",
    "SELECT set_config('tenancy.context', {x}, {b})",
    "SELECT set_config('my.copy', {x}, {b})",
    "SAVEPOINT s",
    "ROLLBACK TO s",
    "RELEASE s",
    "SAVEPOINT s",
    "COMMIT",
    "ROLLBACK",
    "COMMIT AND CHAIN",
    "ROLLBACK AND CHAIN",
    "PREPARE TRANSACTION 'x'",
    "BEGIN",
    "START TRANSACTION READ WRITE",
    "SET TRANSACTION READ ONLY",
    "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "INSERT INTO notes (title) VALUES ('a' || random())",
    "INSERT INTO notes (title, tenant_id) VALUES ({v}, {b-id})",
    "INSERT INTO notes (title) SELECT {v}::text FROM {t} LIMIT 5",
    "INSERT INTO notes (title) VALUES ({v}) ON CONFLICT (id) DO UPDATE SET title = {v} RETURNING *",
    "UPDATE notes SET title = {v} WHERE {p} RETURNING *",
    "UPDATE notes SET tenant_id = {b-id} WHERE {p}",
    "UPDATE notes SET title = 'by a' FROM {t} o WHERE {p}",
    "DELETE FROM notes WHERE {p} RETURNING *",
    "DELETE FROM notes USING {t} o WHERE notes.tenant_id = {b-id}",
    "MERGE INTO notes USING (SELECT {v} AS v) s ON {p} WHEN MATCHED THEN UPDATE SET title = 'by a' WHEN NOT MATCHED THEN DO NOTHING",
    "TRUNCATE notes",
    "ALTER TABLE notes DISABLE ROW LEVEL SECURITY",
    "DROP POLICY tenancy_isolation ON notes",
    "ALTER TABLE notes NO FORCE ROW LEVEL SECURITY",
    "CREATE POLICY p ON notes USING (true)",
    "GRANT ALL ON notes TO PUBLIC",
    "CREATE RULE r AS ON SELECT TO notes DO INSTEAD NOTHING",
    "ANALYZE notes",
    "VACUUM notes",
    "REINDEX TABLE notes",
    "LOCK TABLE notes IN ROW SHARE MODE",
    "DROP OWNED BY CURRENT_USER",
    "DROP OWNED BY tenancy_app",
    "CREATE TEMP TABLE {t} AS {q}",
    "CREATE TEMP TABLE notes (id bigint, title text, tenant_id uuid)",
    "CREATE TEMP VIEW notes AS {q}",
    "CREATE TEMP TABLE fuse (n int)",
    "INSERT INTO fuse VALUES (2)",
    "DROP TABLE IF EXISTS pg_temp.notes",
    "CREATE CONSTRAINT TRIGGER burn AFTER INSERT ON fuse DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pg_temp.burn()",
    "CREATE OR REPLACE FUNCTION pg_temp.burn() RETURNS trigger LANGUAGE plpgsql AS $f$BEGIN SET CONSTRAINTS ALL DEFERRED; \
        IF NEW.n > 0 THEN INSERT INTO pg_temp.fuse VALUES (NEW.n - 1); END IF; PERFORM set_config('search_path', 'pg_temp', false); \
        EXECUTE 'LISTEN c'; RETURN NULL; END$f$",
    "CREATE OR REPLACE FUNCTION pg_temp.leak(v text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $f$BEGIN \
        RAISE EXCEPTION 'leaked %', v; END$f$",
    "CREATE OR REPLACE FUNCTION pg_temp.keep(v text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $f$BEGIN \
        PERFORM set_config('my.kept', concat(current_setting('my.kept', true), v), false); RETURN true; END$f$",
    "CREATE OPERATOR pg_temp.= (LEFTARG = text, RIGHTARG = text, FUNCTION = pg_temp.same, RESTRICT = eqsel, LEAKPROOF)",
    "CREATE OPERATOR pg_temp.=== (LEFTARG = text, RIGHTARG = text, FUNCTION = texteq, RESTRICT = eqsel)",
    "CREATE FUNCTION pg_temp.tenant_id() RETURNS uuid LANGUAGE sql AS $f$SELECT {b-id}::uuid$f$",
    "CREATE FUNCTION pg_temp.enter() RETURNS void LANGUAGE sql SET tenancy.context = '' AS $f$SELECT$f$",
    "SELECT tenancy.enter({b-id}, 1, 4102444800, {v})",
    "SELECT tenancy.leave()",
    "SELECT tenancy.add_key(9, 'x')",
    "DO $d$BEGIN EXECUTE $s${stmt}$s$; EXCEPTION WHEN OTHERS THEN RAISE NOTICE '%', SQLERRM; END$d$",
    "DO $d$BEGIN PERFORM set_config('tenancy.context', {x}, {b}); EXECUTE $s${q}$s$; EXCEPTION WHEN OTHERS THEN NULL; END$d$",
    "DO $d$BEGIN COMMIT; EXCEPTION WHEN OTHERS THEN NULL; END$d$",
    "DO $d$BEGIN COMMIT; END$d$",
    "DECLARE c CURSOR WITH HOLD FOR {q}",
    "DECLARE c CURSOR WITH HOLD FOR SELECT title FROM notes",
    "DECLARE d CURSOR WITH HOLD FOR VALUES (1)",
    "DECLARE c SCROLL CURSOR FOR {q}",
    "FETCH ALL c",
    "MOVE 2 IN c",
    "CLOSE c",
    "CLOSE ALL",
    "PREPARE p AS {q}",
    "EXECUTE p",
    "DEALLOCATE ALL",
    "DEALLOCATE p",
    "PREPARE s1 AS {q}",
    "PREPARE \"\" AS {q}",
    "LISTEN c",
    "NOTIFY c, 'a'",
    "UNLISTEN *",
    "SELECT pg_notify('tenancy_tenants', {v}::text)",
    "SELECT pg_try_advisory_lock(1), pg_try_advisory_lock_shared(2)",
    "SELECT pg_try_advisory_xact_lock(3)",
    "RESET ALL",
    "DISCARD TEMP",
    "DISCARD PLANS",
    "DISCARD SEQUENCES",
    "DISCARD ALL",
    "RESET ROLE",
    "RESET SESSION AUTHORIZATION",
    "SET CONSTRAINTS ALL DEFERRED",
    "SET CONSTRAINTS ALL IMMEDIATE",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
    "SET SESSION AUTHORIZATION service",
    "SET SESSION AUTHORIZATION postgres",
    "SET ROLE tenancy_owner",
    "COPY notes TO STDOUT",
    "COPY (TABLE notes) TO STDOUT",
    "COPY notes (title) FROM STDIN",
    "COPY notes TO PROGRAM 'cat'",
    "EXPLAIN (ANALYZE, VERBOSE, BUFFERS) {q}",
    "EXPLAIN (FORMAT JSON) {q}",
    "EXPLAIN (ANALYZE) EXECUTE p",
    "ALTER SYSTEM SET row_security = off",
    "LOAD 'auto_explain'",
    "CREATE EXTENSION dblink",
    "REFRESH MATERIALIZED VIEW notes",
    "CHECKPOINT",
    "SECURITY LABEL ON TABLE notes IS 'x'",
    "COMMENT ON TABLE notes IS 'x'",
    "IMPORT FOREIGN SCHEMA x FROM SERVER y INTO z",
    "SELECT 1; COMMIT",
    ";",
    "",
    "VALUES (1), (2)",
    "SELECT FROM notes WHERE",
];

const QUERY: &[&str] = &[
    "SELECT * FROM {t}",
    "TABLE {t}",
    "SELECT {v} FROM {t}",
    "SELECT {v}, {v} FROM {t} WHERE {p}",
    "SELECT * FROM {t} WHERE {p}",
    "SELECT tenant_id, title FROM notes WHERE {p}",
    "SELECT tenant_id, title FROM {t} ORDER BY {v} LIMIT 9",
    "WITH x AS (SELECT set_config('tenancy.context', {x}, {b}) AS s) SELECT * FROM x, notes",
    "WITH x AS MATERIALIZED (SELECT * FROM notes WHERE {p}), y AS (SELECT set_config('tenancy.context', {x}, {b})) SELECT * FROM y, x",
    "SELECT set_config('tenancy.context', {x}, {b}), (SELECT max(title) FROM notes), set_config('tenancy.context', {x}, {b})",
    "SELECT * FROM notes n LEFT JOIN notes m ON m.tenant_id <> n.tenant_id",
    "SELECT * FROM notes n, LATERAL (SELECT {v} FROM {t}) l",
    "SELECT * FROM notes TABLESAMPLE SYSTEM (100) WHERE {p}",
    "SELECT * FROM notes WHERE {p} FOR UPDATE SKIP LOCKED",
    "SELECT n, n.*, to_jsonb(n) FROM notes n WHERE {p}",
    "SELECT string_agg(title, ','), array_agg(tenant_id) FROM notes",
    "SELECT query_to_xml('SELECT * FROM notes', true, false, '')",
    "SELECT table_to_xml('notes', true, false, '')",
    "SELECT schema_to_xml('public', true, false, '')",
    "SELECT cursor_to_xml('c', 9, true, false, '')",
    "SELECT * FROM ts_stat('SELECT to_tsvector(title) FROM notes')",
    "SELECT * FROM notes ORDER BY 1 / (id - 2)",
    "SELECT * FROM pg_stats WHERE tablename = 'notes'",
    "SELECT * FROM pg_stats_ext_exprs",
    "SELECT * FROM pg_statistic",
    "SELECT query, state, wait_event FROM pg_stat_activity",
    "SELECT * FROM pg_cursors",
    "SELECT name, statement FROM pg_prepared_statements",
    "SELECT * FROM pg_prepared_xacts",
    "SELECT * FROM pg_locks",
    "SELECT * FROM pg_stat_xact_user_tables",
    "SELECT * FROM pg_largeobject",
    "SELECT lo_get(oid) FROM pg_largeobject_metadata",
    "SELECT * FROM tenancy.keys",
    "SELECT * FROM tenancy.minting",
    "SELECT * FROM tenancy.tenants",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT currval('notes_id_seq'), lastval()",
    "SELECT current_setting('my.kept', true), current_setting('my.copy', true)",
    "SELECT * FROM pg_settings WHERE name LIKE '%.%'",
    "SELECT * FROM notes UNION ALL SELECT * FROM notes",
    "SELECT * FROM notes EXCEPT SELECT * FROM notes WHERE tenant_id <> {b-id}",
    "SELECT (SELECT title FROM notes WHERE tenant_id = {b-id} LIMIT 1)",
    "SELECT EXISTS (SELECT FROM notes WHERE tenant_id = {b-id})",
    "WITH RECURSIVE r (n) AS (SELECT 1 UNION SELECT n + 1 FROM r WHERE n < 9) SELECT title FROM r, notes WHERE {p}",
    "SELECT first_value(title) OVER (ORDER BY title DESC) FROM notes",
    "SELECT tenancy.tenant_id(), CURRENT_USER, SESSION_USER",
];

/// Statements that change the tenant and change it back.
const FLIP: &[&str] = &[
    "SELECT {keep}, set_config('tenancy.context', {x}, {b}), (SELECT string_agg(title, ',') FROM notes WHERE {p}), {back}",
    "SELECT {keep}, set_config('tenancy.context', {x}, true), (SELECT string_agg(title, ',') FROM notes), {back}",
    "SELECT {keep}, set_config('tenancy.context', {x}, true), n.title, {back} FROM (SELECT title FROM notes OFFSET 0) n",
    "SELECT {keep}, set_config('tenancy.context', {of-b}, true), (SELECT string_agg(title, ',') FROM notes), {back}",
    "DO $d$BEGIN PERFORM {keep}; PERFORM set_config('tenancy.context', {of-b}, true); UPDATE notes SET title = 'by a'; PERFORM {back}; END$d$",
    "DO $d$BEGIN PERFORM {keep}; PERFORM set_config('tenancy.context', {x}, true); EXECUTE $s${q}$s$; PERFORM {back}; END$d$",
];

const TABLE: &[&str] = &[
    "notes",
    "notes",
    "public.notes",
    "pg_temp.notes",
    "only_a",
    "fuse",
    "notes AS o",
    "tenancy.tenants",
    "ONLY notes",
];

const PREDICATE: &[&str] = &[
    "true",
    "tenant_id = {b-id}",
    "tenant_id <> tenancy.tenant_id()",
    "id % 2 = 0",
    "notes.title LIKE 'Z%'",
    "pg_temp.leak(title)",
    "pg_temp.keep(title)",
    "title OPERATOR(pg_temp.===) 'x'",
    "title = {v}::text",
    "1 / (length(title) - 9) > 0",
    "title::int > 0",
    "ctid = '(0,1)'",
    "notes.tenant_id IS NULL",
    "title ~ '^Z'",
    "NOT ({p})",
    "({p} OR {p})",
    "set_config('tenancy.context', {x}, {b}) IS NOT NULL",
    "EXISTS (SELECT FROM notes m WHERE m.title > notes.title)",
    "CASE WHEN title LIKE 'Z%' THEN 1 / 0 = 0 ELSE true END",
    "tenancy.tenant_id() = {b-id}",
];

const VALUE: &[&str] = &[
    "1",
    "NULL",
    "'x'",
    "title",
    "tenant_id",
    "(SELECT max(title) FROM notes)",
    "current_setting('tenancy.context', true)",
    "tenancy.tenant_id()",
    "{b-id}",
    "random()",
    "now()",
    "pg_backend_pid()",
    "(SELECT string_agg(title, ',') FROM notes)",
    "{x}",
    "repeat('f', 64)",
    "'\\x00'",
    "E'\\\\x00'",
    "current_setting('my.kept', true)",
    "gen_random_uuid()",
    "count(*)",
    "ctid",
    "xmin",
    "(SELECT count(*) FROM {t})",
    "notes",
    "set_config('search_path', 'pg_temp', {b})",
];

const CONTEXT: &[&str] = &[
    "''",
    "current_setting('tenancy.context', true)",
    "current_setting('my.copy', true)",
    "repeat('0', 96)",
    "concat('bbbbbbbbbbbb4bbb8bbbbbbbbbbbbbbb', substr(current_setting('tenancy.context', true), 33))",
    "replace(current_setting('tenancy.context', true), 'a', 'b')",
    "upper(current_setting('tenancy.context', true))",
    "concat(current_setting('tenancy.context', true), ' ')",
    "concat(' ', current_setting('tenancy.context', true))",
    "left(current_setting('tenancy.context', true), 31)",
    "left(current_setting('tenancy.context', true), 33)",
    "left(current_setting('tenancy.context', true), 95)",
    "concat(current_setting('tenancy.context', true), '0')",
    "concat('bbbbbbbbbbbb4bbb8bbbbbbbbbbbbbbb', encode(sha256('x'), 'hex'))",
    "'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb'",
    "concat('bbbbbbbbbbbb4bbb8bbbbbbbbbbbbbbb', current_setting('tenancy.context', true))",
    "E'\\n'",
    "NULL",
];

const SETTING: &[&str] = &[
    "search_path = pg_temp",
    "search_path = pg_temp, public, pg_catalog",
    "search_path = information_schema, public",
    "search_path = ''",
    "row_security = off",
    "tenancy.context = ''",
    "tenancy.context TO DEFAULT",
    "tenancy.direct = 'on'",
    "app.tenant_id = {b-id}",
    "default_transaction_read_only = on",
    "default_transaction_isolation = 'serializable'",
    "default_transaction_deferrable = on",
    "statement_timeout = 60",
    "statement_timeout = 0",
    "lock_timeout = 1",
    "idle_in_transaction_session_timeout = 50",
    "plan_cache_mode = force_generic_plan",
    "plan_cache_mode = force_custom_plan",
    "plpgsql.extra_errors = 'all'",
    "plpgsql.variable_conflict = use_column",
    "check_function_bodies = off",
    "client_min_messages = debug5",
    "debug_print_plan = on",
    "DateStyle = 'German'",
    "IntervalStyle = iso_8601",
    "extra_float_digits = -15",
    "bytea_output = escape",
    "TimeZone = 'Asia/Tokyo'",
    "standard_conforming_strings = off",
    "backslash_quote = on",
    "client_encoding = LATIN1",
    "transform_null_equals = on",
    "quote_all_identifiers = on",
    "session_replication_role = replica",
    "role = tenancy_app",
    "role = tenancy_shared",
    "role = none",
    "force_parallel_mode = on",
    "parallel_setup_cost = 0",
    "max_parallel_workers_per_gather = 2",
    "enable_seqscan = off",
    "enable_indexscan = off",
    "constraint_exclusion = on",
    "work_mem = 64",
    "xmlbinary = hex",
    "xmloption = document",
    "synchronous_commit = off",
    "transaction_read_only = off",
    "transaction_isolation = serializable",
    "my.kept = ''",
    "seed = 0.5",
    "default_table_access_method = heap",
    "row_security = on",
    "array_nulls = off",
    "jit_above_cost = 0",
    "gin_fuzzy_search_limit = 1",
];

/// The bytes of a value of any type.
struct Raw(Vec<u8>);

impl<'a> FromSql<'a> for Raw {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

fn is_shown(bytes: &[u8]) -> bool {
    bytes.windows(MARKER.len()).any(|part| part == MARKER.as_bytes())
}

fn shows(rows: &[Row]) -> bool {
    rows.iter().any(|row| {
        (0..row.len())
            .any(|at| matches!(row.try_get::<_, Option<Raw>>(at), Ok(Some(Raw(bytes))) if is_shown(&bytes)))
    })
}

fn tells(error: &Error) -> bool {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(inner) = source {
        let _ = write!(text, " {inner} {inner:?}");
        source = inner.source();
    }
    is_shown(text.as_bytes())
}

/// Returns the time at which the transaction began, which identifies it.
async fn began(tx: &TenantTx<'_>) -> Option<String> {
    let rows = tx
        .query_unverified("SELECT EXTRACT(epoch FROM CURRENT_TIMESTAMP)::pg_catalog.text", &[])
        .await
        .ok()?;
    rows.first()?.try_get(0).ok()
}

/// Runs the part of one hostile session in a batch. An error says what the session saw of B.
async fn attack(db: TenantDb, tenant: TenantId, mut random: Rng) -> Result<[usize; 3], String> {
    let [mut sent, mut answered, mut escaped] = [0; 3];
    while sent < STATEMENTS {
        let tx = match timeout(LIMIT, db.begin_in(tenant)).await {
            Ok(Ok(tx)) => tx,
            other => return Err(format!("no transaction: {other:?}")),
        };
        let start = began(&tx).await;
        let _ = tx.execute("SAVEPOINT s", &[]).await;
        for _ in 0..=random.u64(..8) {
            let sql = grow(&mut random, "{stmt}", 0);
            sent += 1;
            let ran = async {
                match random.u64(..4) {
                    0 => tx.execute(&sql, &[]).await.map(|_| Vec::new()),
                    1 => tx.query(&sql, &[]).await,
                    _ => tx.query_unverified(&sql, &[]).await,
                }
            };
            match timeout(LIMIT, ran).await {
                Err(_) => return Err(format!("{sql}: it hangs")),
                Ok(Ok(rows)) if shows(&rows) => return Err(format!("{sql}: B's row")),
                Ok(Ok(_)) => {
                    answered += 1;
                    // The transaction can have failed or be closed, but must not be another one.
                    if random.u64(..4) == 0
                        && began(&tx).await.is_some_and(|now| start.as_ref() != Some(&now))
                    {
                        return Err(format!("{sql}: it is in another transaction"));
                    }
                }
                Ok(Err(error)) if tells(&error) => return Err(format!("{sql}: {error:?}")),
                Ok(Err(Error::Mismatch(_))) => return Err(format!("{sql}: a mismatch")),
                Ok(Err(Error::TxEscaped)) => {
                    escaped += 1;
                    break;
                }
                Ok(Err(_)) if tx.execute("ROLLBACK TO s", &[]).await.is_err() => break,
                Ok(Err(_)) => {}
            }
        }
        let end = random.u64(..6);
        let ended = async {
            match end {
                0 => tx.rollback().await,
                1 => {
                    drop(tx);
                    Ok(())
                }
                _ => tx.commit().await,
            }
        };
        match timeout(LIMIT, ended).await {
            Err(_) => return Err("an end hangs".to_owned()),
            Ok(Err(error)) if tells(&error) => return Err(format!("{error:?}")),
            Ok(_) => {}
        }
        if random.u64(..4) == 0 {
            let sql = grow(&mut random, "{stmt}", 0);
            sent += 1;
            let alone = async {
                if random.u64(..2) == 0 {
                    db.query(&sql, &[]).await
                } else {
                    db.execute(&sql, &[]).await.map(|_| Vec::new())
                }
            };
            match timeout(LIMIT, alone.in_tenant(tenant)).await {
                Err(_) => return Err(format!("{sql}: it hangs")),
                Ok(Ok(rows)) if shows(&rows) => return Err(format!("{sql}: B's row")),
                Ok(Err(error)) if tells(&error) => return Err(format!("{sql}: {error:?}")),
                Ok(_) => {}
            }
        }
    }
    Ok([sent, answered, escaped])
}

/// Runs B's work once. The rows must be exactly those that B has written.
async fn work(db: &TenantDb, rows: &mut Vec<String>) -> Result<(), Error> {
    let title = format!("{MARKER} {}", rows.len());
    let inserted = async { db.execute("INSERT INTO notes (title) VALUES ($1)", &[&title]).await };
    assert_eq!(inserted.in_tenant(B).await?, 1);
    rows.push(title);
    let tx = db.begin_in(B).await?;
    let left: String = tx.query_unverified(LEFT, &[]).await?[0].get(0);
    assert_eq!(left, "", "left to B");
    let changed = format!("{} changed", rows[0]);
    let sql = "UPDATE notes SET title = $1 WHERE title = $2";
    assert_eq!(tx.execute(sql, &[&changed, &rows[0]]).await?, 1);
    tx.commit().await?;
    rows[0] = if changed.len() > 100 { changed[..0].to_owned() } else { changed };
    if rows[0].is_empty() {
        // The title is too long by now.
        let sql = "UPDATE notes SET title = $1 WHERE length(title) > 100";
        rows[0] = format!("{MARKER} 0");
        assert_eq!(async { db.execute(sql, &[&rows[0]]).await }.in_tenant(B).await?, 1);
    }
    let found = async { db.query("SELECT tenant_id, title FROM notes", &[]).await }.in_tenant(B).await?;
    let mut found: Vec<String> = found.iter().map(|row| row.get("title")).collect();
    found.sort();
    let mut expected = rows.clone();
    expected.sort();
    assert_eq!(found, expected);
    Ok(())
}

async fn check(superuser: &Client, rows: &[String]) {
    let sql = "SELECT title FROM public.notes WHERE tenant_id = 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb' ORDER BY title COLLATE \"C\"";
    let found: Vec<String> =
        superuser.query(sql, &[]).await.expect("rows").iter().map(|row| row.get(0)).collect();
    let mut expected = rows.to_vec();
    expected.sort();
    assert_eq!(found, expected);
    let sql = "SELECT count(*) FROM public.notes WHERE title LIKE $1 AND tenant_id <> 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb'";
    let taken = superuser.query_one(sql, &[&format!("%{MARKER}%")]).await.expect("a row");
    assert_eq!(taken.get::<_, i64>(0), 0, "A has it");
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'service' AND xact_start IS NOT NULL";
    let open = async || superuser.query_one(sql, &[]).await.expect("a row").get::<_, i64>(0);
    eventually("no open transaction", LIMIT, async || open().await == 0).await;
}

fn seed() -> u64 {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    env::var("HOSTILE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(now)
}

/// The environment variable `HOSTILE` sets the number of batches of a thousand statements, and `HOSTILE_SEED` repeats a
/// printed seed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn random_hostile_statements_reach_nothing_of_another_tenant() {
    let seed = seed();
    println!("HOSTILE_SEED={seed}");
    let batches = env::var("HOSTILE").ok().and_then(|count| count.parse().ok()).unwrap_or(BATCHES);
    let database = Database::alone(Contents::Notes);
    let superuser = database.superuser().await;
    let limits =
        "ALTER ROLE service SET statement_timeout = '5s'; ALTER ROLE service SET lock_timeout = '1s'";
    superuser.batch_execute(limits).await.expect("limits");
    let db = connect(&database, 4).await;
    superuser.batch_execute("REVOKE ALL ON public.plain FROM tenancy_app").await.expect("revoked");
    let mut rows = Vec::new();
    let mut total = [0; 3];
    for batch in 0..batches {
        let attacks: Vec<_> = (0..SESSIONS)
            .map(|number| {
                let tenant = TenantId::try_from(uuid::Uuid::from_u128(
                    0xaaaa_aaaa_0000_4000_8000_0000_0000_0000 + u128::from(number),
                ));
                let random = Rng::with_seed(
                    seed ^ (batch as u64 * SESSIONS + number).wrapping_mul(0x5851_f42d_4c95_7f2d),
                );
                tokio::spawn(attack(db.clone(), tenant.expect("an id"), random))
            })
            .collect();
        while attacks.iter().any(|attack| !attack.is_finished()) {
            let worked = timeout(LIMIT, work(&db, &mut rows)).await.expect("B hangs");
            worked.unwrap_or_else(|error| panic!("seed {seed}, batch {batch}: B failed: {error}, {error:?}"));
        }
        for attack in attacks {
            let counts = attack
                .await
                .expect("a task")
                .unwrap_or_else(|saw| panic!("seed {seed}, batch {batch}: {saw}"));
            total.iter_mut().zip(counts).for_each(|(total, count)| *total += count);
        }
        check(&superuser, &rows).await;
        // B reads all of its rows, so their number is limited.
        if rows.len() > 60 {
            superuser.batch_execute("TRUNCATE public.notes").await.expect("truncated");
            rows.clear();
        }
    }
    println!("{} statements: {} were answered, {} left their transaction", total[0], total[1], total[2]);
    assert!(total[1] * 5 > total[0], "most were no SQL: {total:?}");
}
