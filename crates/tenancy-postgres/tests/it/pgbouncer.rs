//! Behind a transaction pooler, the next tenant must not find what a transaction left in the server's session.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use tenancy::{TenantFutureExt, TenantId};
use tenancy_postgres::{Config, Error, PgTenantId, TenantDb, TenantTx};
use tokio::time::timeout;
use tokio_postgres::types::{IsNull, Kind, ToSql, Type, to_sql_checked};

use crate::support::database::Database;
use crate::support::drops::no_transaction_stays_open;
use crate::support::leavings::LEAVINGS;
use crate::support::notes::{insert, notes, titles};
use crate::support::pooler::Pooler;
use crate::support::{A, B, key};

const BACKEND: &str = "SELECT pg_backend_pid()::text";

async fn connect(pgbouncer: &Pooler, pool_size: usize) -> TenantDb {
    let config = Config::new(pgbouncer.config(), key())
        .max_connections(pool_size)
        .acquire_timeout(Duration::from_secs(30));
    TenantDb::connect(config).await.expect("a database")
}

/// Returns the first column of the first row, or an empty text if there is no row or an error.
async fn ask(db: &TenantDb, tenant: TenantId, sql: &str) -> String {
    let asked = db.tx_in(tenant, async |tx: &TenantTx<'_>| tx.query_unverified(sql, &[]).await).await;
    asked.ok().and_then(|rows| Some(rows.first()?.get(0))).unwrap_or_default()
}

#[tokio::test]
#[ignore = "needs postgres and pgbouncer; cargo xtask test runs it"]
async fn each_way_to_run_a_statement_works() -> Result<(), Error> {
    let database = Database::with_notes();
    let pgbouncer = Pooler::start(&database, 2);
    let db = connect(&pgbouncer, 4).await;
    // The types of parameters are looked up the first time and known afterwards.
    for round in 0..3_i64 {
        for (tenant, title) in [(A, "a"), (B, "b")] {
            insert(&db, tenant, title).await;
            let sql = "SELECT tenant_id, title FROM notes WHERE title = $1";
            let rows = db.query(sql, &[&title]).in_tenant(tenant).await?;
            assert_eq!(titles(&rows).len(), usize::try_from(round).expect("few") + 1);
            let none = db.query(sql, &[&if tenant == A { "b" } else { "a" }]).in_tenant(tenant).await?;
            assert!(none.is_empty());
            let count = db
                .tx_in(tenant, async |tx: &TenantTx<'_>| {
                    let sql = "UPDATE notes SET title = title WHERE tenant_id = $1";
                    let updated = tx.execute(sql, &[&PgTenantId(tenant)]).await?;
                    let count = tx.query_unverified("SELECT count(*) FROM notes", &[]).await?[0].get(0);
                    assert_eq!(i64::try_from(updated), Ok(count));
                    Ok::<i64, Error>(count)
                })
                .await?;
            assert_eq!(count, round + 1);
            let table = async {
                db.table("notes")
                    .update(BTreeMap::from([("title", title)]))
                    .eq("title", title)
                    .execute()
                    .await
            };
            assert_eq!(i64::try_from(table.in_tenant(tenant).await?), Ok(count));
            let table = async { db.table("notes").select("title").eq("title", title).count().await };
            assert_eq!(i64::try_from(table.in_tenant(tenant).await?), Ok(count));
        }
    }
    Ok(())
}

/// Runs 50 tasks of 10 tenants, whose transactions are committed, rolled back or dropped.
async fn crowd(dbs: &[TenantDb]) {
    let mut tasks = Vec::new();
    for number in 0..50_u128 {
        let db = dbs[usize::try_from(number).expect("few") % dbs.len()].clone();
        let tenant = tenant(number % 10);
        tasks.push(tokio::spawn(async move {
            for round in 0..12 {
                one_of_a_crowd(&db, tenant, round).await.expect("no error");
            }
        }));
    }
    for task in tasks {
        timeout(Duration::from_secs(120), task).await.expect("in time").expect("a task");
    }
}

fn tenant(number: u128) -> TenantId {
    TenantId::try_from(uuid::Uuid::from_u128(0xaaaa_aaaa_0000_4000_8000_0000_0000_0000 + number))
        .expect("an id")
}

async fn one_of_a_crowd(db: &TenantDb, tenant: TenantId, round: usize) -> Result<(), Error> {
    let title = uuid::Uuid::from(tenant).to_string();
    let tx = db.begin_in(tenant).await?;
    tx.execute("INSERT INTO notes (title) VALUES ($1)", &[&title]).await?;
    let rows = tx.query("SELECT tenant_id, title FROM notes", &[]).await?;
    assert!(!rows.is_empty() && titles(&rows).iter().all(|found| *found == title), "{tenant}");
    match round % 3 {
        0 => tx.commit().await?,
        1 => tx.rollback().await?,
        _ => drop(tx),
    }
    let rows =
        db.query("SELECT tenant_id, title FROM notes WHERE id > $1", &[&0_i64]).in_tenant(tenant).await?;
    assert!(titles(&rows).iter().all(|found| *found == title), "{tenant}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs postgres and pgbouncer; cargo xtask test runs it"]
async fn tenants_share_server_connections_without_mixing_rows() {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let pgbouncer = Pooler::start(&database, 2);
    crowd(&[connect(&pgbouncer, 8).await]).await;
    // Two pools behave like two processes.
    crowd(&[connect(&pgbouncer, 4).await, connect(&pgbouncer, 4).await]).await;
    let sql = "SELECT count(*), count(DISTINCT tenant_id), count(*) FILTER (WHERE title <> tenant_id::text) FROM notes";
    let row = superuser.query_one(sql, &[]).await.expect("a row");
    assert_eq!((row.get(0), row.get(1), row.get(2)), (2 * 50 * 4_i64, 10_i64, 0_i64));
    no_transaction_stays_open(&superuser).await;
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum End {
    Commit,
    Rollback,
    Alone,
    Drop,
    Escape,
}

async fn leave(db: &TenantDb, sql: &str, end: End) -> Result<(), Error> {
    if end == End::Alone {
        return db.execute(sql, &[]).in_tenant(A).await.map(drop);
    }
    let tx = db.begin_in(A).await?;
    tx.execute(sql, &[]).await?;
    match end {
        End::Commit => tx.commit().await,
        End::Rollback => tx.rollback().await,
        End::Escape => {
            let left = tx.execute("COMMIT", &[]).await;
            assert!(matches!(left, Err(Error::TxEscaped)), "{left:?}");
            assert!(matches!(tx.execute("SELECT 1", &[]).await, Err(Error::TxEscaped)));
            Ok(())
        }
        End::Alone | End::Drop => Ok(()),
    }
}

/// The server has one connection for all clients. Another backend means a new session.
#[tokio::test]
#[ignore = "needs postgres and pgbouncer; cargo xtask test runs it"]
async fn nothing_is_left_for_the_next_tenant() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let pgbouncer = Pooler::start(&database, 1);
    let db = connect(&pgbouncer, 2).await;
    insert(&db, A, "a").await;
    for (sql, look) in LEAVINGS {
        let new = ask(&db, B, look).await;
        for end in [End::Commit, End::Rollback, End::Alone, End::Drop] {
            let before = ask(&db, B, BACKEND).await;
            leave(&db, sql, end).await?;
            assert_eq!(ask(&db, B, look).await, new, "{sql}, {end:?}");
            // The pooler closes the server's connection if a client disconnects in a transaction.
            assert_eq!(ask(&db, B, BACKEND).await == before, end != End::Drop, "{sql}, {end:?}");
        }
    }
    assert_eq!(notes(&db, B).await, [""; 0]);
    no_transaction_stays_open(&superuser).await;
    Ok(())
}

/// pgbouncer passes the session on before it is scrubbed, and the next client scrubs it first. `LISTEN` is left out
/// because a channel stays visible until that client commits.
#[tokio::test]
#[ignore = "needs postgres and pgbouncer; cargo xtask test runs it"]
async fn an_escape_leaves_nothing_for_the_next_tenant() -> Result<(), Error> {
    let database = Database::with_notes();
    let one = ("default_pool_size", "1");
    for settings in [&[one][..], &[one, ("ignore_startup_parameters", "options")]] {
        let pgbouncer = Pooler::start_with(&database, settings);
        let db = connect(&pgbouncer, 2).await;
        insert(&db, A, "a").await;
        for (sql, look) in LEAVINGS.into_iter().filter(|(sql, _)| *sql != "LISTEN c") {
            let new = ask(&db, B, look).await;
            for _ in 0..20 {
                leave(&db, sql, End::Escape).await?;
                assert_eq!(ask(&db, B, look).await, new, "{sql}");
            }
        }
    }
    Ok(())
}

/// A temporary table with the name of the tenants' table would receive what the next tenant writes.
#[tokio::test]
#[ignore = "needs postgres and pgbouncer; cargo xtask test runs it"]
async fn a_temporary_table_does_not_shadow_a_table_of_another_tenant() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let pgbouncer = Pooler::start(&database, 1);
    let db = connect(&pgbouncer, 2).await;
    let places = "CREATE TEMP TABLE notes (title text)";
    for round in 1..=20 {
        for end in [End::Commit, End::Alone, End::Escape] {
            leave(&db, places, end).await?;
            insert(&db, B, "of b").await;
        }
        let stored = superuser.query("SELECT FROM public.notes", &[]).await?.len();
        assert_eq!(stored, round * 3);
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres and pgbouncer; cargo xtask test runs it"]
async fn sql_that_leaves_its_transaction_closes_it() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let pgbouncer = Pooler::start(&database, 1);
    let db = connect(&pgbouncer, 2).await;
    superuser.batch_execute("GRANT INSERT ON plain TO tenancy_app").await?;
    insert(&db, B, "b").await;
    for sql in ["COMMIT", "ROLLBACK", "COMMIT AND CHAIN", "RESET ALL"] {
        let tx = db.begin_in(A).await?;
        tx.execute("INSERT INTO notes (title) VALUES ($1)", &[&"a"]).await?;
        let left = tx.execute(sql, &[]).await;
        assert!(matches!(left, Err(Error::TxEscaped)), "{sql}: {left:?}");
        let next = tx.execute("INSERT INTO plain (title) VALUES ('outside')", &[]).await;
        assert!(matches!(next, Err(Error::TxEscaped)), "{sql}: {next:?}");
        assert!(matches!(tx.commit().await, Err(Error::TxEscaped)), "{sql}");
        let alone = db.execute(sql, &[]).in_tenant(A).await;
        assert!(matches!(alone, Err(Error::TxEscaped)), "{sql}: {alone:?}");
        assert_eq!(notes(&db, B).await, ["b"], "{sql}");
    }
    assert_eq!(superuser.query("SELECT FROM plain", &[]).await?.len(), 0);
    no_transaction_stays_open(&superuser).await;
    Ok(())
}

#[derive(Debug)]
struct Mood;

impl ToSql for Mood {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        out.put_slice(b"x");
        Ok(IsNull::No)
    }

    fn accepts(r#type: &Type) -> bool {
        matches!(r#type.kind(), Kind::Enum(_))
    }

    to_sql_checked!();
}

const TYPES: &str =
    "CREATE TYPE m1 AS ENUM ('x'); CREATE TYPE m2 AS ENUM ('x'); CREATE TYPE m3 AS ENUM ('x');
    CREATE TABLE moods (mood m3)";

async fn find(db: &TenantDb, name: &str) -> Result<usize, Error> {
    let sql = format!("SELECT 'x'::{name}");
    db.tx_in(A, async |tx: &TenantTx<'_>| Ok(tx.query_unverified(&sql, &[]).await?.len())).await
}

/// Statements that look up types have no names, which would belong to another session.
#[tokio::test]
#[ignore = "needs postgres and pgbouncer; cargo xtask test runs it"]
async fn finds_a_custom_type_in_each_session() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    superuser.batch_execute(TYPES).await?;
    let pgbouncer = Pooler::start(&database, 2);
    let (db, other) = (connect(&pgbouncer, 1).await, connect(&pgbouncer, 1).await);
    superuser.batch_execute("GRANT ALL ON moods TO tenancy_app").await?;
    let add = async || db.execute("INSERT INTO moods VALUES ($1)", &[&Mood]).in_tenant(A).await;
    assert_eq!(find(&db, "m1").await?, 1);
    // This transaction holds the only session, so the next client gets a new one.
    let tx = other.begin_in(B).await?;
    tx.execute("SELECT 1", &[]).await?;
    assert_eq!(find(&db, "m1").await?, 1, "it is known");
    assert_eq!(find(&db, "m2").await?, 1, "in another session");
    tx.rollback().await?;
    let tx = other.begin_in(B).await?;
    tx.execute("SELECT 1", &[]).await?;
    assert_eq!(add().await?, 1);
    assert_eq!(superuser.query("SELECT FROM moods", &[]).await?.len(), 1);
    tx.commit().await?;
    no_transaction_stays_open(&superuser).await;
    Ok(())
}

/// Each process counts its statements from 0, and a process that looked up types left names in a session.
#[tokio::test]
#[ignore = "needs postgres and pgbouncer; cargo xtask test runs it"]
async fn tolerates_statement_names_of_another_process() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let pgbouncer = Pooler::start(&database, 1);
    let db = connect(&pgbouncer, 1).await;
    let names: Vec<_> = (0..500).map(|number| format!("s{number}")).collect();
    pgbouncer.prepare("SELECT title FROM public.notes", &names).await;
    assert_eq!(
        ask(&db, B, "SELECT count(*)::text FROM pg_prepared_statements WHERE NOT from_sql").await,
        "500"
    );
    let sql = "INSERT INTO notes (title) VALUES ($1)";
    assert_eq!(db.execute(sql, &[&"a"]).in_tenant(A).await?, 1);
    assert_eq!(notes(&db, A).await, ["a"]);
    no_transaction_stays_open(&superuser).await;
    Ok(())
}
