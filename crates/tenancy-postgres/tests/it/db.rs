//! Two tenants in one database, with transactions and with single statements.

use std::time::Duration;

use tenancy::{TenantError, TenantFutureExt};
use tenancy_postgres::{
    Config, Error, FindingKind, Layer, PgTenantId, Severity, SigningKey, TenantDb, TenantTx,
};
use tokio::time::timeout;
use tokio_postgres::error::SqlState;

use crate::support::database::{Contents, Database};
use crate::support::notes::{config, connect, connect_by, insert, notes, titles};
use crate::support::orders::signature;
use crate::support::proxy::Proxy;
use crate::support::{A, B, LIMIT, SECRET, eventually, key};

const ADD: &str = "INSERT INTO notes (title) VALUES ('a')";

fn code(error: &Error) -> Option<SqlState> {
    match error {
        Error::Postgres(error) => Some(SqlState::from_code(error.code())),
        _ => None,
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn each_tenant_has_its_own_rows() -> Result<(), Error> {
    let database = Database::with_notes();
    let db = connect(&database, 2).await;
    insert(&db, A, "a").await;
    insert(&db, B, "b").await;
    let tx = db.begin_in(A).await?;
    assert_eq!(tx.tenant(), A);
    let sql = "INSERT INTO notes (title) VALUES ($1) RETURNING tenant_id, title";
    let rows = tx.query(sql, &[&"a2"]).await?;
    assert_eq!(rows[0].get::<_, PgTenantId>("tenant_id"), A.into());
    assert_eq!(titles(&tx.query("SELECT tenant_id, title FROM notes ORDER BY id", &[]).await?), ["a", "a2"]);
    assert_eq!(tx.execute("UPDATE notes SET title = 'all'", &[]).await?, 2);
    let sql = "SELECT count(*) FROM notes WHERE tenant_id <> $1";
    let count = tx.query_unverified(sql, &[&PgTenantId(A)]).await?;
    assert_eq!(count[0].get::<_, i64>(0), 0);
    tx.rollback().await?;
    assert_eq!(notes(&db, A).await, ["a"]);
    assert_eq!(notes(&db, B).await, ["b"]);
    Ok(())
}

/// A future moves when it is spawned, and programs with large ones overflow their stacks.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn futures_are_small() {
    let database = Database::with_notes();
    let db = connect(&database, 1).await;
    let sizes = [
        size_of_val(&TenantDb::connect(config(&database))),
        size_of_val(&db.query(ADD, &[])),
        size_of_val(&db.execute(ADD, &[])),
        size_of_val(&db.begin_in(A)),
        size_of_val(&db.table("notes").select("title").rows::<String>()),
    ];
    assert!(sizes.iter().all(|size| *size <= 8 * 1024), "{sizes:?}");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn nothing_runs_without_a_tenant() {
    let database = Database::with_notes();
    let db = connect(&database, 1).await;
    let errors = [
        db.begin().await.err(),
        db.query("SELECT 1", &[]).await.err(),
        db.execute("SELECT 1", &[]).await.err(),
        db.tx(async |_| Ok::<_, Error>(())).await.err(),
    ];
    for error in errors {
        let error = error.expect("an error");
        assert!(matches!(error, Error::Tenant(TenantError::TenantContextNotSet(_))), "{error:?}");
        assert_eq!(error.layer(), Some(Layer::Context));
    }
    let tx = db.begin().in_tenant(A).await.expect("a transaction");
    assert_eq!(tx.tenant(), A);
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn commits_or_rolls_back_by_the_result_of_the_closure() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    let title = "kept".to_owned();
    let add = async |tx: &TenantTx<'_>| tx.execute("INSERT INTO notes (title) VALUES ($1)", &[&title]).await;
    assert_eq!(db.tx_in(A, add).await?, 1);
    assert_eq!(db.tx(add).in_tenant(A).await?, 1);
    let failed: Result<(), Error> = db
        .tx_in(A, async |tx| {
            add(tx).await?;
            Err(Error::Config("of the body"))
        })
        .await;
    assert!(matches!(failed, Err(Error::Config("of the body"))));
    assert_eq!(notes(&db, A).await, ["kept", "kept"]);
    // The future is `Send`, so it can be spawned.
    let (of_task, pool) = (db.clone(), connections(&superuser).await);
    let task = tokio::spawn(async move {
        of_task
            .tx_in(A, async |tx| {
                tx.execute("INSERT INTO notes (title) VALUES ('lost')", &[]).await?;
                fail();
                Ok::<(), Error>(())
            })
            .await
    });
    assert!(task.await.expect_err("a panic").is_panic());
    assert_eq!(notes(&db, A).await, ["kept", "kept"]);
    assert_ne!(connections(&superuser).await, pool, "another connection");
    Ok(())
}

fn fail() {
    panic!("in the body");
}

async fn connections(superuser: &tokio_postgres::Client) -> Vec<i32> {
    let sql = "SELECT pid FROM pg_stat_activity
        WHERE usename = 'service' AND datname = current_database() ORDER BY pid";
    superuser.query(sql, &[]).await.expect("rows").iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn rejects_roles_that_can_bypass_isolation() {
    let database = Database::alone(Contents::Notes);
    let superuser = database.superuser().await;
    let sql = "CREATE ROLE super SUPERUSER; CREATE ROLE bypass BYPASSRLS; CREATE ROLE owner;
        CREATE TABLE public.owned (); ALTER TABLE public.owned OWNER TO owner;
        CREATE ROLE of_super LOGIN NOINHERIT IN ROLE super;
        CREATE ROLE of_bypass LOGIN IN ROLE bypass;
        CREATE ROLE of_owner LOGIN IN ROLE owner;
        CREATE ROLE of_tenancy LOGIN IN ROLE tenancy_owner";
    superuser.batch_execute(sql).await.expect("roles");
    for (user, problem) in [
        ("postgres", FindingKind::Superuser),
        ("of_super", FindingKind::Superuser),
        ("of_bypass", FindingKind::BypassRls),
        ("of_tenancy", FindingKind::Owner),
        ("of_tenancy", FindingKind::KeysGranted),
        ("of_owner", FindingKind::NoTenantId),
    ] {
        let error = TenantDb::connect(Config::new(database.config(user), key())).await.err();
        let Some(Error::Leaks(findings)) = error else { panic!("{user}: {error:?}") };
        assert!(findings.iter().any(|finding| finding.kind == problem), "{user}: {findings:?}");
        assert!(
            findings.iter().all(|finding| finding.severity == Severity::Critical),
            "{user}: {findings:?}"
        );
    }
}

/// Each statement leaves its transaction or its tenant. The statements after it do not run.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn sql_that_leaves_its_transaction_closes_it() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    let forged = format!("SELECT set_config('tenancy.context', '{}', true)", uuid::Uuid::from(B));
    for sql in [
        "COMMIT",
        "ROLLBACK",
        "END",
        "ABORT",
        "COMMIT AND CHAIN",
        "ROLLBACK AND CHAIN",
        "RESET ALL",
        "DISCARD ALL",
        "SET tenancy.context = ''",
        forged.as_str(),
    ] {
        for starts_with_it in [true, false] {
            let tx = db.begin_in(A).await?;
            if !starts_with_it {
                tx.execute("INSERT INTO notes (title) VALUES ('a')", &[]).await?;
            }
            let left = tx.execute(sql, &[]).await;
            if sql == "DISCARD ALL" {
                // Postgres itself rejects it in a transaction.
                assert_eq!(code(&left.unwrap_err()), Some(SqlState::ACTIVE_SQL_TRANSACTION));
                continue;
            }
            assert!(matches!(left, Err(Error::TxEscaped)), "{sql}: {left:?}");
            let next = tx.execute("INSERT INTO plain (title) VALUES ('outside')", &[]).await;
            assert!(matches!(next, Err(Error::TxEscaped)), "{sql}: {next:?}");
            assert!(matches!(tx.commit().await, Err(Error::TxEscaped)), "{sql}");
            let alone = db.execute(sql, &[]).in_tenant(A).await;
            assert!(matches!(alone, Err(Error::TxEscaped)), "{sql}: {alone:?}");
            assert_eq!(Error::TxEscaped.layer(), Some(Layer::Database));
            assert_eq!(notes(&db, B).await, [""; 0]);
        }
    }
    assert_eq!(superuser.query("SELECT FROM plain", &[]).await?.len(), 0);
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_failed_statement_keeps_the_transaction_in_its_tenant() -> Result<(), Error> {
    let database = Database::with_notes();
    let db = connect(&database, 1).await;
    let tx = db.begin_in(A).await?;
    let two = tx.execute("INSERT INTO plain (title) VALUES ('x'); COMMIT", &[]).await.unwrap_err();
    assert_eq!(code(&two), Some(SqlState::SYNTAX_ERROR), "two statements");
    let next = tx.execute("SELECT 1", &[]).await.unwrap_err();
    assert_eq!(code(&next), Some(SqlState::IN_FAILED_SQL_TRANSACTION));
    let commit = tx.commit().await.unwrap_err();
    assert_eq!(code(&commit), Some(SqlState::IN_FAILED_SQL_TRANSACTION), "a commit that would be a rollback");

    let tx = db.begin_in(A).await?;
    tx.execute("SAVEPOINT s", &[]).await?;
    tx.execute("SELECT 1 / $1::int", &[&0]).await.unwrap_err();
    tx.execute("ROLLBACK TO s", &[]).await?;
    tx.execute("INSERT INTO notes (title) VALUES ('a')", &[]).await?;
    tx.commit().await?;
    for sql in ["SELEC", "SELECT $1::int / 0", "SELECT 1; SELECT 2"] {
        let error = db.execute(sql, if sql.contains('$') { &[&1] } else { &[] }).in_tenant(A).await;
        assert!(code(&error.unwrap_err()).is_some(), "{sql}");
    }
    assert_eq!(notes(&db, A).await, ["a"]);
    Ok(())
}

/// `COPY` waits for data that never arrive, and consumes the messages after it.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn copy_closes_its_transaction() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    insert(&db, B, "b").await;
    for sql in ["COPY plain (title) FROM STDIN", "COPY notes TO STDOUT"] {
        let tx = db.begin_in(A).await?;
        let copied = timeout(LIMIT, tx.execute(sql, &[])).await.expect("in time");
        assert!(copied.is_err(), "{sql}");
        assert!(matches!(tx.execute("SELECT 1", &[]).await, Err(Error::TxClosed)), "{sql}");
        assert!(tx.commit().await.is_err(), "{sql}");
        let alone = timeout(LIMIT, db.execute(sql, &[]).in_tenant(A)).await.expect("in time");
        assert!(alone.is_err(), "{sql}");
        assert_eq!(notes(&db, B).await, ["b"]);
    }
    assert_eq!(superuser.query("SELECT FROM plain", &[]).await?.len(), 0);
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_statement_that_is_dropped_closes_its_transaction() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    let tx = db.begin_in(A).await?;
    tx.execute("INSERT INTO notes (title) VALUES ('a')", &[]).await?;
    timeout(Duration::from_millis(50), tx.execute("SELECT pg_sleep(600)", &[])).await.unwrap_err();
    assert!(matches!(tx.execute("SELECT 1", &[]).await, Err(Error::TxClosed)));
    assert!(matches!(tx.commit().await, Err(Error::TxClosed)));
    assert_eq!(notes(&db, A).await, [""; 0]);
    // The statement is also cancelled: otherwise the server would sleep for ten minutes.
    let sql = "SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%'
        AND pid <> pg_backend_pid() AND datname = current_database()";
    eventually("the statement is cancelled", LIMIT, async || {
        superuser.query(sql, &[]).await.expect("rows").is_empty()
    })
    .await;
    Ok(())
}

/// Only the result check helps here: the view's owner bypasses row-level security.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_row_of_another_tenant_discards_result_and_transaction() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    let sql = "CREATE VIEW leak AS SELECT * FROM notes; GRANT SELECT, UPDATE ON leak TO tenancy_app";
    superuser.batch_execute(sql).await?;
    insert(&db, A, "a").await;
    insert(&db, B, "b").await;
    for sql in [
        "SELECT * FROM leak ORDER BY tenant_id",
        "SELECT title, tenant_id AS x FROM leak",
        "UPDATE leak SET title = 'mine' RETURNING tenant_id",
        "SELECT n.*, l.tenant_id, l.title FROM notes n, leak l",
    ] {
        let tx = db.begin_in(A).await?;
        let error = tx.query(sql, &[]).await.unwrap_err();
        let Error::Mismatch(mismatch) = error else { panic!("{sql}: {error:?}") };
        assert_eq!((mismatch.expected(), mismatch.found()), (A, B));
        assert_eq!(Error::from(mismatch).layer(), Some(Layer::Result));
        assert!(!format!("{mismatch:?} {mismatch}").contains("bbbb"));
        assert!(matches!(tx.execute("SELECT 1", &[]).await, Err(Error::TxClosed)), "{sql}");
        assert!(matches!(tx.commit().await, Err(Error::TxClosed)), "{sql}");
    }
    let alone = db.query("SELECT * FROM leak", &[]).in_tenant(A).await;
    assert!(matches!(alone, Err(Error::Mismatch(_))), "{alone:?}");
    let writes = db.query("UPDATE leak SET title = 'mine' RETURNING tenant_id", &[]).in_tenant(A).await;
    assert_eq!(code(&writes.unwrap_err()), Some(SqlState::READ_ONLY_SQL_TRANSACTION));
    assert_eq!(notes(&db, B).await, ["b"]);
    assert_eq!(notes(&db, A).await, ["a"]);
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn verifies_rows_by_the_tenant_column_of_their_table() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    let sql = "CREATE VIEW leak AS SELECT * FROM notes; GRANT SELECT ON leak TO tenancy_app";
    superuser.batch_execute(sql).await?;
    let sql = "CREATE TABLE papers (tenant_id uuid, author uuid, title text);
        GRANT ALL ON papers TO tenancy_app";
    superuser.batch_execute(sql).await?;
    let insert_paper = "INSERT INTO papers VALUES ($1, $2, 'p')";
    superuser.execute(insert_paper, &[&PgTenantId(A), &PgTenantId(B)]).await?;
    superuser.execute(insert_paper, &[&None::<PgTenantId>, &PgTenantId(A)]).await?;
    insert(&db, A, "a").await;
    insert(&db, B, "b").await;
    let own = format!("'{}'::uuid AS tenant_id", uuid::Uuid::from(A));
    let tx = db.begin_in(A).await?;
    for sql in [
        "SELECT title FROM notes".to_owned(),
        "SELECT title FROM notes WHERE false".to_owned(),
        "SELECT title FROM notes UNION SELECT title FROM leak".to_owned(),
        "SELECT n.title FROM notes n JOIN leak l USING (tenant_id)".to_owned(),
        "SELECT count(*) FROM notes".to_owned(),
        format!("SELECT title, {own} FROM leak"),
        format!("SELECT {own}"),
        "SELECT tenant_id || '' AS tenant_id, title FROM leak".to_owned(),
        // The tenant column of one table proves nothing about the rows of another.
        "SELECT n.tenant_id, l.title FROM notes n, leak l".to_owned(),
        "SELECT l.id AS tenant_id, l.title FROM leak l".to_owned(),
        "SELECT author, title FROM papers WHERE author = tenancy.tenant_id()".to_owned(),
        "SELECT tenant_id, title FROM papers ORDER BY tenant_id NULLS FIRST".to_owned(),
        "SELECT n.tenant_id, p.tenant_id, p.title FROM notes n, papers p WHERE p.tenant_id IS NULL"
            .to_owned(),
        "SELECT p.title AS tenant_id FROM plain p RIGHT JOIN leak ON true".to_owned(),
    ] {
        let shown = tx.query(&sql, &[]).await;
        assert!(matches!(shown, Err(Error::MissingTenantColumn)), "{sql}: {shown:?}");
    }
    for (sql, count) in [
        ("SELECT tenant_id AS whose, title FROM notes", 1),
        ("SELECT tenant_id, author, title FROM papers WHERE tenant_id IS NOT NULL", 1),
        ("SELECT n.tenant_id, n.title, p.title FROM notes n LEFT JOIN plain p ON true", 1),
        ("SELECT n.*, m.* FROM notes n LEFT JOIN notes m ON m.id < 0", 1),
        ("SELECT n.*, l.* FROM notes n LEFT JOIN leak l ON l.id < 0", 1),
        // The server names no table for the columns of a set operation, and one for columns that are joined by name.
        ("SELECT tenant_id, title FROM notes UNION SELECT tenant_id, title FROM leak WHERE false", 1),
        ("SELECT tenant_id, n.title, m.title FROM notes n JOIN notes m USING (tenant_id, id)", 1),
        ("SELECT tenant_id, n.title, p.author FROM notes n LEFT JOIN papers p USING (tenant_id)", 1),
    ] {
        assert_eq!(tx.query(sql, &[]).await?.len(), count, "{sql}");
    }
    tx.commit().await?;
    // A column that is created again has another number.
    assert_eq!(notes(&db, A).await, ["a"]);
    superuser
        .batch_execute(
            "ALTER TABLE notes ADD tenant uuid; UPDATE notes SET tenant = tenant_id;
            DROP VIEW leak; DROP POLICY tenancy_isolation ON notes; ALTER TABLE notes DROP tenant_id;
            ALTER TABLE notes RENAME tenant TO tenant_id",
        )
        .await?;
    let rows = db.query("SELECT tenant_id, title FROM notes WHERE title = 'a'", &[]).in_tenant(A).await?;
    assert_eq!(titles(&rows), ["a"]);
    let rows = db.query("SELECT tenant_id, title FROM notes", &[]).in_tenant(A).await;
    assert!(matches!(rows, Err(Error::Mismatch(_))), "there is no policy: {rows:?}");
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_wrong_key_enters_nothing() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let mut other = *SECRET;
    other[0] ^= 1;
    for (id, secret) in [(1, &other), (2, SECRET)] {
        let key = SigningKey::new(id, secret).expect("a key");
        let db = connect_by(&database, Config::new(database.config("service"), key)).await;
        let sql = "INSERT INTO plain (title) VALUES ('x')";
        for error in [
            db.execute(sql, &[]).in_tenant(A).await.unwrap_err(),
            db.begin_in(A).await?.execute(sql, &[]).await.unwrap_err(),
            db.begin_in(A).await?.execute("SELECT $1::int", &[&1]).await.unwrap_err(),
        ] {
            assert_eq!(code(&error), Some(SqlState::INSUFFICIENT_PRIVILEGE), "{error:?}");
            assert_eq!(error.layer(), Some(Layer::Database));
        }
    }
    assert_eq!(superuser.query("SELECT FROM plain", &[]).await?.len(), 0);
    Ok(())
}

/// The detail of a conflict names the other row's key.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn errors_and_debug_show_no_foreign_data_and_no_secret() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    let sql = "CREATE TABLE spans (
            tenant_id uuid DEFAULT tenancy.tenant_id(), span int4range, EXCLUDE USING gist (span WITH &&));
        GRANT ALL ON spans TO tenancy_app";
    superuser.batch_execute(sql).await?;
    db.execute("INSERT INTO spans (span) VALUES ('[4711,4712)')", &[]).in_tenant(B).await?;
    let tx = db.begin_in(A).await?;
    let error = tx.execute("INSERT INTO spans (span) VALUES ('[1,9999)')", &[]).await.unwrap_err();
    assert_eq!(code(&error), Some(SqlState::EXCLUSION_VIOLATION));
    let source = std::error::Error::source(&error).map(ToString::to_string);
    for shown in
        [format!("{error} {error:?} {error:#?} {source:?}"), format!("{db:?} {tx:?} {:?}", config(&database))]
    {
        for hidden in ["4711", "own secret", "116, 104, 101", "signature: "] {
            assert!(!shown.contains(hidden), "{shown}");
        }
    }
    assert!(format!("{tx:?}").contains("aaaaaaaa"));
    Ok(())
}

/// The types of parameters are cached by the text of the statement.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn relearns_parameter_types_when_the_table_changes() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    let sql = "INSERT INTO plain (title) VALUES ($1)";
    db.execute(sql, &[&"x"]).in_tenant(A).await?;
    superuser.batch_execute("ALTER TABLE plain ALTER title TYPE int USING 0").await?;
    assert!(db.execute(sql, &[&"x"]).in_tenant(A).await.is_err());
    db.execute(sql, &[&1]).in_tenant(A).await?;
    for params in [&[] as &[&(dyn tokio_postgres::types::ToSql + Sync)], &[&1, &2]] {
        assert!(db.execute(sql, params).in_tenant(A).await.is_err(), "{params:?}");
    }
    db.execute(sql, &[&1]).in_tenant(A).await?;
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn finds_types_after_a_tenant_deallocated_the_lookup_statements() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    superuser.batch_execute("CREATE TYPE m1 AS ENUM ('x'); CREATE TYPE m2 AS ENUM ('x')").await?;
    superuser.batch_execute("CREATE TYPE m3 AS ENUM ('x')").await?;
    let find = async |name: &str| {
        let sql = format!("SELECT 'x'::{name}");
        db.tx_in(A, async |tx: &TenantTx<'_>| Ok::<_, Error>(tx.query_unverified(&sql, &[]).await?.len()))
            .await
    };
    assert_eq!(find("m1").await?, 1);
    db.execute("PREPARE \"a ; b\" AS SELECT 1", &[]).in_tenant(B).await?;
    assert_eq!(find("m2").await?, 1, "after SQL prepared a statement");
    db.execute("DEALLOCATE ALL", &[]).in_tenant(B).await?;
    assert_eq!(find("m3").await?, 1);
    Ok(())
}

/// The SQL contains a valid signature of another tenant. A transaction has only one tenant.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn rejects_sql_that_enters_another_tenant() -> Result<(), Error> {
    let database = Database::with_notes();
    let db = connect(&database, 1).await;
    insert(&db, B, "b").await;
    let expires = i64::from(u32::MAX);
    let enter = format!("SELECT tenancy.enter('{}', 1, {expires}, $1)", uuid::Uuid::from(B));
    let signature = signature(SECRET, B, 1, expires);
    let tx = db.begin_in(A).await?;
    let entered = tx.execute(&enter, &[&&signature[..]]).await.unwrap_err();
    assert_eq!(entered.layer(), Some(Layer::Database), "{entered}");
    let rows = tx.query("SELECT * FROM notes", &[]).await;
    assert!(rows.as_ref().is_err() || titles(&rows?).is_empty(), "another tenant's");
    drop(tx);
    let alone = db.execute(&enter, &[&&signature[..]]).in_tenant(A).await.unwrap_err();
    assert_eq!(alone.layer(), Some(Layer::Database), "{alone}");
    assert!(notes(&db, A).await.is_empty());
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_parameter_of_a_wrong_type_commits_nothing() -> Result<(), Error> {
    let database = Database::with_notes();
    let db = connect(&database, 1).await;
    let sql = "INSERT INTO notes (title) VALUES ($1)";
    for _ in 0..2 {
        let wrong = db.execute(sql, &[&1]).in_tenant(A).await.expect_err("a number is not text");
        assert!(matches!(wrong, Error::Parameter { index: 1, .. }), "{wrong:?}");
        assert!(!wrong.is_transient());
        let tx = db.begin_in(A).await?;
        assert!(matches!(tx.execute(sql, &[&1]).await, Err(Error::Parameter { .. })));
        // Nothing was sent, so the transaction goes on.
        assert_eq!(tx.execute(sql, &[&"a"]).await?, 1);
        tx.commit().await?;
    }
    assert_eq!(notes(&db, A).await, ["a", "a"]);
    Ok(())
}

/// The constraint's trigger needs the tenant: it runs before the context ends.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn deferred_triggers_run_in_their_tenant() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    let sql = "CREATE TABLE seen (tenant uuid); GRANT ALL ON seen TO tenancy_app;
        CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN INSERT INTO seen VALUES (tenancy.tenant_id()); RETURN NULL; END$$;
        CREATE CONSTRAINT TRIGGER see AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION see();
        CREATE TABLE late (id int UNIQUE DEFERRABLE INITIALLY DEFERRED); GRANT ALL ON late TO tenancy_app";
    superuser.batch_execute(sql).await?;
    insert(&db, A, "a").await;
    let add = async |tx: &TenantTx<'_>| tx.execute(ADD, &[]).await;
    db.tx_in(A, add).await?;
    let seen = superuser.query("SELECT FROM seen WHERE tenant = $1", &[&PgTenantId(A)]).await?;
    assert_eq!(seen.len(), 2);
    for error in [
        db.tx_in(A, async |tx| tx.execute("INSERT INTO late VALUES (1), (1)", &[]).await).await,
        db.execute("INSERT INTO late VALUES (1), (1)", &[]).in_tenant(A).await,
    ] {
        assert_eq!(code(&error.unwrap_err()), Some(SqlState::UNIQUE_VIOLATION));
    }
    assert_eq!(notes(&db, A).await.len(), 2);
    // A deferred trigger can also leave the tenant.
    let sql = "CREATE OR REPLACE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN PERFORM set_config('tenancy.context', '', true); RETURN NULL; END$$";
    superuser.batch_execute(sql).await?;
    for left in [db.tx_in(A, add).await, db.execute(ADD, &[]).in_tenant(A).await] {
        assert!(matches!(left, Err(Error::TxEscaped)), "{left:?}");
    }
    assert_eq!(notes(&db, A).await.len(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_statement_takes_one_round_trip() -> Result<(), Error> {
    let database = Database::with_notes();
    let proxy = Proxy::start(&database);
    let db = TenantDb::connect(Config::new(proxy.config("service"), key()).max_connections(1)).await?;
    // The first statements look up the table.
    insert(&db, A, "a").await;
    notes(&db, A).await;
    proxy.take_trips();

    notes(&db, A).await;
    assert_eq!(proxy.take_trips(), 1, "a query");
    let sql = "INSERT INTO notes (title, id) VALUES ($1, DEFAULT)";
    for _ in 0..3 {
        db.execute(sql, &[&"b"]).in_tenant(A).await?;
        assert_eq!(proxy.take_trips(), 1, "text needs no type");
    }
    let update = "UPDATE notes SET title = 'x' WHERE id = $1";
    db.execute(update, &[&0_i64]).in_tenant(A).await?;
    assert_eq!(proxy.take_trips(), 2, "the first time, for the type");
    db.execute(update, &[&0_i64]).in_tenant(A).await?;
    assert_eq!(proxy.take_trips(), 1, "the second time");
    db.query("SELECT tenant_id FROM notes WHERE id = $1", &[&0_i64]).in_tenant(A).await?;
    assert_eq!(proxy.take_trips(), 1, "a query that no session has seen");

    let tx = db.begin_in(A).await?;
    assert_eq!(proxy.take_trips(), 0, "begin");
    tx.execute(sql, &[&"c"]).await?;
    tx.query("SELECT tenant_id FROM notes", &[]).await?;
    assert_eq!(proxy.take_trips(), 2, "two statements");
    tx.commit().await?;
    assert_eq!(proxy.take_trips(), 1, "commit");
    db.begin_in(A).await?.commit().await?;
    assert_eq!(proxy.take_trips(), 0, "nothing");
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_commit_without_an_answer_is_reported_as_unknown() -> Result<(), Error> {
    let database = Database::with_notes();
    let proxy = Proxy::start(&database);
    let db = TenantDb::connect(Config::new(proxy.config("service"), key()).max_connections(1)).await?;
    let tx = db.begin_in(A).await?;
    tx.execute("INSERT INTO notes (title) VALUES ('first')", &[]).await?;
    proxy.lose_answers(true);
    let committed = tx.commit().await;
    assert!(matches!(committed, Err(Error::CommitUnknown(_))), "{committed:?}");
    proxy.lose_answers(false);
    let connected = notes(&db, A).await;
    assert_eq!(connected, ["first"], "it was committed all the same");
    proxy.lose_answers(true);
    let alone = db.execute("INSERT INTO notes (title) VALUES ('second')", &[]).in_tenant(A).await;
    assert!(matches!(alone, Err(Error::CommitUnknown(_))), "{alone:?}");
    proxy.lose_answers(false);
    notes(&db, A).await;
    proxy.lose_answers(true);
    let read = db.query("SELECT tenant_id FROM notes", &[]).in_tenant(A).await;
    assert!(matches!(read, Err(Error::Connection(_))), "nothing to commit: {read:?}");
    Ok(())
}
