//! Work that is dropped at each of its polls: whoever is next finds its own, and no transaction stays open.

use std::time::Duration;

use tenancy::TenantFutureExt;
use tenancy_postgres::{Error, TenantDb, TenantTx};
use tokio::time::timeout;
use tokio_postgres::Client;

use crate::support::database::Database;
use crate::support::drops::{Work, drops, no_transaction_stays_open, poll_and_drop, runtime};
use crate::support::notes::{connect, insert, notes};
use crate::support::{A, B, LIMIT};

/// Drops of each kind of work. More by the environment: `TENANCY_DROPS`.
const DROPS: usize = 1500;

const INSERT: &str = "INSERT INTO notes (title) VALUES ('a')";
const SELECT: &str = "SELECT tenant_id, title FROM notes WHERE id > $1";

/// Each ends well after some polls, where it is left alone.
const WORKS: [&str; 7] = ["alone", "alone, with parameters", "query", "commit", "rollback", "scope", "mess"];

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

/// The other tenant, on the same pool.
async fn look(db: &TenantDb, name: &str, polls: usize) {
    let seen = timeout(LIMIT, notes(db, B)).await.expect("in time");
    assert_eq!(seen, ["b"], "{name}, {polls} polls");
    let sql = "SELECT current_setting('search_path'), (SELECT count(*) FROM pg_cursors WHERE is_holdable)";
    let rows =
        db.tx_in(B, async |tx: &TenantTx<'_>| tx.query_unverified(sql, &[]).await).await.expect("a row");
    assert_eq!(rows[0].get::<_, &str>(0), "\"$user\", public", "{name}, {polls} polls");
    assert_eq!(rows[0].get::<_, i64>(1), 0, "{name}, {polls} polls");
}

/// How often it was dropped on the way, and how often it was done.
async fn drop_at_each_poll(db: &TenantDb, superuser: &Client, name: &str, drops: usize) -> (usize, usize) {
    let (mut dropped, mut done, mut polls) = (0, 0, 0);
    while dropped < drops || done == 0 {
        assert!(polls < 10_000, "{name} is never done");
        if poll_and_drop(polls, work(name, db)).await.expect("no error") {
            done += 1;
            polls = 0;
        } else {
            dropped += 1;
            polls += 1;
        }
        look(db, name, polls).await;
        no_transaction_stays_open(superuser).await;
    }
    (dropped, done)
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn a_transaction_may_be_dropped_where_no_runtime_is() {
    let database = Database::with_notes();
    let runtime = runtime();
    let (superuser, db) =
        runtime.block_on(async { (database.superuser().await, connect(&database, 1).await) });
    let tx = runtime.block_on(async {
        let tx = db.begin_in(A).await.expect("a transaction");
        tx.execute(INSERT, &[]).await.expect("inserted");
        timeout(Duration::from_millis(50), tx.execute("SELECT pg_sleep(5)", &[])).await.unwrap_err();
        tx
    });
    drop(tx);
    runtime.block_on(async {
        no_transaction_stays_open(&superuser).await;
        assert_eq!(notes(&db, A).await, [""; 0]);
    });
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn work_is_dropped_at_each_poll() {
    let database = Database::with_notes();
    let drops = drops(DROPS);
    let all = async {
        let superuser = database.superuser().await;
        let db = connect(&database, 1).await;
        insert(&db, B, "b").await;
        let mut made = Vec::new();
        for name in WORKS {
            made.push((name, drop_at_each_poll(&db, &superuser, name, drops).await));
        }
        made
    };
    let made = runtime().block_on(async { timeout(Duration::from_mins(30), all).await }).expect("in time");
    println!("{made:?}");
    assert!(made.iter().map(|(_, (dropped, _))| dropped).sum::<usize>() >= 1000, "{made:?}");
}
