//! Tenants' transactions on sqlx, which have the layers of the context and of the database.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use tenancy::{TenantFutureExt, TenantId};
use tenancy_postgres::{FindingKind, PgTenantId, SigningKey, SqlxError, SqlxTenantDb, SqlxTenantTx};
use tokio::time::timeout;
use tokio_postgres::Client;

use crate::support::database::Database;
use crate::support::drops::{Work, drops, no_transaction_stays_open, poll_and_drop, runtime};
use crate::support::leavings::LEAVINGS;
use crate::support::{A, B, LIMIT, SECRET, key};

/// The number of drops of a `begin`, unless the environment variable `TENANCY_DROPS` sets another one.
const DROPS: usize = 1000;

const INSERT: &str = "INSERT INTO notes (title) VALUES ($1)";

fn options(database: &Database, user: &str) -> PgConnectOptions {
    PgConnectOptions::new_without_pgpass().socket(database.folder()).username(user).database(&database.name)
}

async fn connect(database: &Database, size: u32) -> SqlxTenantDb {
    let pool = PgPoolOptions::new().max_connections(size).acquire_timeout(Duration::from_secs(30));
    SqlxTenantDb::connect(pool, options(database, "service"), key()).await.expect("a database")
}

async fn insert(db: &SqlxTenantDb, tenant: TenantId, title: &str) {
    let add = async |tx: &mut SqlxTenantTx<'_>| sqlx::query(INSERT).bind(title).execute(&mut **tx).await;
    let added = db.tx_in(tenant, async |tx| add(tx).await.map_err(SqlxError::from)).await;
    assert_eq!(added.expect("inserted").rows_affected(), 1);
}

async fn titles(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT title FROM notes ORDER BY id").fetch_all(connection).await
}

async fn notes(db: &SqlxTenantDb, tenant: TenantId) -> Vec<String> {
    db.tx_in(tenant, async |tx| Ok::<_, SqlxError>(titles(tx).await?)).await.expect("rows")
}

async fn run(connection: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.map(drop)
}

fn code(error: &SqlxError) -> Option<String> {
    match error {
        SqlxError::Sqlx(error) => error.as_database_error()?.code().map(Into::into),
        _ => None,
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn each_tenant_has_its_own_rows() -> Result<(), SqlxError> {
    let database = Database::with_notes();
    let db = connect(&database, 2).await;
    insert(&db, A, "a").await;
    insert(&db, B, "b").await;
    let mut connection = db.acquire().await?;
    let mut tx = connection.begin_in(A).await?;
    assert_eq!(tx.tenant(), A);
    let sql = "SELECT tenant_id, title FROM notes WHERE tenant_id = ANY($1)";
    let rows: Vec<(PgTenantId, String)> =
        sqlx::query_as(sql).bind(vec![PgTenantId(A), PgTenantId(B)]).fetch_all(&mut *tx).await?;
    assert_eq!(rows, [(PgTenantId(A), "a".to_owned())], "of A, and by default A's");
    let sql = "UPDATE notes SET title = 'mine' WHERE tenant_id = $1";
    assert_eq!(sqlx::query(sql).bind(PgTenantId(B)).execute(&mut *tx).await?.rows_affected(), 0);
    tx.rollback().await?;
    let mut tx = connection.begin().in_tenant(B).await?;
    assert_eq!(titles(&mut tx).await?, ["b"], "the context's, on the same connection");
    tx.commit().await?;
    let task = db.clone();
    let spawned = tokio::spawn(async move { notes(&task, A).await });
    assert_eq!(spawned.await.expect("it can be spawned"), ["a"]);
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn encodes_tenant_ids_as_uuids_and_rejects_nil() -> Result<(), SqlxError> {
    let database = Database::with_notes();
    let db = connect(&database, 1).await;
    let mut connection = db.acquire().await?;
    let mut tx = connection.begin_in(A).await?;
    let sql = "SELECT $1, $1::text, $2::uuid[]";
    let (id, text, ids): (PgTenantId, String, Vec<PgTenantId>) =
        sqlx::query_as(sql).bind(PgTenantId(B)).bind([PgTenantId(A)]).fetch_one(&mut *tx).await?;
    assert_eq!((id, text, ids), (PgTenantId(B), uuid::Uuid::from(B).to_string(), vec![PgTenantId(A)]));
    for nobody in [uuid::Uuid::nil(), uuid::Uuid::max()] {
        let row = sqlx::query("SELECT $1").bind(nobody).fetch_one(&mut *tx).await?;
        assert!(matches!(row.try_get::<PgTenantId, _>(0), Err(sqlx::Error::ColumnDecode { .. })));
    }
    let row = sqlx::query("SELECT NULL::uuid, 'text'").fetch_one(&mut *tx).await?;
    assert_eq!(row.get::<Option<PgTenantId>, _>(0), None);
    assert!(row.try_get::<PgTenantId, _>(1).is_err(), "a text is no id");
    // A statement that is not prepared returns text.
    let sql = AssertSqlSafe(format!("SELECT '{}'::uuid", uuid::Uuid::from(A)));
    let row = sqlx::raw_sql(sql).fetch_one(&mut *tx).await?;
    assert_eq!(row.get::<PgTenantId, _>(0), PgTenantId(A));
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn rejects_work_without_a_tenant_and_roles_that_bypass() {
    let database = Database::with_notes();
    let db = connect(&database, 1).await;
    let mut connection = db.acquire().await.expect("a connection");
    assert!(matches!(connection.begin().await.unwrap_err(), SqlxError::Tenant(_)));
    drop(connection);
    let none = db.tx(async |_| Ok::<_, SqlxError>(())).await;
    assert!(matches!(none, Err(SqlxError::Tenant(_))), "{none:?}");
    let pool = PgPoolOptions::new();
    let superuser = SqlxTenantDb::connect(pool, options(&database, "postgres"), key()).await;
    let Err(SqlxError::Leaks(findings)) = superuser else { panic!("{superuser:?}") };
    assert_eq!(findings[0].kind, FindingKind::Superuser);
    let mut other = *SECRET;
    other[0] ^= 1;
    let wrong = SigningKey::new(1, &other).expect("a key");
    let db = SqlxTenantDb::connect(PgPoolOptions::new(), options(&database, "service"), wrong)
        .await
        .expect("a db");
    let refused = db.tx_in(A, async |_| Ok::<_, SqlxError>(())).await.unwrap_err();
    assert_eq!(code(&refused).as_deref(), Some("42501"));
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn rejects_rows_for_another_tenant() -> Result<(), SqlxError> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    insert(&db, A, "a").await;
    for sql in [
        "INSERT INTO notes (title, tenant_id) VALUES ('x', $1)",
        "UPDATE notes SET tenant_id = $1",
        "INSERT INTO notes (id, title, tenant_id) SELECT id, title, $1 FROM notes",
    ] {
        let foreign = async |tx: &mut SqlxTenantTx<'_>| {
            sqlx::query(sql).bind(PgTenantId(B)).execute(&mut **tx).await.map(drop).map_err(SqlxError::from)
        };
        assert_eq!(code(&db.tx_in(A, foreign).await.unwrap_err()).as_deref(), Some("42501"), "{sql}");
    }
    assert_eq!(superuser.query("SELECT FROM notes", &[]).await.expect("rows").len(), 1);
    assert_eq!(notes(&db, A).await, ["a"]);
    Ok(())
}

/// The context ends with its transaction, whichever statement ends it.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn sql_that_leaves_its_transaction_loses_the_tenant() -> Result<(), SqlxError> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    insert(&db, B, "b").await;
    for sql in
        ["COMMIT", "ROLLBACK", "COMMIT; BEGIN", "ROLLBACK AND CHAIN", "RESET ALL", "SET tenancy.context = ''"]
    {
        for commits in [true, false] {
            let mut connection = db.acquire().await?;
            let mut tx = connection.begin_in(A).await?;
            sqlx::query(INSERT).bind("a").execute(&mut *tx).await?;
            run(&mut tx, sql).await?;
            let rows = titles(&mut tx).await.map_err(SqlxError::from);
            assert_eq!(code(&rows.unwrap_err()).as_deref(), Some("42501"), "{sql}");
            if commits {
                let ended = tx.commit().await;
                // A failed statement of the transaction is reported first.
                let is_told = matches!(&ended, Err(SqlxError::TxEscaped))
                    || ended.as_ref().is_err_and(|error| code(error).as_deref() == Some("25P02"));
                assert!(is_told, "{sql}: {ended:?}");
                let mut tx = connection.begin_in(A).await?;
                run(&mut tx, sql).await?;
                let ended = tx.commit().await;
                assert!(matches!(ended, Err(SqlxError::TxEscaped)), "{sql}: {ended:?}");
            } else {
                drop(tx);
            }
            drop(connection);
            assert_eq!(notes(&db, B).await, ["b"]);
        }
    }
    no_transaction_stays_open(&superuser).await;
    Ok(())
}

/// sqlx creates savepoints. One is dropped, and the guard of another is forgotten.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_nested_transaction_is_a_savepoint() -> Result<(), SqlxError> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    let nested = async |tx: &mut SqlxTenantTx<'_>| {
        let mut inner = tx.begin().await?;
        sqlx::query(INSERT).bind("kept").execute(&mut *inner).await?;
        inner.commit().await?;
        let mut inner = tx.begin().await?;
        sqlx::query(INSERT).bind("lost").execute(&mut *inner).await?;
        drop(inner);
        Ok::<_, SqlxError>(titles(tx).await?)
    };
    assert_eq!(db.tx_in(A, nested).await?, ["kept"]);
    let forgotten = async |tx: &mut SqlxTenantTx<'_>| {
        let mut inner = tx.begin().await?;
        sqlx::query(INSERT).bind("kept, too").execute(&mut *inner).await?;
        std::mem::forget(inner);
        Ok::<_, SqlxError>(())
    };
    db.tx_in(A, forgotten).await?;
    assert_eq!(notes(&db, A).await, ["kept", "kept, too"], "what is told to be committed is");
    no_transaction_stays_open(&superuser).await;
    assert_eq!(notes(&db, B).await, [""; 0]);
    Ok(())
}

async fn ask(connection: &mut PgConnection, sql: &str) -> Result<String, sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql)).fetch_one(connection).await?.try_get(0)
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_returned_session_keeps_nothing() -> Result<(), SqlxError> {
    let database = Database::with_notes();
    let db = connect(&database, 1).await;
    insert(&db, A, "a").await;
    let backend =
        async |tx: &mut SqlxTenantTx<'_>| Ok::<_, SqlxError>(ask(tx, "SELECT pg_backend_pid()::text").await?);
    let mut first = db.tx_in(B, backend).await?;
    // `lastval` fails in a new session.
    for (leave, look) in LEAVINGS.into_iter().filter(|(leave, _)| !leave.contains("nextval")) {
        let look = async |tx: &mut SqlxTenantTx<'_>| Ok::<_, SqlxError>(ask(tx, look).await?);
        let new = db.tx_in(B, look).await?;
        for commits in [true, false] {
            let left = db.tx_in(A, async |tx| {
                run(tx, leave).await?;
                // `LISTEN` takes effect only at the commit.
                assert!(look(tx).await? != new || leave == "LISTEN c", "{leave}");
                if commits { Ok(()) } else { Err(SqlxError::TxEscaped) }
            });
            assert_eq!(left.await.is_ok(), commits, "{leave}");
            assert_eq!(db.tx_in(B, look).await?, new, "{leave}, {commits}");
            // A session with statements that were prepared with a temporary table is closed.
            let next = db.tx_in(B, backend).await?;
            assert_eq!(next != first, commits && leave.contains("TEMP TABLE"), "{leave}");
            first = next;
        }
    }
    Ok(())
}

/// sqlx caches the names of its prepared statements. The next tenant would run a statement that replaced one of them.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_tenant_cannot_replace_statements_of_the_next_one() -> Result<(), SqlxError> {
    let database = Database::with_notes();
    let db = connect(&database, 1).await;
    let look = "SELECT title FROM notes ORDER BY id";
    let replace = format!(
        "DO $$DECLARE p record; BEGIN FOR p IN SELECT name FROM pg_prepared_statements WHERE statement = '{look}' LOOP
            EXECUTE format('DEALLOCATE %I', p.name);
            EXECUTE format('PREPARE %I AS INSERT INTO notes (title) VALUES (''for A'') RETURNING title', p.name);
        END LOOP; END$$"
    );
    for sql in [replace.as_str(), "DEALLOCATE ALL"] {
        for commits in [true, false] {
            let mut connection = db.acquire().await?;
            let mut tx = connection.begin_in(A).await?;
            assert_eq!(titles(&mut tx).await?, [""; 0]);
            run(&mut tx, sql).await?;
            if commits {
                tx.commit().await?;
            } else {
                tx.rollback().await?;
            }
            drop(connection);
            assert_eq!(notes(&db, B).await, [""; 0], "{sql}, {commits}");
        }
    }
    Ok(())
}

/// Sessions of the same role can read each other's queries.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn no_other_session_reads_the_signature() -> Result<(), SqlxError> {
    let database = Database::with_notes();
    let db = connect(&database, 2).await;
    let mut connection = db.acquire().await?;
    let tx = connection.begin_in(B).await?;
    let look = async |tx: &mut SqlxTenantTx<'_>| {
        let sql = "SELECT query FROM pg_stat_activity \
            WHERE usename = 'service' AND datname = current_database() AND pid <> pg_backend_pid()";
        Ok::<_, SqlxError>(sqlx::query_scalar::<_, String>(sql).fetch_all(&mut **tx).await?)
    };
    assert_eq!(db.tx_in(A, look).await?, ["SELECT tenancy.enter($1)"]);
    drop(tx);
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn errors_and_debug_show_no_foreign_data_and_no_secret() -> Result<(), SqlxError> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    superuser
        .batch_execute(
            "CREATE TABLE spans (
                tenant_id uuid DEFAULT tenancy.tenant_id(), span int4range, EXCLUDE USING gist (span WITH &&));
            GRANT ALL ON spans TO tenancy_app",
        )
        .await
        .expect("a table");
    let add = async |tenant, span: &str| {
        let sql = format!("INSERT INTO spans (span) VALUES ('{span}')");
        db.tx_in(tenant, async |tx| Ok::<_, SqlxError>(run(tx, &sql).await?)).await
    };
    add(B, "[4711,4712)").await?;
    let error = add(A, "[1,9999)").await.unwrap_err();
    assert_eq!(code(&error).as_deref(), Some("23P01"));
    let source = std::error::Error::source(&error).map(ToString::to_string);
    let mut connection = db.acquire().await?;
    let shown = format!("{db:?} {connection:?}");
    let shown = format!("{shown} {:?}", connection.begin_in(A).await?);
    for shown in [format!("{error} {error:?} {error:#?} {source:?}"), shown] {
        for hidden in ["4711", "own secret", "116, 104, 101"] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }
    Ok(())
}

fn work<'a>(name: &str, db: &'a SqlxTenantDb) -> Work<'a, SqlxError> {
    match name {
        "begin" => Box::pin(async { db.acquire().await?.begin_in(A).await.map(drop) }),
        "commit" => Box::pin(db.tx_in(A, async |tx: &mut SqlxTenantTx<'_>| {
            sqlx::query(INSERT).bind("a").execute(&mut **tx).await.map(drop).map_err(SqlxError::from)
        })),
        "rollback" => Box::pin(async {
            let mut connection = db.acquire().await?;
            let mut tx = connection.begin_in(A).await?;
            run(&mut tx, "SET search_path = pg_temp; SELECT pg_advisory_lock(1)").await?;
            tx.rollback().await
        }),
        name => panic!("{name}"),
    }
}

/// A cancelled `begin` leaves a transaction open in the pool (transact-rs/sqlx#4385).
async fn drop_at_each_poll(
    db: &SqlxTenantDb,
    superuser: &Client,
    name: &str,
    drops: usize,
) -> (usize, usize) {
    let (mut dropped, mut done, mut polls) = (0, 0, 0);
    while dropped < drops || done == 0 {
        assert!(polls < 10_000, "{name} is never done");
        if poll_and_drop(polls, work(name, db)).await.expect("no error") {
            (done, polls) = (done + 1, 0);
        } else {
            (dropped, polls) = (dropped + 1, polls + 1);
        }
        let seen = timeout(LIMIT, notes(db, B)).await.expect("in time");
        assert_eq!(seen, ["b"], "{name}, {polls} polls");
        no_transaction_stays_open(superuser).await;
    }
    (dropped, done)
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn dropped_work_leaves_nothing() {
    let database = Database::with_notes();
    let drops = drops(DROPS);
    let all = async {
        let superuser = database.superuser().await;
        let db = connect(&database, 2).await;
        insert(&db, B, "b").await;
        let mut made = Vec::new();
        for (name, drops) in [("begin", drops), ("commit", drops / 4), ("rollback", drops / 4)] {
            made.push((name, drop_at_each_poll(&db, &superuser, name, drops).await));
        }
        made
    };
    let made = runtime().block_on(async { timeout(Duration::from_secs(1800), all).await }).expect("in time");
    println!("{made:?}");
    assert!(made.iter().all(|(_, (dropped, done))| *dropped > 0 && *done > 0), "{made:?}");
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn a_transaction_can_be_dropped_outside_a_runtime() {
    let database = Database::with_notes();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let (superuser, db) =
        runtime.block_on(async { (database.superuser().await, connect(&database, 2).await) });
    let mut used = runtime.block_on(db.acquire()).expect("a connection");
    let unused = runtime.block_on(db.acquire()).expect("a connection");
    drop(runtime.block_on(used.begin_in(A)).expect("a transaction"));
    drop(used);
    drop(unused);
    runtime.block_on(async {
        no_transaction_stays_open(&superuser).await;
        assert_eq!(notes(&db, A).await, [""; 0]);
    });
}
