//! Calls of functions.

use serde_json::{Value, json};
use tenancy::TenantFutureExt;
use tenancy_postgres::{Error, TableError};
use tokio_postgres::error::SqlState;

use super::code;
use crate::support::database::Database;
use crate::support::notes::{connect, insert};
use crate::support::{A, B};

const FUNCTIONS: &str = "
CREATE FUNCTION public.search(words text) RETURNS SETOF notes LANGUAGE sql STABLE AS
    'SELECT * FROM notes WHERE title LIKE words ORDER BY id';
CREATE FUNCTION public.leak(words text) RETURNS SETOF notes LANGUAGE sql STABLE SECURITY DEFINER AS
    'SELECT * FROM notes WHERE title LIKE words';
CREATE FUNCTION public.titles() RETURNS TABLE (title text) LANGUAGE sql AS 'SELECT title FROM notes';
CREATE FUNCTION public.nobody() RETURNS TABLE (tenant_id uuid, title text) LANGUAGE sql AS 'SELECT NULL::uuid, title FROM notes';
CREATE FUNCTION public.add(title text) RETURNS SETOF notes LANGUAGE sql AS
    'INSERT INTO notes (title) VALUES (add.title) RETURNING *';
CREATE FUNCTION public.sum(a integer, b integer DEFAULT 10) RETURNS integer LANGUAGE sql AS 'SELECT a + b';
CREATE FUNCTION public.describe(list integer[], doc jsonb, \"it's\" text) RETURNS text LANGUAGE sql AS
    'SELECT array_length(list, 1) || (doc ->> ''k'') || \"it''s\"';
CREATE FUNCTION public.leave_state() RETURNS integer LANGUAGE plpgsql AS
    $$BEGIN PERFORM pg_advisory_lock(77); PERFORM set_config('app.left', 'behind', false); RETURN 1; END$$;
ALTER FUNCTION public.leak(text) OWNER TO postgres;
";

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn rows_of_functions_are_verified() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    superuser.batch_execute(FUNCTIONS).await.expect("functions");
    insert(&db, A, "own").await;
    insert(&db, B, "foreign").await;
    let words = |words: &str| json!({ "words": words });
    let test = async {
        let found: Vec<Value> = db.rpc("search", words("%")).rows().await?;
        assert_eq!(found, [json!({ "id": found[0]["id"], "title": "own" })]);
        assert_eq!(db.rpc("public.search", words("%")).read_only().rows::<Value>().await?, found);
        assert_eq!(db.rpc("leak", words("own")).rows::<Value>().await?, found);
        let leaked = db.rpc("leak", words("%")).rows::<Value>().await;
        assert!(matches!(leaked, Err(Error::Mismatch(_))), "{leaked:?}");
        let leaked = db.rpc("leak", words("%")).read_only().rows::<Value>().await;
        assert!(matches!(leaked, Err(Error::Mismatch(_))), "{leaked:?}");
        let untold = db.rpc("titles", json!({})).rows::<Value>().await.expect_err("no tenant column");
        assert_eq!(code(&untold), Some(SqlState::UNDEFINED_COLUMN), "{untold:?}");
        let nobody = db.rpc("nobody", json!({})).rows::<Value>().await;
        assert!(matches!(nobody, Err(Error::MissingTenantColumn)), "{nobody:?}");
        let scalar = db.rpc("sum", json!({ "a": 1 })).rows::<Value>().await;
        assert!(scalar.is_err(), "a number has no tenant column: {scalar:?}");
        let titles: Vec<Value> = db.rpc("titles", json!({})).unverified().rows().await?;
        assert_eq!(titles, [json!({ "title": "own" })]);
        let added = db.rpc("add", json!({ "title": "'; DROP TABLE notes; --" })).rows::<Value>().await?;
        assert_eq!(added[0]["title"], "'; DROP TABLE notes; --");
        let refused = db.rpc("add", json!({ "title": "x" })).read_only().rows::<Value>().await;
        assert_eq!(refused.as_ref().err().and_then(code), Some(SqlState::READ_ONLY_SQL_TRANSACTION));
        assert_eq!(db.table("notes").select("*").count().await?, 2);
        Ok::<_, Error>(())
    };
    test.in_tenant(A).await?;
    let tx = db.begin_in(A).await?;
    let leaked = tx.rpc("leak", words("%")).rows::<Value>().await;
    assert!(matches!(leaked, Err(Error::Mismatch(_))), "{leaked:?}");
    assert!(matches!(tx.commit().await, Err(Error::TxClosed)));
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn arguments_are_parameters() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    superuser.batch_execute(FUNCTIONS).await.expect("functions");
    let test = async {
        assert_eq!(db.rpc("sum", json!({ "a": 1, "b": 2 })).value::<i64>().await?, 3);
        assert_eq!(db.rpc("sum", json!({ "a": 1 })).read_only().value::<i64>().await?, 11);
        assert_eq!(db.rpc("sum", json!({ "a": null, "b": 2 })).value::<Option<i64>>().await?, None);
        let text = json!({ "list": [1, 2, 3], "doc": { "k": "\"'" }, "it's": "é" });
        assert_eq!(db.rpc("describe", text).value::<String>().await?, "3\"'é");
        let wrong = db.rpc("sum", json!({ "c": 1 })).value::<i64>().await.expect_err("no such argument");
        assert_eq!(code(&wrong), Some(SqlState::UNDEFINED_FUNCTION));
        for arguments in [json!([1]), json!(1), json!(null)] {
            let wrong = db.rpc("sum", arguments).value::<i64>().await;
            assert!(matches!(wrong, Err(Error::Table(TableError::InvalidValue))), "{wrong:?}");
        }
        Ok::<_, Error>(())
    };
    test.in_tenant(A).await
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_function_leaves_nothing_in_the_session() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    superuser.batch_execute(FUNCTIONS).await.expect("functions");
    for reads in [true, false] {
        let call = db.rpc("leave_state", json!({}));
        let call = if reads { call.read_only() } else { call };
        assert_eq!(call.value::<i32>().in_tenant(A).await?, 1);
        let left = "SELECT coalesce(current_setting('app.left', true), '') || (SELECT count(*) FROM pg_locks
                    WHERE locktype = 'advisory' AND pid = pg_backend_pid())";
        let left = db.tx_in(B, async |tx| tx.query_unverified(left, &[]).await).await?;
        assert_eq!(left[0].get::<_, String>(0), "0", "read only: {reads}");
    }
    Ok(())
}
