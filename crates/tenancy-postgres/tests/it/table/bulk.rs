//! Inserts of many rows.

use serde_json::{Value, json};
use tenancy::TenantFutureExt;
use tenancy_postgres::{Error, TableError};

use super::model::SCHEMA;
use crate::support::database::Database;
use crate::support::notes::connect;
use crate::support::{A, B};

fn rows(count: i32) -> impl Iterator<Item = Value> {
    (0..count).map(|id| json!({ "id": id, "title": format!("title {id}"), "size": i64::from(id) * 3 }))
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn inserts_ten_thousand_rows_in_one_statement() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    superuser.batch_execute(SCHEMA).await.expect("tables");
    let items = db.table("items");
    assert_eq!(items.insert_many(rows(10_000)).to_sql(A)?.len(), 1);
    assert_eq!(items.insert_many(rows(10_001)).to_sql(A)?.len(), 2);
    let test = async {
        assert_eq!(items.insert_many(rows(10_000)).execute().await?, 10_000);
        assert_eq!(items.select("*").count().await?, 10_000);
        assert_eq!(items.select("size").eq("id", 9_999).single::<Value>().await?, json!({ "size": 29_997 }));
        assert_eq!(items.insert_many(rows(0)).execute().await?, 0);
        let given: Vec<Value> = items.insert_many(rows(10_002)).ignore_duplicates().returning("id").await?;
        assert_eq!(given, [json!({ "id": 10_000 }), json!({ "id": 10_001 })]);
        Ok::<_, Error>(())
    };
    test.in_tenant(A).await?;
    assert_eq!(items.select("*").count().in_tenant(B).await?, 0);
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_failed_batch_inserts_nothing() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    superuser.batch_execute(SCHEMA).await.expect("tables");
    let items = db.table("items");
    let test = async {
        let duplicate = rows(20_000).chain([json!({ "id": 0, "title": null, "size": null })]);
        assert!(matches!(items.insert_many(duplicate).execute().await, Err(Error::Postgres(_))));
        let other = rows(3).chain([json!({ "id": 9 })]);
        let other = items.insert_many(other).execute().await;
        assert!(matches!(other, Err(Error::Table(TableError::InvalidRow))), "{other:?}");
        assert_eq!(items.select("*").count().await?, 0);
        let long = "x".repeat(3 << 20);
        let long = (0..4).map(|id| json!({ "id": id, "title": long }));
        assert_eq!(items.insert_many(long.clone()).to_sql(A)?.len(), 2, "8 MiB a statement");
        assert_eq!(items.insert_many(long).execute().await?, 4);
        Ok::<_, Error>(())
    };
    test.in_tenant(A).await
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn rolls_back_many_rows_written_for_another_tenant() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    superuser.batch_execute(SCHEMA).await.expect("tables");
    let give_away = format!(
        "CREATE FUNCTION public.give() RETURNS trigger LANGUAGE plpgsql AS
             $$BEGIN IF NEW.id = 11000 THEN NEW.tenant_id := '{B}'; END IF; RETURN NEW; END$$;
         CREATE TRIGGER give BEFORE INSERT ON public.items FOR EACH ROW EXECUTE FUNCTION public.give()"
    );
    superuser.batch_execute(&give_away).await.expect("a trigger");
    let written = db.table("items").insert_many(rows(12_000)).execute().in_tenant(A).await;
    assert!(matches!(written, Err(Error::Mismatch(_))), "{written:?}");
    let left = superuser.query_one("SELECT count(*) FROM items", &[]).await.expect("a count");
    assert_eq!(left.get::<_, i64>(0), 0);
    Ok(())
}
