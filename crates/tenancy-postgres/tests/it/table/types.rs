//! Types of extensions, in a schema that is not in the search path.

use serde_json::{Value, json};
use tenancy::TenantFutureExt;
use tenancy_postgres::Error;
use tenancy_postgres::table::{Embed, Order};

use crate::support::database::Database;
use crate::support::notes::connect;
use crate::support::{A, B};

const SCHEMA: &str = "
CREATE SCHEMA extensions;
CREATE EXTENSION citext SCHEMA extensions;
CREATE EXTENSION hstore SCHEMA extensions;
CREATE EXTENSION ltree SCHEMA extensions;
GRANT USAGE ON SCHEMA extensions TO tenancy_app;
CREATE DOMAIN public.email AS extensions.citext CHECK (VALUE::text <> '');
CREATE DOMAIN public.work_email AS public.email;
CREATE TABLE public.users (
    id integer, name extensions.citext, email public.work_email, tags extensions.hstore, path extensions.ltree,
    names extensions.citext[], tenant_id uuid NOT NULL, UNIQUE (tenant_id, name)
);
CREATE TABLE public.ranges (
    id integer, amount numeric, during tstzrange, numbers int4multirange, wait interval, at timestamp, address inet,
    bits bit(4), point point, tenant_id uuid NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON public.users, public.ranges TO tenancy_app;
";

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn extension_types_use_their_own_operators() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    superuser.batch_execute(SCHEMA).await.expect("tables");
    let ann = json!({ "id": 1, "name": "Ann", "email": "Ann@X", "tags": { "a\"\\": "b=>,", "c": null },
        "path": "top.ann", "names": ["Ann", "ANNA"] });
    let bob = json!({ "id": 2, "name": "bob", "email": null, "tags": {}, "path": "top.bob", "names": null });
    let test = async |users: tenancy_postgres::Table<'_>| {
        let stored: Value = users.insert(&ann).returning("*").single().await?;
        assert_eq!(stored, ann, "an hstore is written as it is read");
        users.insert_many([&bob]).execute().await?;
        let ids = async |query: tenancy_postgres::table::Query<'_, tenancy_postgres::table::Select>| {
            let rows: Vec<Value> = query.order("id", Order::Asc).rows().await?;
            Ok::<_, Error>(rows.iter().map(|row| row["id"].as_i64().expect("an id")).collect::<Vec<_>>())
        };
        let select = || users.select("id");
        assert_eq!(ids(select().eq("name", "ANN")).await?, [1]);
        assert_eq!(ids(select().eq("email", "aNN@x")).await?, [1], "a domain of a domain");
        assert_eq!(ids(select().neq("name", "ANN")).await?, [2]);
        assert_eq!(ids(select().in_("name", ["ANN", "BOB", "x"])).await?, [1, 2]);
        assert_eq!(ids(select().gt("name", "ANN")).await?, [2]);
        assert_eq!(ids(select().lte("name", "ANN")).await?, [1]);
        assert_eq!(ids(select().between("name", "B", "C")).await?, [2]);
        assert_eq!(ids(select().like("name", "A%n")).await?, [1]);
        assert_eq!(ids(select().like("name", "a%N")).await?, [1], "the type's own LIKE ignores case");
        assert_eq!(ids(select().not(|not| not.eq("name", "ANN"))).await?, [2]);
        assert_eq!(ids(select().or(|any| any.eq("name", "BOB").eq("id", 7))).await?, [2]);
        assert_eq!(ids(select().eq("path", "top.bob")).await?, [2]);
        assert_eq!(ids(select().contained_by("path", "top")).await?, [1, 2]);
        assert_eq!(ids(select().contains("path", "top.ann.x")).await?, [1]);
        assert_eq!(ids(select().contains("tags", json!({ "a\"\\": "b=>," }))).await?, [1]);
        assert_eq!(ids(select().eq("tags", "")).await?, [2]);
        assert_eq!(ids(select().contains("names", ["ANN"])).await?, [1]);
        let by_name: Vec<Value> = users.select("id").order("name", Order::Desc).rows().await?;
        assert_eq!(json!(by_name), json!([{ "id": 2 }, { "id": 1 }]));
        let same = Embed::many("users", "id").name("same").select("id").eq("name", "BOB");
        let embedded: Value = users.select("id").eq("id", 2).embed(same).single().await?;
        assert_eq!(embedded, json!({ "id": 2, "same": [{ "id": 2 }] }));
        let tags = users.update(json!({ "tags": { "n": 1, "t": true } })).eq("name", "BOB");
        assert_eq!(
            tags.returning("tags").single::<Value>().await?,
            json!({ "tags": { "n": "1", "t": "true" } })
        );
        assert_eq!(users.upsert(json!({ "name": "ANN", "id": 3 }), "name").execute().await?, 1);
        assert_eq!(users.delete().eq("name", "ann").execute().await?, 1);
        Ok::<_, Error>(())
    };
    test(db.table("users")).in_tenant(A).await?;
    db.tx_in(B, async |tx| test(tx.table("public.users")).await).await
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn further_types_round_trip() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let zone = format!("ALTER DATABASE {} SET TimeZone = 'UTC'", database.name);
    superuser.batch_execute(&zone).await.expect("a zone");
    let db = connect(&database, 1).await;
    superuser.batch_execute(SCHEMA).await.expect("tables");
    let row = json!({
        "id": 1, "amount": "123456789012345678901234567890.000000000000000000001",
        "during": "[\"2026-01-01 00:00:00+00\",\"2026-01-02 00:00:00+00\")", "numbers": "{[1,3),[5,7)}",
        "wait": "1 day 02:00:00", "at": "2026-01-02T03:04:05.000001", "address": "10.0.0.1", "bits": "0101",
        "point": "(1,2)",
    });
    let test = async {
        let table = db.table("ranges");
        let columns = "id, amount::text, during, numbers, wait, at, address, bits, point";
        let stored: Value = table.insert(&row).returning(columns).single().await?;
        assert_eq!(stored, row);
        for column in ["amount", "during", "numbers", "wait", "at", "address", "bits"] {
            assert_eq!(table.select("id").eq(column, &row[column]).count().await?, 1, "{column}");
            assert_eq!(table.select("id").in_(column, [&row[column]]).count().await?, 1, "{column}");
            assert_eq!(table.select("id").gt(column, &row[column]).count().await?, 0, "{column}");
        }
        Ok::<_, Error>(())
    };
    test.in_tenant(A).await
}

/// The types of columns are cached for all tenants. A tenant's own search path must not decide what is in the cache.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_transaction_that_ran_raw_sql_does_not_fill_the_cache() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    superuser.batch_execute(SCHEMA).await.expect("tables");
    db.table("users").insert(json!({ "name": "Ann" })).execute().in_tenant(B).await?;
    let tx = db.begin_in(A).await?;
    tx.execute("SET search_path = pg_catalog", &[]).await?;
    assert_eq!(tx.table("public.users").select("id").eq("name", "x").count().await?, 0);
    tx.commit().await?;
    assert_eq!(db.table("users").select("id").eq("name", "ANN").count().in_tenant(B).await?, 1);
    Ok(())
}
