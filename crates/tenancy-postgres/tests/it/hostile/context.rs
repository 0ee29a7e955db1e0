//! Attempts to get another tenant's context, or to reuse one's own.

use crate::support::orders::{Orders, enter, hex, outcome};
use crate::support::{A, B};

const DENIED: &str = "ERROR 42501";

/// A function can be marked as parallel safe. A parallel worker has another process id and the same transaction time.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_parallel_worker_has_the_same_tenant_or_none() {
    let schema = Orders::start().await;
    let client = schema.service().await;
    enter(&client, A).await;
    let forged = format!("{}{}", hex(B.as_bytes()), "0".repeat(64));
    let sql = format!(
        "CREATE FUNCTION pg_temp.tenant() RETURNS uuid LANGUAGE sql PARALLEL SAFE AS 'SELECT tenancy.tenant_id()'; \
        CREATE FUNCTION pg_temp.forge(text) RETURNS uuid LANGUAGE plpgsql PARALLEL SAFE AS \
        $$BEGIN PERFORM set_config('tenancy.context', '{forged}', true); RETURN tenancy.tenant_id(); END$$; \
        SELECT set_config(name, 'on', false) FROM pg_settings \
            WHERE name IN ('force_parallel_mode', 'debug_parallel_query'); SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; \
        SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2"
    );
    client.batch_execute(&sql).await.expect("functions");
    for sql in ["SELECT pg_temp.tenant()", "SELECT pg_temp.tenant() FROM orders"] {
        client.batch_execute("SAVEPOINT s").await.expect("a savepoint");
        let seen = outcome(&client, sql).await;
        assert!(seen == A.to_string() || seen == DENIED, "{sql}: {seen}");
        client.batch_execute("ROLLBACK TO s").await.expect("back");
    }
    let seen = outcome(&client, "SELECT pg_temp.forge('')").await;
    assert!(seen.starts_with("ERROR"), "{seen}");
}

/// After a subtransaction is rolled back, the context is the one from before.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn subtransactions_and_functions_do_not_change_the_context() {
    let schema = Orders::start().await;
    let select = "SELECT id, amount FROM orders";
    let own = "concat('bbbbbbbbbbbb4bbb8bbbbbbbbbbbbbbb', substr(current_setting('tenancy.context'), 33))";
    for (sql, expected) in [
        (format!("SELECT set_config('tenancy.context', {own}, true) IS NULL; {select}"), DENIED),
        (
            format!(
                "WITH x AS MATERIALIZED (SELECT set_config('tenancy.context', {own}, true)) SELECT id, amount FROM x, orders"
            ),
            DENIED,
        ),
        (
            format!("SELECT id, amount FROM orders WHERE set_config('tenancy.context', {own}, true) <> ''"),
            "1,11",
        ),
        (
            format!(
                "DO $$BEGIN BEGIN PERFORM set_config('tenancy.context', {own}, false); RAISE division_by_zero; \
                EXCEPTION WHEN division_by_zero THEN END; END$$; {select}"
            ),
            "1,11",
        ),
        (
            format!(
                "CREATE FUNCTION pg_temp.f() RETURNS bigint LANGUAGE sql SET tenancy.context = '{B}' \
                AS 'SELECT count(*) FROM orders'; SELECT pg_temp.f()"
            ),
            DENIED,
        ),
        (format!("PREPARE p AS {select}; EXECUTE p; COMMIT AND CHAIN; EXECUTE p"), DENIED),
        (
            "CREATE PROCEDURE pg_temp.p() LANGUAGE plpgsql AS 'BEGIN COMMIT; END'; CALL pg_temp.p()"
                .to_owned(),
            "ERROR 2D000",
        ),
        ("DO $$BEGIN COMMIT; END$$".to_owned(), "ERROR 2D000"),
        (format!("DECLARE c CURSOR WITH HOLD FOR {select}; COMMIT; FETCH c"), "1,11"),
        (format!("DECLARE c CURSOR FOR {select}; SET LOCAL tenancy.context = ''; FETCH c"), DENIED),
    ] {
        assert_eq!(schema.attack(&sql).await, expected, "{sql}");
    }
}
