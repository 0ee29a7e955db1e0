//! What a tenant leaves in a session, and waiting for a connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tenancy::{TenantFutureExt, TenantId};
use tenancy_postgres::{Error, TenantDb, TenantTx};
use tokio::time::timeout;
use tokio_postgres::Client;

use crate::support::database::{Contents, Database};
use crate::support::notes::{config, connect, insert, notes};
use crate::support::{A, B, LIMIT, eventually};

/// A name, statements of one tenant, and SQL by which the next tenant would see what they leave: the answer must be that of a
/// new session.
const LEAVINGS: [(&str, &[&str], &str); 13] = [
    ("a setting", &["SET statement_timeout = '1h'"], "SELECT current_setting('statement_timeout')"),
    ("a setting of its own", &["SET my.own = 'a'"], "SELECT coalesce(current_setting('my.own', true), '')"),
    (
        "a setting by function",
        &["SELECT set_config('my.own', 'a', false)"],
        "SELECT coalesce(current_setting('my.own', true), '')",
    ),
    ("the search path", &["SET search_path = pg_temp"], "SELECT current_setting('search_path')"),
    ("the role", &["SET ROLE tenancy_app"], "SELECT current_user::text"),
    (
        "read only",
        &["SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"],
        "SELECT current_setting('default_transaction_read_only')",
    ),
    (
        "a cursor",
        &["DECLARE c CURSOR WITH HOLD FOR SELECT title FROM notes"],
        "SELECT count(*)::text FROM pg_cursors WHERE is_holdable",
    ),
    (
        "a table",
        &["CREATE TEMP TABLE t AS SELECT title FROM notes"],
        "SELECT coalesce(to_regclass('pg_temp.t')::text, 'none')",
    ),
    (
        "a lock",
        &["SELECT pg_advisory_lock(1)", "SELECT pg_advisory_lock_shared(2)"],
        "SELECT count(*)::text FROM pg_locks JOIN pg_database d ON d.oid = database \
            WHERE locktype = 'advisory' AND datname = current_database()",
    ),
    ("a channel", &["LISTEN c"], "SELECT count(*)::text FROM pg_listening_channels()"),
    (
        "a statement",
        &["PREPARE p AS SELECT title FROM notes"],
        "SELECT count(*)::text FROM pg_prepared_statements WHERE from_sql",
    ),
    ("a sequence's last", &["SELECT nextval('notes_id_seq')"], "SELECT 1::text WHERE lastval() > 0"),
    ("the zone", &["SET TIME ZONE 'Asia/Tokyo'"], "SELECT current_setting('TimeZone')"),
];

const BACKEND: &str = "SELECT pg_backend_pid()::text";

/// How the transaction ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Commit,
    Rollback,
    Alone,
    Fail,
    Drop,
}

async fn leave(db: &TenantDb, statements: &[&str], end: End) -> Result<(), Error> {
    if let End::Alone = end {
        for sql in statements {
            db.execute(sql, &[]).in_tenant(A).await?;
        }
        return Ok(());
    }
    let tx = db.begin_in(A).await?;
    for sql in statements {
        tx.execute(sql, &[]).await?;
    }
    match end {
        End::Commit => tx.commit().await,
        End::Rollback => tx.rollback().await,
        End::Drop | End::Alone => Ok(()),
        End::Fail => {
            tx.execute("SELECT 1 / 0", &[]).await.unwrap_err();
            tx.commit().await.unwrap_err();
            Ok(())
        }
    }
}

/// Returns the answer or the error: in a new session `lastval` fails.
async fn look(db: &TenantDb, sql: &str) -> Result<String, String> {
    let looked = db.tx_in(B, async |tx: &TenantTx<'_>| tx.query_unverified(sql, &[]).await).await;
    looked.map(|rows| rows[0].get(0)).map_err(|error| error.to_string())
}

/// The pool has one connection, so the next tenant gets the same session.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn nothing_is_left_for_the_next_tenant() -> Result<(), Error> {
    let database = Database::with_notes();
    let db = connect(&database, 1).await;
    insert(&db, A, "a").await;
    insert(&db, B, "b").await;
    for (name, statements, sql) in LEAVINGS {
        let clean = look(&connect(&database, 1).await, sql).await;
        for end in [End::Commit, End::Rollback, End::Alone, End::Fail, End::Drop] {
            let before = look(&db, BACKEND).await;
            leave(&db, statements, end).await?;
            assert_eq!(look(&db, sql).await, clean, "{name}, {end:?}");
            assert_eq!(notes(&db, B).await, ["b"], "{name}, {end:?}");
            // Compiled functions can refer to a temporary table, and the driver's statement names can be taken. A
            // rollback drops the table, and keeps the statement.
            let is_closed = matches!(end, End::Drop)
                || name == "a statement"
                || (matches!(end, End::Commit | End::Alone) && name == "a table");
            assert_eq!(look(&db, BACKEND).await != before, is_closed, "{name}, {end:?}");
        }
        assert_ne!(look_behind(&database, statements, sql).await, clean, "{name}: it would be seen");
    }
    Ok(())
}

/// Returns what would be left without this crate.
async fn look_behind(database: &Database, statements: &[&str], sql: &str) -> Result<String, String> {
    let client = database.superuser().await;
    let own =
        sql.replace("current_user::text", "coalesce(nullif(current_user::text, 'postgres'), 'service')");
    for sql in statements {
        let sql = sql.replace("notes_id_seq", "public.notes_id_seq");
        client.execute(&sql, &[]).await.expect("left");
    }
    client.query(&own, &[]).await.map(|rows| rows[0].get(0)).map_err(|error| error.to_string())
}

async fn pids(superuser: &Client) -> Vec<i32> {
    let sql = "SELECT pid FROM pg_stat_activity
        WHERE usename = 'service' AND datname = current_database() ORDER BY pid";
    superuser.query(sql, &[]).await.expect("rows").iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn an_exhausted_pool_times_out() -> Result<(), Error> {
    let database = Database::with_notes();
    // The pool waits as long as this, and a busy machine can need seconds for a connection.
    let db = TenantDb::connect(config(&database).max_connections(2).acquire_timeout(Duration::from_secs(5)))
        .await?;
    let held = (db.begin_in(A).await?, db.begin_in(A).await?);
    let waited = timeout(LIMIT, db.begin_in(B)).await.expect("in time");
    assert!(matches!(waited, Err(Error::PoolTimeout)), "{waited:?}");
    drop(held);
    insert(&db, B, "b").await;
    assert_eq!(notes(&db, B).await, ["b"]);
    Ok(())
}

fn tenant(number: u8) -> TenantId {
    TenantId::from_bytes([number + 1; 16]).expect("an id")
}

/// Runs a transaction that is committed, rolled back or dropped, and changes a setting of the session.
async fn one_of_many(db: &TenantDb, number: u8, round: usize) -> Result<(), Error> {
    let (own, name) = (tenant(number), number.to_string());
    let tx = db.begin_in(own).await?;
    tx.execute("INSERT INTO notes (title) VALUES ($1)", &[&name]).await?;
    tx.execute("SELECT set_config('my.own', $1, false)", &[&name]).await?;
    let rows = tx.query("SELECT tenant_id, title FROM notes", &[]).await?;
    assert!(rows.iter().all(|row| row.get::<_, String>("title") == name));
    match round % 3 {
        0 => tx.commit().await,
        1 => tx.rollback().await,
        _ => {
            drop(tx);
            let rows = db.query("SELECT tenant_id, title FROM notes", &[]).in_tenant(own).await?;
            assert!(rows.iter().all(|row| row.get::<_, String>("title") == name));
            Ok(())
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_hundred_tasks_of_twenty_tenants_share_eight_connections() -> Result<(), Error> {
    const TENANTS: u8 = 20;
    const ROUNDS: usize = 6;
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = Arc::new(
        TenantDb::connect(config(&database).max_connections(8).acquire_timeout(Duration::from_secs(60)))
            .await?,
    );
    let tasks: Vec<_> = (0..100_u8)
        .map(|task| {
            let db = Arc::clone(&db);
            tokio::spawn(async move {
                for round in 0..ROUNDS {
                    one_of_many(&db, task % TENANTS, round).await?;
                }
                Ok::<_, Error>(())
            })
        })
        .collect();
    for task in tasks {
        timeout(Duration::from_secs(120), task).await.expect("in time").expect("no panic")?;
    }
    let kept = superuser.query("SELECT count(*) FROM notes GROUP BY tenant_id, title", &[]).await?;
    assert_eq!(kept.len(), usize::from(TENANTS), "each title is its tenant's");
    assert!(
        kept.iter().all(|row| row.get::<_, i64>(0) == 100 / i64::from(TENANTS) * 2),
        "two of six are kept"
    );
    eventually("closed connections are gone", LIMIT, async || pids(&superuser).await.len() <= 8).await;
    Ok(())
}

/// How many rows the tasks have committed together, and whether they should end.
#[derive(Default)]
struct Writing {
    kept: AtomicUsize,
    is_over: AtomicBool,
}

/// Returns how many rows of the tenant were committed, and how many commits had an unknown result.
async fn write_until_it_fails(db: TenantDb, number: u8, writing: Arc<Writing>) -> (u8, i64, i64) {
    let (mut kept, mut unknown) = (0, 0);
    let insert = "INSERT INTO notes (title) VALUES ('kept')";
    for round in 0.. {
        let wrote = if round % 2 == 0 {
            db.execute(insert, &[]).in_tenant(tenant(number)).await
        } else {
            db.tx_in(tenant(number), async |tx| tx.execute(insert, &[]).await).await
        };
        match wrote {
            Ok(_) => {
                kept += 1;
                writing.kept.fetch_add(1, Ordering::Relaxed);
            }
            Err(Error::CommitUnknown(_)) => unknown += 1,
            Err(_) => break,
        }
        // A task that was idle during the whole crash has seen no failure.
        if unknown > 0 || writing.is_over.load(Ordering::Relaxed) {
            break;
        }
    }
    (number, kept, unknown)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_crash_loses_nothing_that_was_acknowledged() -> Result<(), Error> {
    let mut database = Database::alone(Contents::Notes);
    let db = connect(&database, 4).await;
    for round in 0..3 {
        let before: Vec<_> = async {
            let mut before = Vec::new();
            for number in 0..8 {
                before.push(i64::try_from(notes(&db, tenant(number)).await.len()).expect("few"));
            }
            before
        }
        .await;
        let open = db.begin_in(A).await?;
        open.execute("INSERT INTO notes (title) VALUES ('lost')", &[]).await?;
        let writing = Arc::new(Writing::default());
        let write = |number| tokio::spawn(write_until_it_fails(db.clone(), number, Arc::clone(&writing)));
        let tasks: Vec<_> = (0..8).map(write).collect();
        eventually("rows are kept", LIMIT, async || writing.kept.load(Ordering::Relaxed) >= 80).await;
        let restarting = move || {
            database.server.crash_and_restart().expect("it starts again");
            database
        };
        database = tokio::task::spawn_blocking(restarting).await.expect("no panic");
        writing.is_over.store(true, Ordering::Relaxed);
        let mut ends = Vec::new();
        for task in tasks {
            ends.push(timeout(LIMIT, task).await.expect("in time").expect("no panic"));
        }
        let next = open.execute("SELECT 1", &[]).await;
        assert!(next.is_err() && open.commit().await.is_err(), "round {round}");
        recover(&db).await;
        assert_eq!(notes(&db, A).await, [""; 0]);
        assert!(ends.iter().any(|(_, kept, _)| *kept > 0), "{ends:?}");
        for (number, kept, unknown) in ends {
            let found = i64::try_from(notes(&db, tenant(number)).await.len()).expect("few");
            let new = found - before[usize::from(number)];
            assert!((kept..=kept + unknown).contains(&new), "{number}: {new}, {kept} and {unknown}");
        }
    }
    Ok(())
}

async fn recover(db: &TenantDb) {
    let query = async || db.query("SELECT tenant_id FROM notes", &[]).in_tenant(B).await;
    eventually("it works again", LIMIT, async || query().await.is_ok()).await;
}
