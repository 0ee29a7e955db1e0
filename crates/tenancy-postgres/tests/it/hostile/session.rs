//! What one tenant's SQL leaves for statements of the next tenant.

use std::error::Error as StdError;

use bytes::{BufMut, BytesMut};
use tenancy::{TenantFutureExt, TenantId};
use tenancy_postgres::{Error, TenantDb, TenantTx};
use tokio_postgres::types::{IsNull, Kind, ToSql, Type, to_sql_checked};

use crate::support::database::Database;
use crate::support::notes::{connect, notes};
use crate::support::{A, B};

/// Runs statements in one transaction and commits it.
async fn run(db: &TenantDb, tenant: TenantId, statements: &[&str]) -> Result<(), Error> {
    let tx = db.begin_in(tenant).await?;
    for sql in statements {
        tx.execute(sql, &[]).await?;
    }
    tx.commit().await
}

async fn ask(db: &TenantDb, tenant: TenantId, sql: &str) -> Result<String, Error> {
    let rows = db.tx_in(tenant, async |tx: &TenantTx<'_>| tx.query_unverified(sql, &[]).await).await?;
    Ok(rows[0].get(0))
}

const INSERT: &str = "INSERT INTO notes (title) VALUES ($1)";

/// A has a table of the same name in which the parameter has another type.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn parameter_types_are_not_learned_from_a_table_of_another_tenant() -> Result<(), Error> {
    let database = Database::with_notes();
    let db = connect(&database, 2).await;
    learn(&db, "int", &1).await?;
    for attempt in 0..3 {
        let inserted = db.execute(INSERT, &[&"b"]).in_tenant(B).await;
        assert!(inserted.is_ok(), "attempt {attempt}: {inserted:?}");
    }
    Ok(())
}

/// A `&str` can be sent as `char(n)`, which loses spaces at the end.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_table_of_another_tenant_does_not_change_a_parameter() -> Result<(), Error> {
    let database = Database::with_notes();
    let db = connect(&database, 2).await;
    learn(&db, "char(9)", &"a").await?;
    db.execute(INSERT, &[&"two spaces  "]).in_tenant(B).await?;
    assert_eq!(notes(&db, B).await, ["two spaces  "], "A changed what B wrote");
    Ok(())
}

async fn learn(db: &TenantDb, column: &str, param: &(dyn ToSql + Sync)) -> Result<(), Error> {
    let tx = db.begin_in(A).await?;
    tx.execute(&format!("CREATE TEMP TABLE notes (title {column})"), &[]).await?;
    tx.execute(INSERT, &[param]).await?;
    tx.commit().await
}

/// A composite value whose fields are sent by name, as by a derived `ToSql`.
#[derive(Debug)]
struct Span {
    low: i32,
    high: i32,
}

impl ToSql for Span {
    fn to_sql(&self, r#type: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        let Kind::Composite(fields) = r#type.kind() else { return Err("no composite".into()) };
        out.put_i32(i32::try_from(fields.len())?);
        for field in fields {
            out.put_u32(field.type_().oid());
            out.put_i32(4);
            out.put_i32(if field.name() == "low" { self.low } else { self.high });
        }
        Ok(IsNull::No)
    }

    fn accepts(r#type: &Type) -> bool {
        matches!(r#type.kind(), Kind::Composite(_))
    }

    to_sql_checked!();
}

/// Statements that look up types are not prepared: A could replace them.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn types_are_not_learned_from_a_statement_of_another_tenant() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let sql = "CREATE TYPE decoy AS (a int); CREATE TYPE span AS (low int, high int); \
        CREATE TABLE spans (span span); SELECT tenancy.enable_table('spans')";
    superuser.batch_execute(sql).await?;
    let db = connect(&database, 1).await;
    let tx = db.begin_in(A).await?;
    tx.query_unverified("SELECT NULL::decoy", &[]).await?;
    let sql = "SELECT name FROM pg_prepared_statements WHERE statement LIKE '%pg_attribute%'";
    assert_eq!(tx.query_unverified(sql, &[]).await?.len(), 0, "a look-up that A can replace");
    tx.query_unverified("SELECT NULL::span", &[]).await?;
    tx.commit().await?;
    let span = Span { low: 1, high: 2 };
    let inserted = db.execute("INSERT INTO spans (span) VALUES ($1)", &[&span]).in_tenant(B).await;
    if inserted.is_ok() {
        let found = superuser.query_one("SELECT span::text FROM spans", &[]).await?;
        assert_eq!(found.get::<_, &str>(0), "(1,2)", "A turned what B wrote");
    }
    Ok(())
}

/// A function is compiled once per session, with the tables that its names refer to at that time.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_function_is_not_compiled_with_a_table_of_another_tenant() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let sql = "CREATE FUNCTION kept(title text) RETURNS text LANGUAGE plpgsql AS \
        $$DECLARE kept notes.title%TYPE := title; BEGIN RETURN kept; END$$";
    superuser.batch_execute(sql).await?;
    let db = connect(&database, 1).await;
    run(&db, A, &["CREATE TEMP TABLE notes (title \"char\")", "SELECT kept('a')"]).await?;
    assert_eq!(ask(&db, B, "SELECT kept('what B gave')").await?, "what B gave");
    Ok(())
}

/// The generator belongs to the session. Neither `RESET ALL` nor `DISCARD ALL` resets it.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn random_does_not_use_a_seed_of_another_tenant() -> Result<(), Error> {
    let database = Database::with_notes();
    let db = connect(&database, 1).await;
    let mut seen = Vec::new();
    for _ in 0..2 {
        run(&db, A, &["SELECT setseed(0.5)"]).await?;
        seen.push(ask(&db, B, "SELECT random()::text").await?);
    }
    assert_ne!(seen[0], seen[1], "A knows what B drew");
    Ok(())
}

/// The scrub drops temporary tables, which fails while triggers are pending.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn temporary_triggers_do_not_run_between_scrub_and_commit() -> Result<(), Error> {
    let database = Database::with_notes();
    let db = connect(&database, 1).await;
    let committed = run(
        &db,
        A,
        &[
            "CREATE TEMP TABLE fuse (n int)",
            "CREATE FUNCTION pg_temp.burn() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN \
                IF NEW.n > 0 THEN SET CONSTRAINTS ALL DEFERRED; INSERT INTO pg_temp.fuse VALUES (NEW.n - 1); \
                ELSE PERFORM pg_catalog.set_config('search_path', 'pg_temp', false); END IF; RETURN NULL; END$$",
            "CREATE CONSTRAINT TRIGGER burn AFTER INSERT ON fuse DEFERRABLE INITIALLY DEFERRED \
                FOR EACH ROW EXECUTE FUNCTION pg_temp.burn()",
            "INSERT INTO fuse VALUES (1)",
        ],
    )
    .await;
    assert!(committed.is_err());
    assert_eq!(ask(&db, B, "SELECT current_setting('search_path')").await?, "\"$user\", public");
    Ok(())
}
