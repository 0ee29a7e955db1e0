//! Columns, orders, pages and names.

use serde_json::{Value, json};
use tenancy::TenantFutureExt;
use tenancy_postgres::table::Order;
use tenancy_postgres::{Config, Error, TableError, TenantDb};

use crate::support::database::Database;
use crate::support::notes::connect;
use crate::support::proxy::Proxy;
use crate::support::{A, B, key};

const SCHEMA: &str = "
CREATE TABLE public.\"数据 \"\"1\"\"\" (
    id integer, \"é\" text, \"größe\" numeric, doc jsonb, \"it's; --\" integer, tenant_id uuid NOT NULL,
    UNIQUE (tenant_id, id), UNIQUE (tenant_id, \"é\")
);
GRANT SELECT, INSERT, UPDATE, DELETE ON public.\"数据 \"\"1\"\"\" TO tenancy_app;
";

const TABLE: &str = "public.\"数据 \"\"1\"\"\"";

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn selects_aliases_casts_paths_and_other_alphabets() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    superuser.batch_execute(SCHEMA).await.expect("a table");
    let row = json!({ "id": 1, "é": "x", "größe": 1.5, "doc": { "a": { "b": "c" } }, "it's; --": 7 });
    db.table(TABLE).insert(&row).execute().in_tenant(B).await?;
    let test = async {
        let table = db.table(TABLE);
        let stored: Value = table.insert(&row).returning("*").single().await?;
        assert_eq!(stored, row);
        let columns = "name:é, größe::text, \"数\":id::bigint, doc->a->>b, whole:doc->a, \"it's; --\", id::pg_catalog.text";
        let given: Value = table.select(columns).order("doc->a->>b", Order::Desc).single().await?;
        let expected = json!({
            "name": "x", "größe": "1.5", "数": 1, "b": "c", "whole": { "b": "c" }, "it's; --": 7, "id": "1",
        });
        assert_eq!(given, expected);
        assert_eq!(table.update(json!({ "größe": 2 })).eq("é", "x").execute().await?, 1);
        assert_eq!(table.upsert(json!({ "é": "x", "größe": 3 }), "é").execute().await?, 1);
        let given: Value = table.select("größe").eq("\"it's; --\"", 7).single().await?;
        assert_eq!(given, json!({ "größe": 3 }));
        for taken in ["a:id, a:é", "id, id:é"] {
            let given = table.select(taken).rows::<Value>().await;
            assert!(matches!(given, Err(Error::Table(TableError::DuplicateName))), "{given:?}");
        }
        let wide: Vec<_> = (0..60).map(|number| format!("c{number}:id")).collect();
        let given: Value = table.select(&wide.join(", ")).single().await?;
        assert_eq!((given.as_object().map(serde_json::Map::len), &given["c59"]), (Some(60), &json!(1)));
        for kind in ["tenancy.entering", "leaving", "\"tenancy\".\"leaving\""] {
            let given = table.select(&format!("id::{kind}")).rows::<Value>().await;
            assert!(matches!(given, Err(Error::Table(TableError::InvalidIdentifier))), "{given:?}");
        }
        Ok::<_, Error>(())
    };
    test.in_tenant(A).await
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_page_has_the_total_of_all_pages() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let proxy = Proxy::start(&database);
    let db = TenantDb::connect(Config::new(proxy.config("service"), key()).max_connections(1)).await?;
    superuser.batch_execute(SCHEMA).await.expect("a table");
    let rows = |count| (0..count).map(|id| json!({ "id": id, "é": (id > 2).then(|| id.to_string()) }));
    db.table(TABLE).insert_many(rows(9)).execute().in_tenant(B).await?;
    let test = async {
        let table = db.table(TABLE);
        table.insert_many(rows(5)).execute().await?;
        let page = |range| table.select("id").order("id", Order::Desc).gte("id", 1).range(range);
        page(0..2).rows::<Value>().await?;
        proxy.take_trips();
        let given = page(1..3).rows_with_count::<Value>().await?;
        assert_eq!(proxy.take_trips(), 1);
        assert_eq!((given.rows, given.total), (vec![json!({ "id": 3 }), json!({ "id": 2 })], 4));
        for (range, total) in [(9..20, 4), (0..0, 4), (2..2, 4)] {
            let given = page(range).rows_with_count::<Value>().await?;
            assert_eq!((given.rows, given.total), (vec![], total));
        }
        let given = table.select("*").gt("id", 100).rows_with_count::<Value>().await?;
        assert_eq!((given.rows, given.total), (vec![], 0));
        Ok::<_, Error>(())
    };
    test.in_tenant(A).await
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn nulls_are_sorted_as_requested() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    superuser.batch_execute(SCHEMA).await.expect("a table");
    let test = async {
        let table = db.table(TABLE);
        let rows =
            [json!({ "id": 1, "é": "a" }), json!({ "id": 2, "é": null }), json!({ "id": 3, "é": "b" })];
        table.insert(rows).execute().await?;
        for (order, expected) in [
            (Order::Asc, [1, 3, 2]),
            (Order::Desc, [2, 3, 1]),
            (Order::AscNullsFirst, [2, 1, 3]),
            (Order::DescNullsLast, [3, 1, 2]),
        ] {
            let given: Vec<Value> = table.select("id").order("é", order).rows().await?;
            assert_eq!(given, expected.map(|id| json!({ "id": id })), "{order:?}");
        }
        Ok::<_, Error>(())
    };
    test.in_tenant(A).await
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn ignored_duplicates_stay_as_they_are() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    superuser.batch_execute(SCHEMA).await.expect("a table");
    let rows = json!([{ "id": 1, "é": "new" }, { "id": 2, "é": "new 2" }]);
    db.table(TABLE).insert(json!([{ "id": 2, "é": "b" }])).execute().in_tenant(B).await?;
    let test = async {
        let table = db.table(TABLE);
        table.insert(json!({ "id": 1, "é": "old" })).execute().await?;
        let upsert = table.upsert(&rows, "id").ignore_duplicates();
        assert_eq!(upsert.returning("id, é").rows::<Value>().await?, [json!({ "id": 2, "é": "new 2" })]);
        assert_eq!(table.upsert(&rows, "id").ignore_duplicates().execute().await?, 0);
        assert_eq!(table.insert(json!([{ "id": 7, "é": "old" }])).ignore_duplicates().execute().await?, 0);
        // Only the key is ignored by an upsert.
        let other = table.upsert(json!({ "id": 7, "é": "old" }), "id").ignore_duplicates().execute().await;
        assert!(matches!(other, Err(Error::Postgres(_))), "{other:?}");
        assert_eq!(
            table.select("id, é").eq("id", 1).single::<Value>().await?,
            json!({ "id": 1, "é": "old" })
        );
        Ok::<_, Error>(())
    };
    test.in_tenant(A).await?;
    assert_eq!(db.table(TABLE).select("é").single::<Value>().in_tenant(B).await?, json!({ "é": "b" }));
    Ok(())
}
