//! Embeds. The tables have no row-level security, so only the statement and the check keep tenants apart.

use serde_json::{Value, json};
use tenancy::TenantFutureExt;
use tenancy_postgres::table::{Embed, Order};
use tenancy_postgres::{Error, TableError, TenantDb};
use tokio_postgres::Client;

use crate::support::database::Database;
use crate::support::notes::connect;
use crate::support::{A, B};

/// The foreign keys do not contain the tenant, so a key can refer to a row of another tenant.
const SCHEMA: &str = "
CREATE TABLE public.customers (id integer, name text, tenant_id uuid NOT NULL);
CREATE TABLE public.purchases (id integer, customer_id integer, amount integer, tenant_id uuid NOT NULL);
CREATE TABLE public.lines (purchase_id integer, product text, pos integer, tenant_id uuid NOT NULL);
GRANT SELECT, INSERT, UPDATE, DELETE ON public.customers, public.purchases, public.lines TO tenancy_app;
";

async fn start(database: &Database) -> (Client, TenantDb) {
    let superuser = database.superuser().await;
    let db = connect(database, 1).await;
    superuser.batch_execute(SCHEMA).await.expect("tables");
    let rows = format!(
        "INSERT INTO customers VALUES (1, 'own', '{A}'), (1, 'foreign', '{B}'), (2, 'foreign 2', '{B}');
         INSERT INTO purchases VALUES (1, 1, 10, '{A}'), (2, 2, 20, '{A}'), (3, NULL, 30, '{A}'), (1, 1, 99, '{B}');
         INSERT INTO lines VALUES (1, 'pen', 2, '{A}'), (1, 'ink', 1, '{A}'), (3, 'cup', NULL, '{A}'),
             (1, 'foreign', 0, '{B}'), (2, 'foreign', 0, '{B}')"
    );
    superuser.batch_execute(&rows).await.expect("rows");
    (superuser, db)
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn embeds_rows_of_the_tenant_only() -> Result<(), Error> {
    let database = Database::with_notes();
    let (_superuser, db) = start(&database).await;
    let test = async {
        let customer = || Embed::one("customers", "customer_id").name("customer").select("name");
        let lines = || Embed::many("lines", "purchase_id").select("what:product").order("pos", Order::Desc);
        let select = || db.table("purchases").select("id").order("id", Order::Asc);
        let given: Vec<Value> = select().embed(customer()).embed(lines()).rows().await?;
        let expected = json!([
            { "id": 1, "customer": { "name": "own" }, "lines": [{ "what": "pen" }, { "what": "ink" }] },
            { "id": 2, "customer": null, "lines": [] },
            { "id": 3, "customer": null, "lines": [{ "what": "cup" }] },
        ]);
        assert_eq!(json!(given), expected);
        let whole: Value = db
            .table("purchases")
            .select("*")
            .embed(Embed::many("lines", "purchase_id"))
            .eq("id", 3)
            .single()
            .await?;
        let cup = json!({ "purchase_id": 3, "product": "cup", "pos": null });
        assert_eq!(whole, json!({ "id": 3, "customer_id": null, "amount": 30, "lines": [cup] }));
        let inner: Vec<Value> = select().embed(customer().inner()).rows().await?;
        assert_eq!(json!(inner), json!([{ "id": 1, "customer": { "name": "own" } }]));
        let pens = || lines().filter(|line| line.ilike("product", "P%")).limit(1).inner();
        let inner = select().embed(pens()).rows_with_count::<Value>().await?;
        assert_eq!((json!(inner.rows), inner.total), (json!([{ "id": 1, "lines": [{ "what": "pen" }] }]), 1));
        assert_eq!(select().embed(pens()).count().await?, 1);
        assert_eq!(select().embed(lines()).count().await?, 3);
        let up: Value = db
            .table("lines")
            .select("product")
            .embed(Embed::one("purchases", "purchase_id").select("amount"))
            .eq("product", "ink")
            .single()
            .await?;
        assert_eq!(up, json!({ "product": "ink", "purchases": { "amount": 10 } }));
        let by: Value = db
            .table("customers")
            .select("id")
            .embed(Embed::many("purchases", "customer_id").references("id").select("amount").eq("amount", 10))
            .single()
            .await?;
        assert_eq!(by, json!({ "id": 1, "purchases": [{ "amount": 10 }] }));
        let twice = select().embed(lines()).embed(lines()).rows::<Value>().await;
        assert!(matches!(twice, Err(Error::Table(TableError::DuplicateName))), "{twice:?}");
        // An embedded table does not see the columns of the selected one.
        for embed in [lines().select("amount"), lines().eq("amount", 1), customer().select("amount")] {
            let other = select().embed(embed).rows::<Value>().await;
            assert!(matches!(other, Err(Error::Postgres(_))), "{other:?}");
        }
        Ok::<_, Error>(())
    };
    test.in_tenant(A).await
}

/// The operator by which the statement filters is replaced in the catalog, so that it is true for all rows.
const BLIND: &str = "
CREATE FUNCTION public.blind(uuid, uuid) RETURNS boolean LANGUAGE sql AS 'SELECT true';
UPDATE pg_catalog.pg_operator SET oprcode = 'public.blind'::regproc, oprcanhash = false, oprcanmerge = false,
    oprrest = 0, oprjoin = 0
    WHERE oprname = '=' AND oprleft = 'uuid'::regtype AND oprright = 'uuid'::regtype";

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn the_result_check_alone_rejects_embedded_rows_of_another_tenant() -> Result<(), Error> {
    let database = Database::with_notes();
    let (superuser, db) = start(&database).await;
    superuser
        .batch_execute(&format!("DELETE FROM purchases WHERE tenant_id = '{B}'"))
        .await
        .expect("deleted");
    superuser.batch_execute(BLIND).await.expect("an operator");
    let one = || Embed::one("customers", "customer_id").select("name").filter(|f| f.like("name", "foreign%"));
    let many = || Embed::many("lines", "purchase_id").select("product");
    let select = || db.table("purchases").select("id, amount").eq("id", 1);
    assert_eq!(select().rows::<Value>().in_tenant(A).await?.len(), 1, "the purchase itself is the tenant's");
    for embed in [one(), many()] {
        let found = select().embed(embed).rows::<Value>().in_tenant(A).await;
        assert!(matches!(found, Err(Error::Mismatch(_))), "{found:?}");
    }
    let tx = db.begin_in(A).await?;
    let found = tx.table("purchases").select("id").eq("id", 1).embed(many()).rows::<Value>().await;
    assert!(matches!(found, Err(Error::Mismatch(_))), "{found:?}");
    assert!(matches!(tx.commit().await, Err(Error::TxClosed)));
    Ok(())
}
