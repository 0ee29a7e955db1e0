//! Work that is dropped at each of its polls: the next tenant finds only its own rows, and no transaction stays open.

use std::time::Duration;

use tenancy::TenantFutureExt;
use tenancy_postgres::{Error, TenantDb, TenantTx};
use tokio::time::timeout;

use crate::support::database::Database;
use crate::support::drops::{Work, drops, no_transaction_stays_open, poll_and_drop, runtime};
use crate::support::notes::{connect, insert, notes};
use crate::support::{A, B, LIMIT};

/// The number of drops of each kind of work, unless the environment variable `TENANCY_DROPS` sets another one.
const DROPS: usize = 1500;

const INSERT: &str = "INSERT INTO notes (title) VALUES ('a')";
const SELECT: &str = "SELECT tenant_id, title FROM notes WHERE id > $1";

/// Returns work that succeeds after some polls if it is not dropped.
fn work<'a>(name: &str, db: &'a TenantDb) -> Work<'a, Error> {
    match name {
        "alone" => Box::pin(async { db.execute(INSERT, &[]).in_tenant(A).await.map(drop) }),
        "alone, with parameters" => {
            Box::pin(async { db.query(SELECT, &[&0_i64]).in_tenant(A).await.map(drop) })
        }
        "query" => Box::pin(async {
            let tx = db.begin_in(A).await?;
            tx.query(SELECT, &[&0_i64]).await.map(drop)
        }),
        "commit" => Box::pin(async {
            let tx = db.begin_in(A).await?;
            tx.execute(INSERT, &[]).await?;
            tx.commit().await
        }),
        "rollback" => Box::pin(async {
            let tx = db.begin_in(A).await?;
            tx.execute(INSERT, &[]).await?;
            tx.rollback().await
        }),
        "scope" => Box::pin(db.tx_in(A, async |tx: &TenantTx<'_>| {
            tx.execute(INSERT, &[]).await?;
            tx.query(SELECT, &[&0_i64]).await.map(drop)
        })),
        "mess" => Box::pin(async {
            let tx = db.begin_in(A).await?;
            tx.execute("SET search_path = pg_temp", &[]).await?;
            tx.execute("SELECT pg_advisory_lock(1)", &[]).await?;
            tx.execute("DECLARE c CURSOR WITH HOLD FOR SELECT title FROM public.notes", &[]).await?;
            tx.commit().await
        }),
        name => panic!("{name}"),
    }
}

/// Looks at the same pool as the other tenant.
async fn look(db: &TenantDb, name: &str, polls: usize) {
    let seen = timeout(LIMIT, notes(db, B)).await.expect("in time");
    assert_eq!(seen, ["b"], "{name}, {polls} polls");
    let sql = "SELECT current_setting('search_path'), (SELECT count(*) FROM pg_cursors WHERE is_holdable)";
    let rows =
        db.tx_in(B, async |tx: &TenantTx<'_>| tx.query_unverified(sql, &[]).await).await.expect("a row");
    assert_eq!(rows[0].get::<_, &str>(0), "\"$user\", public", "{name}, {polls} polls");
    assert_eq!(rows[0].get::<_, i64>(1), 0, "{name}, {polls} polls");
}

/// Drops the work after each number of polls, again and again, and looks at what the next tenant finds.
fn drop_at_each_poll(name: &str) {
    let database = Database::with_notes();
    let drops = drops(DROPS);
    let all = async {
        let superuser = database.superuser().await;
        let db = connect(&database, 1).await;
        insert(&db, B, "b").await;
        let (mut dropped, mut done, mut polls) = (0, 0, 0);
        while dropped < drops || done == 0 {
            assert!(polls < 10_000, "{name} is never done");
            if poll_and_drop(polls, work(name, &db)).await.expect("no error") {
                (done, polls) = (done + 1, 0);
            } else {
                (dropped, polls) = (dropped + 1, polls + 1);
            }
            look(&db, name, polls).await;
            no_transaction_stays_open(&superuser).await;
        }
        (dropped, done)
    };
    let (dropped, done) =
        runtime().block_on(async { timeout(Duration::from_secs(1800), all).await }).expect("in time");
    println!("{name}: dropped {dropped} times, done {done} times");
    assert!(dropped >= 150, "too few drops: {dropped}");
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn a_dropped_statement_leaves_nothing() {
    drop_at_each_poll("alone");
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn a_dropped_statement_with_parameters_leaves_nothing() {
    drop_at_each_poll("alone, with parameters");
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn a_dropped_query_in_a_transaction_leaves_nothing() {
    drop_at_each_poll("query");
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn a_dropped_commit_leaves_nothing() {
    drop_at_each_poll("commit");
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn a_dropped_rollback_leaves_nothing() {
    drop_at_each_poll("rollback");
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn a_dropped_transaction_scope_leaves_nothing() {
    drop_at_each_poll("scope");
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn a_dropped_transaction_that_changed_its_session_leaves_nothing() {
    drop_at_each_poll("mess");
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn a_transaction_can_be_dropped_outside_a_runtime() {
    let database = Database::with_notes();
    let runtime = runtime();
    let (superuser, db) =
        runtime.block_on(async { (database.superuser().await, connect(&database, 1).await) });
    let tx = runtime.block_on(async {
        let tx = db.begin_in(A).await.expect("a transaction");
        tx.execute(INSERT, &[]).await.expect("inserted");
        timeout(Duration::from_millis(50), tx.execute("SELECT pg_sleep(1)", &[])).await.unwrap_err();
        tx
    });
    // Without a runtime the statement is not cancelled: its transaction ends when the server has slept.
    drop(tx);
    runtime.block_on(async {
        no_transaction_stays_open(&superuser).await;
        assert_eq!(notes(&db, A).await, [""; 0]);
    });
}
