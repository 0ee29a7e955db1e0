//! Isolation levels, retries, streams, and the defaults of roles and servers.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tenancy::{TenantError, TenantFutureExt, TenantId, TenantStatus};
use tenancy_postgres::{Config, Error, Isolation, TenantDb, TenantTx, TxOptions};
use tokio::sync::Barrier;
use tokio::time::timeout;

use crate::support::database::{Contents, Database};
use crate::support::notes::{connect, insert, notes};
use crate::support::pooler::Pooler;
use crate::support::{A, B, LIMIT, key};

const CHARACTERISTICS: &str =
    "SELECT current_setting('transaction_isolation') || ' ' || current_setting('transaction_read_only')";

async fn characteristics(db: &TenantDb, options: TxOptions) -> Result<String, Error> {
    let ask = async |tx: &TenantTx<'_>| {
        let rows = tx.query_unverified(CHARACTERISTICS, &[]).await?;
        Ok::<_, Error>(rows[0].get(0))
    };
    db.tx_with(options, ask).in_tenant(A).await
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_transaction_has_the_options_it_was_given() -> Result<(), Error> {
    let database = Database::with_notes();
    let db = connect(&database, 1).await;
    let new = TxOptions::new;
    for (options, expected) in [
        (new(), "read committed off"),
        (new().isolation(Isolation::RepeatableRead), "repeatable read off"),
        (new().isolation(Isolation::Serializable).read_only(true), "serializable on"),
        (new().isolation(Isolation::ReadCommitted), "read committed off"),
    ] {
        assert_eq!(characteristics(&db, options).await?, expected, "{options:?}");
    }
    let write = async |tx: &TenantTx<'_>| tx.execute("INSERT INTO notes (title) VALUES ('a')", &[]).await;
    let refused = db.tx_with(new().read_only(true), write).in_tenant(A).await.expect_err("it writes");
    assert_eq!(refused.code(), Some("25006"));
    assert!(!refused.is_transient(), "the options forbid it");
    Ok(())
}

/// Two transactions read each other's row before they write their own: one of them has to run again.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn runs_a_transaction_again_after_a_conflict() -> Result<(), Error> {
    let database = Database::with_notes();
    let db = connect(&database, 2).await;
    insert(&db, A, "1").await;
    insert(&db, A, "1").await;
    let (attempts, together) = (AtomicUsize::new(0), Barrier::new(2));
    let move_one = async |own: i64| {
        let body = async |tx: &TenantTx<'_>| {
            let first = attempts.fetch_add(1, Ordering::SeqCst) < 2;
            let sql = "SELECT count(*) FROM notes WHERE title = '1'";
            let count: i64 = tx.query_unverified(sql, &[]).await?[0].get(0);
            if first {
                together.wait().await;
            }
            if count > 1 {
                tx.execute("UPDATE notes SET title = '0' WHERE id = $1", &[&own]).await?;
            }
            Ok::<_, Error>(())
        };
        let options = TxOptions::new().isolation(Isolation::Serializable).retries(5);
        db.tx_with(options, body).in_tenant(A).await
    };
    let (one, two) = timeout(LIMIT, async { tokio::join!(Box::pin(move_one(1)), Box::pin(move_one(2))) })
        .await
        .expect("in time");
    one.and(two)?;
    assert!(attempts.load(Ordering::SeqCst) >= 3, "one ran again");
    let mut left = notes(&db, A).await;
    left.sort();
    assert_eq!(left, ["0", "1"], "both together left one");
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn reports_a_conflict_after_the_last_attempt_and_retries_nothing_else() -> Result<(), Error> {
    let database = Database::with_notes();
    let db = connect(&database, 1).await;
    let attempts = Arc::new(AtomicUsize::new(0));
    for (sqlstate, retries, expected) in [("40001", 2, 3), ("40P01", 1, 2), ("40001", 0, 1), ("23505", 2, 1)]
    {
        attempts.store(0, Ordering::SeqCst);
        let fail = async |tx: &TenantTx<'_>| {
            attempts.fetch_add(1, Ordering::SeqCst);
            let sql = format!("DO $$BEGIN RAISE EXCEPTION USING ERRCODE = '{sqlstate}'; END$$");
            tx.execute(&sql, &[]).await
        };
        let options = TxOptions::new().retries(retries);
        let error = db.tx_with(options, fail).in_tenant(A).await.expect_err("it fails");
        assert_eq!(error.code(), Some(sqlstate));
        assert_eq!(attempts.load(Ordering::SeqCst), expected, "{sqlstate}, {retries} retries");
    }
    assert_eq!(notes(&db, B).await, [""; 0]);
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn streams_rows_in_batches_between_other_statements() -> Result<(), Error> {
    let database = Database::with_notes();
    let db = connect(&database, 1).await;
    let sql = "INSERT INTO notes (title) SELECT n::text FROM generate_series(1, 1000) n";
    db.execute(sql, &[]).in_tenant(A).await?;
    insert(&db, B, "b").await;
    let tx = db.begin_in(A).await?;
    let select = "SELECT tenant_id, title FROM notes WHERE id > $1 ORDER BY id";
    let mut rows = tx.query_stream(select, &[&0_i64]).await?;
    let mut seen = 0;
    while let Some(row) = rows.next().await? {
        seen += 1;
        assert_eq!(row.get::<_, &str>("title"), seen.to_string());
        if seen % 100 == 0 {
            tx.execute("UPDATE notes SET title = title WHERE id = $1", &[&1_i64]).await?;
        }
    }
    assert_eq!(seen, 1000);
    assert!(rows.next().await?.is_none(), "it stays at its end");
    // A stream that is dropped early leaves a usable transaction.
    let mut rows = tx.query_stream(select, &[&0_i64]).await?;
    assert!(rows.next().await?.is_some());
    drop(rows);
    assert_eq!(tx.query(select, &[&999_i64]).await?.len(), 1);
    let missing = tx.query_stream("SELECT title FROM notes", &[]).await.expect_err("no tenant column");
    assert!(matches!(missing, Error::MissingTenantColumn), "{missing:?}");
    tx.commit().await
}

/// Layer 4 looks at each row of a stream. The view's owner bypasses row-level security.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_stream_stops_before_a_row_of_another_tenant() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    let sql = "INSERT INTO notes (title) SELECT 'a' FROM generate_series(1, 300)";
    db.execute(sql, &[]).in_tenant(A).await?;
    insert(&db, B, "b").await;
    let sql = "CREATE VIEW leak AS SELECT * FROM notes; GRANT SELECT ON leak TO tenancy_app";
    superuser.batch_execute(sql).await.expect("a view");
    let tx = db.begin_in(A).await?;
    let mut rows = tx.query_stream("SELECT tenant_id, title FROM leak ORDER BY id", &[]).await?;
    let mut seen = 0;
    let error = loop {
        match rows.next().await {
            Ok(Some(row)) => assert_eq!(row.get::<_, &str>("title"), "a"),
            Ok(None) => panic!("the stream ended after {seen} rows"),
            Err(error) => break error,
        }
        seen += 1;
    };
    assert!(matches!(error, Error::Mismatch(_)), "{error:?}");
    assert!(matches!(tx.commit().await, Err(Error::TxClosed)));
    Ok(())
}

/// The defaults of the role are those of its transactions, also behind a pooler whose session another tenant changed.
#[tokio::test]
#[ignore = "needs postgres and pgbouncer; cargo xtask test runs it"]
async fn transactions_have_the_defaults_of_their_role() -> Result<(), Error> {
    let database = Database::alone(Contents::Notes);
    let superuser = database.superuser().await;
    let sql = "ALTER ROLE service SET default_transaction_isolation = 'repeatable read'";
    superuser.batch_execute(sql).await.expect("a default");
    let direct = connect(&database, 1).await;
    assert_eq!(characteristics(&direct, TxOptions::new()).await?, "repeatable read off");
    // The first pool's helper granted it after its audit.
    superuser.batch_execute("REVOKE ALL ON plain FROM tenancy_app").await.expect("revoked");
    let pgbouncer = Pooler::start(&database, 1);
    let config =
        Config::new(pgbouncer.config(), key()).max_connections(1).acquire_timeout(Duration::from_secs(30));
    let pooled = TenantDb::connect(config).await?;
    for sql in [
        "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY",
        "SET default_transaction_read_only = on",
    ] {
        let tx = pooled.begin_in(A).await?;
        tx.execute(sql, &[]).await?;
        // A commit by SQL gives the session to the pooler before it is scrubbed.
        let _ = tx.execute("COMMIT", &[]).await;
        drop(tx);
        assert_eq!(characteristics(&pooled, TxOptions::new()).await?, "repeatable read off", "{sql}");
        pooled.execute("INSERT INTO notes (title) VALUES ('b')", &[]).in_tenant(B).await?;
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres and pgbouncer; cargo xtask test runs it"]
async fn a_standby_is_readable_directly_and_pooled() -> Result<(), Error> {
    let mut database = Database::alone(Contents::Orders);
    let signal = database.folder().join("data/standby.signal");
    fs::write(&signal, "").expect("a file");
    // The server's user opens it for writing.
    fs::set_permissions(&signal, Permissions::from_mode(0o666)).expect("permissions");
    database.server.crash_and_restart().expect("a standby");
    let config = Config::new(database.config("service"), key()).max_connections(1);
    let pgbouncer = Pooler::start(&database, 1);
    let pooled = Config::new(pgbouncer.config(), key()).max_connections(1);
    for config in [config, pooled.acquire_timeout(Duration::from_secs(30))] {
        let db = TenantDb::connect(config).await?;
        for (tenant, id) in [(A, 1_i64), (B, 2), (A, 1)] {
            let sql = "SELECT tenant_id, id FROM orders WHERE id > $1";
            let rows = db.query(sql, &[&0_i64]).in_tenant(tenant).await?;
            assert_eq!(rows.iter().map(|row| row.get(1)).collect::<Vec<i64>>(), [id]);
            let count = async { db.table("orders").select("id").count().await };
            assert_eq!(count.in_tenant(tenant).await?, 1);
        }
        let error = db.execute("DELETE FROM orders", &[]).in_tenant(A).await.expect_err("it only reads");
        assert_eq!(error.code(), Some("25006"));
        assert!(error.is_transient(), "another server may become the primary");
        assert_eq!(characteristics(&db, TxOptions::new()).await?, "read committed on");
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_directory_rejects_tenants_that_are_not_active() -> Result<(), Error> {
    let database = Database::shared(Contents::Orders);
    let asked = |tenant: TenantId| async move {
        match tenant {
            A => Ok(Some(TenantStatus::Active)),
            B => Ok(Some(TenantStatus::Suspended)),
            TenantId::PLATFORM => Err("the directory is away"),
            _ => Ok(None),
        }
    };
    let config = Config::new(database.config("service"), key()).max_connections(1);
    let db = TenantDb::connect(config.clone().directory(asked)).await?;
    let select = "SELECT tenant_id, id FROM orders";
    assert_eq!(db.query(select, &[]).in_tenant(A).await?.len(), 1);
    let suspended = db.query(select, &[]).in_tenant(B).await.expect_err("suspended");
    assert!(matches!(suspended, Error::Tenant(TenantError::TenantValidation(_))), "{suspended:?}");
    assert!(!suspended.is_transient());
    let begun = db.begin_in(B).await.err();
    assert!(matches!(begun, Some(Error::Tenant(_))), "{begun:?}");
    let table = async { db.table("orders").select("id").count().await };
    assert!(matches!(table.in_tenant(B).await, Err(Error::Tenant(_))));
    let unknown = TenantId::from_bytes([7; 16]).expect("an id");
    let missing = db.query(select, &[]).in_tenant(unknown).await.expect_err("unknown");
    assert!(matches!(missing, Error::Tenant(TenantError::TenantNotFound(_))), "{missing:?}");
    let failed = db.query(select, &[]).in_tenant(TenantId::PLATFORM).await.expect_err("no answer");
    assert!(matches!(failed, Error::Directory(_)) && failed.is_transient(), "{failed:?}");
    // Without a directory the id alone decides.
    let without = TenantDb::connect(config).await?;
    assert_eq!(without.query(select, &[]).in_tenant(B).await?.len(), 1);
    Ok(())
}
