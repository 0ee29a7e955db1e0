//! Hostile SQL behind a transaction pooler.

use std::time::Duration;

use tenancy::TenantFutureExt;
use tenancy_postgres::{Config, Error, TenantDb};

use crate::support::database::Database;
use crate::support::pooler::Pooler;
use crate::support::{A, B, key};

async fn connect(pgbouncer: &Pooler) -> TenantDb {
    let config =
        Config::new(pgbouncer.config(), key()).max_connections(1).acquire_timeout(Duration::from_secs(30));
    TenantDb::connect(config).await.expect("a database")
}

/// Runs statements and an own `COMMIT`, so that the pooler passes the session on as it is. Returns whether it did: a time
/// limit of a millisecond among the statements can end the session first.
async fn leave(db: &TenantDb, statements: &[&str]) -> Result<bool, Error> {
    let tx = db.begin_in(A).await?;
    for sql in statements {
        tx.execute(sql, &[]).await?;
    }
    let committed = tx.execute("COMMIT", &[]).await;
    let is_left = matches!(committed, Err(Error::TxEscaped));
    let is_limited = statements.iter().any(|sql| sql.ends_with("timeout = 1"));
    assert!(is_left || is_limited && committed.is_err(), "{committed:?}");
    Ok(is_left)
}

/// Repeats [`leave`] until the session is passed on, which can take several attempts on a busy machine.
async fn leave_at_last(db: &TenantDb, sql: &str) -> Result<(), Error> {
    for _ in 0..100 {
        if leave(db, &[sql]).await? {
            return Ok(());
        }
    }
    panic!("{sql}: A's own session never lasts until its commit")
}

/// A direct connection is recognized by a setting. A leaves the same setting in the server's session.
#[tokio::test]
#[ignore = "needs postgres and pgbouncer; cargo xtask test runs it"]
async fn a_pooled_connection_is_not_mistaken_for_a_direct_one() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    superuser.batch_execute("REVOKE ALL ON public.plain FROM tenancy_app").await?;
    let settings = [("default_pool_size", "1"), ("ignore_startup_parameters", "options")];
    let pgbouncer = Pooler::start_with(&database, &settings);
    assert!(leave(&connect(&pgbouncer).await, &["SET tenancy.direct = 'on'"]).await?);
    // The service starts again, and must not conclude that there is no pooler.
    let db = connect(&pgbouncer).await;
    let table = "CREATE TEMP TABLE notes (title text)";
    assert!(leave(&db, &[table, "SET search_path = pg_temp, public"]).await?);
    db.execute("INSERT INTO notes (title) VALUES ('b')", &[]).in_tenant(B).await?;
    let count = superuser.query_one("SELECT count(*) FROM public.notes", &[]).await?;
    assert_eq!(count.get::<_, i64>(0), 1, "B wrote to A's table");
    Ok(())
}

/// Settings that were left behind are in force at `BEGIN`, before the session is scrubbed.
#[tokio::test]
#[ignore = "needs postgres and pgbouncer; cargo xtask test runs it"]
async fn settings_left_behind_do_not_affect_the_next_transaction() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    superuser.batch_execute("REVOKE ALL ON public.plain FROM tenancy_app").await?;
    let pgbouncer = Pooler::start(&database, 1);
    let db = connect(&pgbouncer).await;
    let mut failed = Vec::new();
    for sql in [
        "SET default_transaction_read_only = on",
        "SET default_transaction_isolation = 'serializable'",
        "SET statement_timeout = 1",
        "SET idle_in_transaction_session_timeout = 1",
        "SET transaction_timeout = 1",
        "SET standard_conforming_strings = off",
        "SET client_encoding = 'SQL_ASCII'",
        "SET search_path = nowhere",
        "SET ROLE tenancy_shared",
    ] {
        if leave_at_last(&db, sql).await.is_err() {
            continue;
        }
        let b = "INSERT INTO notes (title) VALUES (current_setting('transaction_isolation') || 'ü')";
        match db.execute(b, &[]).in_tenant(B).await {
            Ok(_) => {}
            Err(error) => failed.push(format!("{sql}: {error}")),
        }
    }
    let other = "SELECT count(*) FROM notes WHERE title <> 'read committedü'";
    if superuser.query_one(other, &[]).await?.get::<_, i64>(0) > 0 {
        failed.push("the isolation is A's".to_owned());
    }
    assert!(failed.is_empty(), "{failed:#?}");
    Ok(())
}
