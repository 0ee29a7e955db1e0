//! Each layer keeps tenants apart while the others are turned off.

use serde_json::json;
use tenancy::TenantFutureExt;
use tenancy_postgres::{Error, Layer, TenantDb, TenantTx};
use tokio_postgres::Client;

use crate::support::database::Database;
use crate::support::notes::{connect, insert};
use crate::support::{A, B};

/// Turns off row-level security; `ON` turns it on again.
const OFF: &str = "ALTER TABLE notes DISABLE ROW LEVEL SECURITY";
const ON: &str = "ALTER TABLE notes ENABLE ROW LEVEL SECURITY";

const ALL: &str = "SELECT tenant_id, title FROM notes";

/// Creates a note of each tenant.
async fn start(database: &Database) -> (Client, TenantDb) {
    let superuser = database.superuser().await;
    let db = connect(database, 1).await;
    insert(&db, A, "a").await;
    insert(&db, B, "b").await;
    (superuser, db)
}

async fn stored(superuser: &Client) -> Vec<String> {
    let rows = superuser.query("SELECT title FROM notes ORDER BY title", &[]).await.expect("rows");
    rows.iter().map(|row| row.get(0)).collect()
}

/// Returns the titles that raw SQL reads in A without a check of the result.
async fn unverified(db: &TenantDb) -> Vec<String> {
    let read = async |tx: &TenantTx<'_>| tx.query_unverified(ALL, &[]).await;
    let rows = db.tx_in(A, read).await.expect("rows");
    rows.iter().map(|row| row.get("title")).collect()
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn without_any_layer_a_tenant_sees_all_rows() -> Result<(), Error> {
    let database = Database::with_notes();
    let (superuser, db) = start(&database).await;
    superuser.batch_execute(OFF).await?;
    assert_eq!(unverified(&db).await, ["a", "b"], "so the tests below do turn them off");
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn the_context_alone_rejects_statements_without_a_tenant() -> Result<(), Error> {
    let database = Database::with_notes();
    let (superuser, db) = start(&database).await;
    superuser.batch_execute(OFF).await?;
    let delete = "DELETE FROM notes";
    for refused in [
        db.query(ALL, &[]).await.err(),
        db.execute(delete, &[]).await.err(),
        db.begin().await.err(),
        db.tx(async |tx| tx.execute(delete, &[]).await).await.err(),
        db.table("notes").delete().eq("title", "a").execute().await.err(),
    ] {
        let refused = refused.expect("there is no tenant");
        assert_eq!(refused.layer(), Some(Layer::Context), "{refused:?}");
    }
    assert_eq!(stored(&superuser).await, ["a", "b"]);
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn the_statement_alone_keeps_tenants_apart() -> Result<(), Error> {
    let database = Database::with_notes();
    let (superuser, db) = start(&database).await;
    superuser.batch_execute(OFF).await?;
    let test = async {
        let notes = db.table("notes");
        // Counts and writes return no row that could be checked.
        assert_eq!(notes.select("id").count().await?, 1);
        let either = notes.select("id").or(|any| any.eq("title", "a").eq("title", "b"));
        assert_eq!(either.count().await?, 1);
        assert_eq!(notes.update(json!({ "title": "mine" })).eq("title", "b").execute().await?, 0);
        assert_eq!(notes.delete().eq("title", "b").execute().await?, 0);
        let foreign = json!({ "title": "x", "tenant_id": B.to_string() });
        let refused = notes.insert(foreign).execute().await.unwrap_err();
        assert_eq!(refused.layer(), Some(Layer::Query), "{refused:?}");
        let unfiltered = notes.delete().execute().await.unwrap_err();
        assert_eq!(unfiltered.layer(), Some(Layer::Query), "{unfiltered:?}");
        Ok::<_, Error>(())
    };
    test.in_tenant(A).await?;
    assert_eq!(stored(&superuser).await, ["a", "b"]);
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn the_database_alone_keeps_tenants_apart() -> Result<(), Error> {
    let database = Database::with_notes();
    let (superuser, db) = start(&database).await;
    assert_eq!(unverified(&db).await, ["a"]);
    let change = async |sql: &str| db.execute(sql, &[]).in_tenant(A).await;
    assert_eq!(change("UPDATE notes SET title = 'mine' WHERE title = 'b'").await?, 0);
    assert_eq!(change("DELETE FROM notes WHERE title = 'b'").await?, 0);
    let foreign = format!("INSERT INTO notes (title, tenant_id) VALUES ('x', '{B}')");
    let refused = change(&foreign).await.unwrap_err();
    assert_eq!(refused.layer(), Some(Layer::Database), "{refused:?}");
    assert_eq!(stored(&superuser).await, ["a", "b"]);
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn the_result_check_alone_rejects_foreign_rows() -> Result<(), Error> {
    let database = Database::with_notes();
    let (superuser, db) = start(&database).await;
    superuser.batch_execute(OFF).await?;
    let one = db.query(ALL, &[]).in_tenant(A).await.unwrap_err();
    assert_eq!(one.layer(), Some(Layer::Result), "{one:?}");
    let tx = db.begin_in(A).await?;
    let update = "UPDATE notes SET title = 'mine' RETURNING tenant_id, title";
    let in_one = tx.query(update, &[]).await.unwrap_err();
    assert_eq!(in_one.layer(), Some(Layer::Result), "{in_one:?}");
    assert!(matches!(tx.commit().await, Err(Error::TxClosed)));
    assert_eq!(stored(&superuser).await, ["a", "b"]);
    superuser.batch_execute(ON).await?;
    assert_eq!(db.query(ALL, &[]).in_tenant(A).await?.len(), 1);
    Ok(())
}
