//! SQL that the service runs in a transaction of A must not reach the rows of B.

use std::future::poll_fn;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::TryStreamExt;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tokio_postgres::{AsyncMessage, Client, NoTls};

use crate::context_v2;
use crate::support::orders::{Orders, code, enter, enter_as, enter_sql, hex, outcome, signature};
use crate::support::{A, B, LATER, SECRET};

const DENIED: &str = "ERROR 42501";

/// The rows of `orders` that A sees when a test begins.
const OWN: &str = "1,11";

/// Returns the context of the transaction.
async fn context(client: &Client) -> String {
    outcome(client, "SELECT current_setting('tenancy.context')").await
}

fn set_context(context: &str) -> String {
    format!("SET LOCAL tenancy.context = '{context}'; SELECT id, amount FROM orders")
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn rejects_every_statement_without_a_context() {
    let schema = Orders::start().await;
    let service = schema.service().await;
    for sql in [
        "SELECT * FROM orders",
        "SELECT count(*) FROM orders WHERE id = 1",
        "INSERT INTO orders VALUES (3, 33)",
        &format!("INSERT INTO orders VALUES (3, 33, '{A}')"),
        "UPDATE orders SET amount = 0",
        "DELETE FROM orders",
        "SELECT tenancy.tenant_id()",
        "SELECT tenancy.enter(NULL, NULL, NULL, NULL)",
        &format!("SELECT tenancy.enter('{A}', 1, NULL, '\\x00')"),
        &format!("SELECT tenancy.enter('{A}', 1, {LATER}, NULL)"),
    ] {
        assert_eq!(outcome(&service, sql).await, DENIED, "{sql}");
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_signature_is_valid_only_for_its_tenant_key_and_expiry() {
    let schema = Orders::start().await;
    schema
        .operate(
            "SELECT tenancy.add_key(2, convert_to(repeat('k', 32), 'UTF8')); SELECT tenancy.retire_key(2)",
        )
        .await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let past = i64::try_from(now).expect("before 2500") - 1;
    let mut flipped = signature(SECRET, A, 1, LATER);
    flipped[31] ^= 1;
    let good = signature(SECRET, A, 1, LATER);
    let service = schema.service().await;
    for (attack, sql) in [
        ("A's for B", enter_sql(B, 1, LATER, &good)),
        ("another expiry", enter_sql(A, 1, LATER + 1, &good)),
        ("expired", enter_sql(A, 1, past, &signature(SECRET, A, 1, past))),
        ("long expired", enter_sql(A, 1, i64::MIN, &signature(SECRET, A, 1, i64::MIN))),
        ("a bit", enter_sql(A, 1, LATER, &flipped)),
        ("shorter", enter_sql(A, 1, LATER, &good[..31])),
        ("longer", enter_sql(A, 1, LATER, &[&good[..], &[0]].concat())),
        ("none", enter_sql(A, 1, LATER, &[])),
        ("another secret", enter_sql(A, 1, LATER, &signature(&[0; 32], A, 1, LATER))),
        ("an unknown key", enter_sql(A, 3, LATER, &signature(SECRET, A, 3, LATER))),
        ("a retired key", enter_sql(A, 2, LATER, &signature(&[b'k'; 32], A, 2, LATER))),
        ("a key's id is signed", enter_sql(A, 2, LATER, &good)),
    ] {
        let sql = format!("BEGIN; {sql}; SELECT id FROM orders");
        assert_eq!(outcome(&service, &sql).await, DENIED, "{attack}");
        service.batch_execute("ROLLBACK").await.expect("it ends");
    }
    assert_eq!(schema.attack("SELECT id, amount FROM orders").await, OWN);
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_context_ends_with_its_transaction() {
    let schema = Orders::start().await;
    let service = schema.entered(A).await;
    let of_a = context(&service).await;
    for end in ["COMMIT", "ROLLBACK", "COMMIT AND CHAIN", "ROLLBACK AND CHAIN"] {
        service.batch_execute(end).await.expect(end);
        assert_eq!(outcome(&service, "SELECT * FROM orders").await, DENIED, "{end}");
        service.batch_execute("ROLLBACK").await.expect("it ends");
        assert_eq!(outcome(&service, &format!("BEGIN; {}", set_context(&of_a))).await, DENIED, "{end}");
        service.batch_execute("ROLLBACK").await.expect("it ends");
        enter(&service, A).await;
        assert_eq!(
            outcome(&service, "SELECT id, amount FROM orders").await,
            OWN,
            "its signature is good again"
        );
    }
    service.batch_execute("SAVEPOINT s; SET LOCAL tenancy.context = ''; ROLLBACK TO s").await.expect("back");
    assert_eq!(outcome(&service, "SELECT id, amount FROM orders").await, OWN);
    let early = format!("ROLLBACK; BEGIN; SAVEPOINT s; {}; ROLLBACK TO s; SELECT * FROM orders", enter_as(A));
    assert_eq!(outcome(&service, &early).await, DENIED, "it was entered after the savepoint");
}

/// Transactions of one message of the simple protocol begin at the same time, so a context of the first is valid in the
/// second. This is not a leak: the tenant is the same, and `enter` would succeed again.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_context_can_be_restored_only_within_one_message() {
    let schema = Orders::start().await;
    let service = schema.service().await;
    let keep = "SELECT set_config('my.copy', current_setting('tenancy.context'), false);";
    let take = "SELECT set_config('tenancy.context', current_setting('my.copy'), true);";
    let select = "SELECT id, amount FROM orders;";
    let one = format!("BEGIN; {}; {keep} COMMIT; BEGIN; {take} {select}", enter_as(A));
    assert!(outcome(&service, &one).await.ends_with(OWN));
    let next = format!("ROLLBACK; BEGIN; {take} {select}");
    assert_eq!(outcome(&service, &next).await, DENIED, "the next message");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_context_is_invalid_in_other_backends_and_for_other_tenants() {
    let schema = Orders::start().await;
    let (first, second) = (schema.service().await, schema.service().await);
    // A uses a context of B that it saw.
    enter(&second, B).await;
    let of_b = context(&second).await;
    enter(&first, A).await;
    let of_a = context(&first).await;
    assert_eq!((of_a.len(), of_b.len()), (96, 96));
    let changed = |at: usize| {
        let mut context = of_a.clone();
        let digit = if &context[at..=at] == "0" { "1" } else { "0" };
        context.replace_range(at..=at, digit);
        context
    };
    for (attack, context) in [
        ("B's of another backend", of_b.clone()),
        ("B's digits, A's MAC", format!("{}{}", &of_b[..32], &of_a[32..])),
        ("the last digit", changed(95)),
        ("the tenant's last digit", changed(31)),
        ("capitals", of_a.to_uppercase()),
        ("a digit more", format!("{of_a}0")),
        ("a digit less", of_a[..95].to_owned()),
        ("no MAC", of_a[..32].to_owned()),
        ("a tenant's text", B.to_string()),
        ("dashes", format!("{B}{}", &of_a[32..])),
        ("backslashes", "\\\\x00".to_owned()),
        ("nothing", String::new()),
        ("a space", " ".to_owned()),
        ("zeros", "0".repeat(96)),
    ] {
        first.batch_execute("SAVEPOINT s").await.expect("a savepoint");
        assert_eq!(outcome(&first, &set_context(&context)).await, DENIED, "{attack}");
        first.batch_execute("ROLLBACK TO s").await.expect("back");
        assert_eq!(outcome(&first, "SELECT id, amount FROM orders").await, OWN, "{attack}");
    }
}

/// Only the backend's process id distinguishes transactions that begin in the same microsecond.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_context_is_bound_to_backend_and_transaction_time() {
    let schema = Orders::start().await;
    let service = schema.entered(A).await;
    let text = outcome(&service, "SELECT pg_backend_pid(), extract(epoch FROM now())").await;
    let (pid, time) = text.split_once(',').expect("two columns");
    let pads = outcome(&schema.operator, "SELECT encode(inner_pad, 'hex') FROM tenancy.minting").await;
    let key: Vec<u8> = bytes(&pads).iter().map(|byte| byte ^ 0x36).collect();
    let mint = |pid: &str, time: &str| {
        let digits = hex(A.as_bytes());
        let mut mac: Hmac<Sha256> = Hmac::new_from_slice(&key).expect("any length");
        mac.update(format!("tenancy.context.v1 {digits} {pid} {time}").as_bytes());
        format!("{digits}{}", hex(&mac.finalize().into_bytes()))
    };
    assert_eq!(context(&service).await, mint(pid, time), "who knows the secret makes the same");
    for other in [mint(&format!("{pid}0"), time), mint(pid, &format!("{time}1"))] {
        service.batch_execute("SAVEPOINT s").await.expect("a savepoint");
        let sql = format!("{}; SELECT id FROM orders", set_context(&other));
        assert_eq!(outcome(&service, &sql).await, DENIED);
        service.batch_execute("ROLLBACK TO s").await.expect("back");
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

/// Otherwise rows of two tenants could meet in cursors and temporary tables of one transaction.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_transaction_has_one_tenant() {
    let schema = Orders::start().await;
    let service = schema.entered(A).await;
    assert_eq!(outcome(&service, &enter_as(A)).await, "", "the same is none other");
    assert_eq!(outcome(&service, &enter_as(B)).await, DENIED);
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn roles_and_settings_do_not_change_the_tenant() {
    let schema = Orders::start().await;
    let select = "SELECT id, amount FROM orders";
    for (sql, expected) in [
        ("SET ROLE postgres", DENIED),
        ("SET ROLE tenancy_owner", DENIED),
        ("SET SESSION AUTHORIZATION postgres", DENIED),
        ("SET session_replication_role = replica", DENIED),
        ("SET ROLE tenancy_app", OWN),
        ("SET ROLE NONE", OWN),
        ("RESET ROLE", OWN),
        ("RESET SESSION AUTHORIZATION", OWN),
        ("SET SESSION AUTHORIZATION service", OWN),
        ("SET row_security = off", DENIED),
        ("RESET ALL", DENIED),
        ("SET tenancy.context = ''", DENIED),
        ("ALTER ROLE service BYPASSRLS", DENIED),
        ("ALTER ROLE service SUPERUSER", DENIED),
        ("GRANT tenancy_owner TO service", DENIED),
        ("CREATE ROLE another", DENIED),
        ("DISCARD ALL", "ERROR 25001"),
        ("ALTER SYSTEM SET row_security = off", "ERROR 25001"),
        ("BEGIN", OWN),
    ] {
        assert_eq!(schema.attack(&format!("{sql}; {select}")).await, expected, "{sql}");
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn writes_only_rows_of_the_current_tenant() {
    let schema = Orders::start().await;
    for sql in [
        format!("INSERT INTO orders VALUES (3, 33, '{B}')"),
        "INSERT INTO orders VALUES (3, 33, NULL)".to_owned(),
        format!("INSERT INTO orders SELECT 3, 33, '{B}'::uuid FROM orders"),
        format!("UPDATE orders SET tenant_id = '{B}'"),
        format!("UPDATE orders SET tenant_id = '{B}' WHERE id = 1 RETURNING *"),
        "INSERT INTO orders VALUES (2, 0) ON CONFLICT (id) DO UPDATE SET amount = 0".to_owned(),
        format!("INSERT INTO orders VALUES (1, 0) ON CONFLICT (id) DO UPDATE SET tenant_id = '{B}'"),
        format!("WITH x AS (INSERT INTO orders VALUES (3, 33, '{B}') RETURNING *) SELECT * FROM x"),
    ] {
        assert_eq!(schema.attack(&sql).await, DENIED, "{sql}");
    }
    for (sql, expected) in [
        ("UPDATE orders SET amount = 0 WHERE id = 2 RETURNING id", ""),
        ("DELETE FROM orders WHERE id = 2 RETURNING id", ""),
        ("SELECT id FROM orders WHERE id = 2 FOR UPDATE", ""),
        ("UPDATE orders o SET amount = 0 FROM orders p WHERE p.id = 2 RETURNING o.id", ""),
        ("COPY orders FROM STDIN", "ERROR 0A000"),
        ("TRUNCATE orders", DENIED),
    ] {
        assert_eq!(schema.attack(sql).await, expected, "{sql}");
    }
    let version =
        outcome(&schema.operator, "SELECT current_setting('server_version_num')::int >= 150000").await;
    if version == "t" {
        let merge = |value: &str, action: &str| {
            format!("MERGE INTO orders USING (VALUES ({value})) v (id) ON orders.id = v.id {action}")
        };
        for (sql, expected) in [
            (merge("1", &format!("WHEN MATCHED THEN UPDATE SET tenant_id = '{B}'")), DENIED),
            (merge("3", &format!("WHEN NOT MATCHED THEN INSERT VALUES (3, 33, '{B}')")), DENIED),
            (merge("2", "WHEN MATCHED THEN DELETE"), ""),
            // It does not see B's row, and violates its key.
            (merge("2", "WHEN NOT MATCHED THEN INSERT VALUES (2, 0)"), "ERROR 23505"),
        ] {
            assert_eq!(schema.attack(&sql).await, expected, "{sql}");
        }
    }
    let rows = format!("1,11,{A};2,22,{B}");
    assert_eq!(outcome(&schema.operator, "SELECT * FROM orders ORDER BY id").await, rows, "all as before");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn copy_exports_only_rows_of_the_current_tenant() {
    let schema = Orders::start().await;
    let copy = async |client: &Client, what: &str| -> Result<String, tokio_postgres::Error> {
        let parts = client.copy_out(&format!("COPY {what} TO STDOUT")).await?;
        let parts: Vec<_> = parts.try_collect().await?;
        Ok(String::from_utf8(parts.concat()).expect("text"))
    };
    let service = schema.entered(A).await;
    let own = format!("1\t11\t{A}\n");
    assert_eq!(copy(&service, "orders").await.expect("rows"), own);
    assert_eq!(copy(&service, "(SELECT * FROM orders)").await.expect("rows"), own);
    assert_eq!(code(&copy(&service, "tenancy.minting").await.expect_err("a secret")), DENIED);
    service.batch_execute("ROLLBACK").await.expect("it ends");
    assert_eq!(code(&copy(&service, "orders").await.expect_err("no context")), DENIED);
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn rejects_access_to_secrets_and_to_definitions() {
    let schema = Orders::start().await;
    for sql in [
        "SELECT * FROM tenancy.keys",
        "SELECT * FROM tenancy.minting",
        "SELECT * FROM tenancy.migrations",
        "INSERT INTO tenancy.keys VALUES (9, repeat('x', 64)::bytea, repeat('x', 64)::bytea)",
        "UPDATE tenancy.keys SET not_after = NULL",
        "SELECT tenancy.add_key(9, repeat('x', 64)::bytea)",
        "SELECT tenancy.retire_key(1)",
        "SELECT tenancy.pad('', 0)",
        "SELECT tenancy.protect('orders')",
        "SELECT tenancy.enable_table('orders')",
        "CREATE TABLE tenancy.mine (id int)",
        "CREATE FUNCTION tenancy.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE OR REPLACE FUNCTION tenancy.tenant_id() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
        "ALTER FUNCTION tenancy.tenant_id() SECURITY INVOKER",
        "DROP FUNCTION tenancy.tenant_id()",
        "CREATE TABLE public.mine (id int)",
        "ALTER TABLE orders DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE orders ALTER tenant_id DROP DEFAULT",
        "DROP POLICY tenancy_isolation ON orders",
        "CREATE POLICY mine ON orders USING (true)",
        "CREATE TRIGGER mine BEFORE INSERT ON orders EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE TEMP TABLE child () INHERITS (orders)",
        "CREATE RULE mine AS ON SELECT TO orders DO INSTEAD NOTHING",
        "COPY orders TO PROGRAM 'cat'",
        "COPY orders TO '/tmp/orders'",
        "SELECT pg_read_file('PG_VERSION')",
        "SELECT lo_import('/etc/hostname')",
        "LOAD '/tmp/x.so'",
        "CREATE EXTENSION file_fdw",
    ] {
        assert_eq!(schema.attack(sql).await, DENIED, "{sql}");
    }
}

/// The caller's `search_path` can place operators and functions before those of the catalog.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_hostile_search_path_changes_no_check() {
    let schema = Orders::start().await;
    schema.operate(include_str!("support/hostile_path.sql")).await;
    schema
        .operate(
            "SELECT tenancy.add_key(2, convert_to(repeat('k', 32), 'UTF8')); SELECT tenancy.retire_key(2)",
        )
        .await;
    // Each statement gets a new connection, because plans from before the path was set are kept.
    let hostile = "SET search_path = evil, pg_temp, pg_catalog, public";
    let service = schema.service().await;
    service.batch_execute(hostile).await.expect("a path");
    service.batch_execute(&format!("BEGIN; {}", enter_as(A))).await.expect("its own tenant");
    assert_eq!(outcome(&service, "SELECT id, amount FROM public.orders").await, OWN);
    let service = schema.service().await;
    service.batch_execute(hostile).await.expect("a path");
    let forged = format!("{}{}", hex(B.as_bytes()), "0".repeat(64));
    let sql = format!("BEGIN; SET LOCAL tenancy.context = '{forged}'; SELECT id, amount FROM public.orders");
    assert_eq!(outcome(&service, &sql).await, DENIED);
    for sql in [
        enter_sql(B, 1, LATER, &[0; 32]),
        enter_sql(B, 1, LATER, &[0]),
        enter_sql(A, 1, 1, &signature(SECRET, A, 1, 1)),
        enter_sql(A, 2, LATER, &signature(&[b'k'; 32], A, 2, LATER)),
        enter_sql(A, 9, LATER, &signature(SECRET, A, 9, LATER)),
        format!("{}; {}", enter_as(A), enter_as(B)),
    ] {
        let service = schema.service().await;
        service.batch_execute(hostile).await.expect("a path");
        assert_eq!(outcome(&service, &format!("BEGIN; {sql}")).await, DENIED, "{sql}");
    }
}

/// Temporary tables come before everything else in the search path.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn temporary_objects_change_no_check() {
    let schema = Orders::start().await;
    let service = schema.service().await;
    let sql = format!(
        "CREATE TEMP TABLE minting AS SELECT true AS single, repeat('x', 64)::bytea AS inner_pad, \
            repeat('x', 64)::bytea AS outer_pad; \
        CREATE TEMP TABLE keys AS SELECT 1 AS id, repeat('x', 64)::bytea AS inner_pad, \
            repeat('x', 64)::bytea AS outer_pad, NULL::timestamptz AS not_after; \
        CREATE TEMP TABLE pg_class AS SELECT 1 AS oid; \
        CREATE FUNCTION pg_temp.tenant_id() RETURNS uuid LANGUAGE sql AS $$ SELECT '{B}'::uuid $$; \
        CREATE FUNCTION pg_temp.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT ''::bytea $$; \
        SET search_path = pg_temp, public, pg_catalog"
    );
    service.batch_execute(&sql).await.expect("anyone may have temporary objects");
    let b = enter_sql(B, 1, LATER, &[]);
    assert_eq!(outcome(&service, &format!("BEGIN; {b}")).await, DENIED);
    service.batch_execute("ROLLBACK").await.expect("it ends");
    enter(&service, A).await;
    assert_eq!(outcome(&service, "SELECT id, amount FROM orders").await, OWN);
}

/// An expression on a row runs after the policy, unless it is marked as leakproof.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_leaky_expression_sees_no_row_of_another_tenant() {
    let schema = Orders::start().await;
    schema.operate("ANALYZE orders").await;
    let leak = "CREATE FUNCTION pg_temp.leak(bigint, int) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$ \
        BEGIN IF $1 <> 1 THEN RAISE EXCEPTION 'row %, %', $1, $2; END IF; RETURN true; END $$;";
    let leakproof = leak.replace("COST", "LEAKPROOF COST");
    for (sql, expected) in [
        ("SELECT id, amount FROM orders WHERE 1 / (amount - 22) IS NOT NULL".to_owned(), OWN),
        ("SELECT id, amount FROM orders WHERE 1 / (amount - 11) IS NOT NULL".to_owned(), "ERROR 22012"),
        (
            "SELECT id, amount FROM orders WHERE ('0' || id || CASE id WHEN 2 THEN 'x' END)::int = 2"
                .to_owned(),
            "",
        ),
        (format!("{leak} SELECT id, amount FROM orders WHERE pg_temp.leak(id, amount)"), OWN),
        (format!("{leak} UPDATE orders SET amount = 0 WHERE pg_temp.leak(id, amount) RETURNING id, 11"), OWN),
        (leakproof, DENIED),
        ("SELECT count(*) FROM pg_stats WHERE tablename = 'orders'".to_owned(), "0"),
        ("SELECT count(*) FROM pg_statistic".to_owned(), DENIED),
    ] {
        assert_eq!(schema.attack(&sql).await, expected, "{sql}");
    }
}

/// Plans contain constants, and a client can print plans.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn printed_plans_show_no_secret() {
    let schema = Orders::start().await;
    let (client, mut connection) =
        schema.database.config("service").connect(NoTls).await.expect("a connection");
    let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notice(notice) = message {
                let _ = sender.send(notice.to_string());
            }
        }
    });
    let forged = format!("{}{}", hex(B.as_bytes()), "0".repeat(64));
    let sql = format!(
        "SET client_min_messages = debug5; SET debug_print_plan = on; SET debug_print_rewritten = on; \
        SET debug_print_parse = on; BEGIN; {}; SELECT tenancy.tenant_id(); \
        SET LOCAL tenancy.context = '{forged}'; SELECT tenancy.tenant_id()",
        enter_as(A)
    );
    assert_eq!(outcome(&client, &sql).await, DENIED);
    // Statements of functions get other plans when they run again.
    for _ in 0..12 {
        let token = hex(&context_v2::token_of(A));
        let forged = format!("{}{}", &token[..119], if token.ends_with('0') { '1' } else { '0' });
        let enter = |token: &str| format!("ROLLBACK; BEGIN; SELECT tenancy.enter('\\x{token}'::bytea)");
        let entered = format!("{}; SELECT tenancy.tenant_id()", enter(&token));
        assert_eq!(outcome(&client, &entered).await, format!("t;{A}"));
        let forged_mac = "SELECT set_config('tenancy.context', \
            overlay(current_setting('tenancy.context') PLACING 'g' FROM 60), true); SELECT tenancy.tenant_id()";
        assert_eq!(outcome(&client, forged_mac).await, DENIED);
        assert_eq!(outcome(&client, &enter(&forged)).await, DENIED);
    }
    drop(client);
    let mut shown = String::new();
    while let Ok(Some(notice)) = tokio::time::timeout(Duration::from_secs(60), receiver.recv()).await {
        shown.push_str(&notice);
    }
    assert!(shown.contains("set_config") || shown.contains(":funcid"), "plans are shown");
    let pads = "SELECT encode(inner_pad, 'hex') FROM tenancy.minting UNION ALL \
        SELECT encode(outer_pad, 'hex') FROM tenancy.minting UNION ALL \
        SELECT encode(inner_pad, 'hex') FROM tenancy.keys UNION ALL \
        SELECT encode(outer_pad, 'hex') FROM tenancy.keys UNION ALL \
        SELECT encode(pad, 'hex') FROM tenancy.secrets UNION ALL \
        SELECT encode(mint, 'hex') FROM tenancy.secrets";
    for pad in outcome(&schema.operator, pads).await.split(';') {
        // A plan prints the bytes of a constant as signed numbers.
        let printed: Vec<_> = bytes(pad)[..8].iter().map(|byte| byte.cast_signed().to_string()).collect();
        assert!(!shown.contains(&printed.join(" ")) && !shown.contains(&pad[..16]), "a pad is shown");
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn views_and_functions_leak_only_if_their_owner_bypasses_row_security() {
    let schema = Orders::start().await;
    schema
        .operate(
            "GRANT SELECT ON orders TO app_view_owner; \
            CREATE VIEW by_plain AS SELECT id, amount FROM orders; ALTER VIEW by_plain OWNER TO app_view_owner; \
            CREATE VIEW by_super AS SELECT id, amount FROM orders; \
            CREATE FUNCTION f_plain() RETURNS SETOF bigint LANGUAGE sql SECURITY DEFINER \
                AS 'SELECT id FROM public.orders'; ALTER FUNCTION f_plain() OWNER TO app_view_owner; \
            CREATE FUNCTION f_super() RETURNS SETOF bigint LANGUAGE sql SECURITY DEFINER \
                AS 'SELECT id FROM public.orders'; \
            GRANT SELECT ON by_plain, by_super TO tenancy_app",
        )
        .await;
    for (sql, expected) in [
        ("SELECT * FROM by_plain", OWN),
        ("SELECT f_plain()", "1"),
        // These leak. No policy can prevent it, so the audit reports them.
        ("SELECT * FROM by_super", "1,11;2,22"),
        ("SELECT f_super()", "1;2"),
    ] {
        assert_eq!(schema.attack(sql).await, expected, "{sql}");
    }
    let version =
        outcome(&schema.operator, "SELECT current_setting('server_version_num')::int >= 150000").await;
    if version == "t" {
        schema.operate("ALTER VIEW by_super SET (security_invoker)").await;
        assert_eq!(schema.attack("SELECT * FROM by_super").await, OWN);
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_prepared_statement_runs_in_the_current_tenant() {
    let schema = Orders::start().await;
    let service = schema.entered(A).await;
    // After five runs the plan becomes a generic one.
    let mut runs = "PREPARE kept (int) AS SELECT id, amount FROM orders WHERE amount > $1;".to_owned();
    runs += &"EXECUTE kept (0);".repeat(7);
    assert_eq!(outcome(&service, &runs).await, [OWN; 7].join(";"));
    service.batch_execute("COMMIT").await.expect("committed");
    assert_eq!(outcome(&service, "EXECUTE kept (0)").await, DENIED);
    enter(&service, B).await;
    assert_eq!(outcome(&service, "EXECUTE kept (0)").await, "2,22");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_partition_is_as_protected_as_its_table() {
    let schema = Orders::start().await;
    schema
        .operate(&format!(
            "CREATE TABLE events (at int, tenant_id uuid) PARTITION BY RANGE (at); \
            CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10); \
            INSERT INTO events VALUES (1, '{A}'), (2, '{B}'); SELECT tenancy.enable_table('events')"
        ))
        .await;
    assert_eq!(schema.attack("SELECT at FROM events").await, "1");
    assert_eq!(schema.attack("SELECT at FROM events_1").await, DENIED);
    schema.operate("GRANT SELECT, INSERT ON events_1 TO tenancy_app").await;
    assert_eq!(schema.attack("SELECT at FROM events_1").await, "1", "granted by mistake");
    assert_eq!(schema.attack(&format!("INSERT INTO events_1 VALUES (3, '{B}')")).await, DENIED);
}

/// A permissive policy that was added by mistake.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn an_additional_permissive_policy_grants_nothing() {
    let schema = Orders::start().await;
    schema.operate("CREATE POLICY mistake ON orders USING (true) WITH CHECK (true)").await;
    assert_eq!(schema.attack("SELECT id, amount FROM orders").await, OWN);
    assert_eq!(schema.attack(&format!("INSERT INTO orders VALUES (3, 33, '{B}')")).await, DENIED);
}

/// A service can connect as the owner of the table by mistake. The owner is not a superuser.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn row_security_applies_to_the_table_owner() {
    let schema = Orders::start().await;
    schema.operate("ALTER TABLE orders OWNER TO service").await;
    assert_eq!(schema.attack("SELECT id, amount FROM orders").await, OWN);
    assert_eq!(schema.attack(&format!("INSERT INTO orders VALUES (3, 33, '{B}')")).await, DENIED);
}

/// Constraints are checked without policies, so a violation reveals that a key exists, but no more. Keys that begin with
/// `tenant_id` reveal nothing; the audit reports other keys.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn keys_without_tenant_id_reveal_only_that_they_exist() {
    let schema = Orders::start().await;
    schema
        .operate(
            "CREATE TABLE lines (order_id bigint REFERENCES orders ON DELETE CASCADE); \
            SELECT tenancy.enable_table('lines'); ALTER TABLE orders ADD UNIQUE (tenant_id, id); \
            CREATE TABLE kept (order_id bigint, tenant_id uuid, UNIQUE (tenant_id, order_id), \
                FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, id)); \
            SELECT tenancy.enable_table('kept')",
        )
        .await;
    for (sql, expected) in [
        ("INSERT INTO orders VALUES (2, 0)", "ERROR 23505"),
        ("INSERT INTO lines VALUES (2) RETURNING order_id", "2"),
        ("INSERT INTO lines VALUES (3)", "ERROR 23503"),
        ("INSERT INTO kept VALUES (1) RETURNING order_id", "1"),
        ("INSERT INTO kept VALUES (2)", "ERROR 23503"),
        ("INSERT INTO kept VALUES (3)", "ERROR 23503"),
    ] {
        assert_eq!(schema.attack(sql).await, expected, "{sql}");
    }
    let service = schema.entered(A).await;
    let error = service.execute("INSERT INTO orders VALUES (2, 0)", &[]).await.expect_err("a duplicate");
    assert_eq!(error.as_db_error().and_then(|error| error.detail()), None, "no value is shown");
    // A's row refers to B's row and is deleted with it: a cascade across tenants.
    drop(service);
    let (a, b) = (schema.entered(A).await, schema.service().await);
    a.batch_execute("INSERT INTO lines VALUES (2); COMMIT").await.expect("a row");
    enter(&b, B).await;
    b.batch_execute("DELETE FROM orders; COMMIT").await.expect("its own");
    assert_eq!(outcome(&schema.operator, "SELECT count(*) FROM lines").await, "0");
}

/// The audit reports that a service can create large objects.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn large_objects_have_no_tenant() {
    let schema = Orders::start().await;
    let a = schema.entered(A).await;
    let object = outcome(&a, "SELECT lo_from_bytea(0, 'of A')").await;
    a.batch_execute("COMMIT").await.expect("committed");
    enter(&a, B).await;
    assert_eq!(
        outcome(&a, &format!("SELECT convert_from(lo_get({object}), 'UTF8')")).await,
        "of A",
        "a leak"
    );
    schema.operate("REVOKE EXECUTE ON FUNCTION lo_get(oid), lo_get(oid, bigint, int) FROM PUBLIC").await;
    assert_eq!(schema.attack(&format!("SELECT lo_get({object})")).await, DENIED);
}
