//! The table API. Its tables have no row-level security: only the statements keep tenants apart.

mod bulk;
mod embed;
mod filters;
mod model;
mod rpc;
mod select;
mod types;

use model::{Item, Model, Op, Outcome, SCHEMA, Step, TABLES, by_id, change, rows, select, step};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tenancy::{TenantFutureExt, TenantId};
use tenancy_postgres::table::{Order, TableSql};
use tenancy_postgres::{Config, Error, PgTenantId, Table, TableError, TenantDb};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use crate::support::database::Database;
use crate::support::notes::connect;
use crate::support::proxy::Proxy;
use crate::support::{A, B, key};

const STEPS: usize = 1500;

/// Builds the statement of a step.
fn build(table: Table<'_>, step: &Step) -> Result<TableSql, TableError> {
    let columns = "size, id, title";
    match &step.op {
        Op::Count(_) => select(table, step.table, &step.op).expect("a select").to_count_sql(step.tenant),
        Op::Select { .. } | Op::Embed { .. } | Op::Page { .. } => {
            select(table, step.table, &step.op).expect("a select").to_sql(step.tenant)
        }
        Op::Insert(new) | Op::InsertMany(new) | Op::Upsert(new) | Op::UpsertNew(new) => {
            let insert = match step.op {
                Op::Upsert(_) => table.upsert(rows(new), "id"),
                Op::UpsertNew(_) => table.upsert(rows(new), "id").ignore_duplicates(),
                _ => table.insert(rows(new)),
            };
            if step.returns {
                insert.returning(columns).to_sql(step.tenant)
            } else {
                insert.to_sql(step.tenant)
            }
        }
        Op::Update { .. } | Op::Delete { .. } => {
            let change = change(table, &step.op).expect("a change");
            if step.returns { change.returning("*").to_sql(step.tenant) } else { change.to_sql(step.tenant) }
        }
    }
}

/// Runs the statement with a plain client as the superuser, so that no other layer is present.
async fn run_plainly(client: &Client, db: &TenantDb, step: &Step) -> Outcome {
    let sql = build(db.table(step.table), step).expect("a statement");
    let gives_rows = step.returns || step.reads();
    if !gives_rows {
        let executed = client.execute(sql.text(), &sql.params()).await;
        return executed.map_or_else(|error| duplicate(error.code()), Outcome::Count);
    }
    let found = match client.query(sql.text(), &sql.params()).await {
        Ok(found) => found,
        Err(error) => return duplicate(error.code()),
    };
    if matches!(step.op, Op::Count(_)) {
        return Outcome::Count(found[0].get::<_, i64>(0).unsigned_abs());
    }
    let json = |row: &tokio_postgres::Row| {
        assert_eq!(row.get::<_, PgTenantId>(0), PgTenantId(step.tenant));
        assert!(row.columns()[0].table_oid().is_some(), "layer 4 finds it");
        serde_json::from_str(row.get(1)).expect("JSON")
    };
    rows_of(step, found.iter().map(json).collect())
}

async fn run(table: Table<'_>, step: &Step) -> Result<Outcome, Error> {
    let op = &step.op;
    if let Op::Page { .. } = op {
        let page = select(table, step.table, op).expect("a select").rows_with_count().await?;
        return Ok(Outcome::Page(page.rows, page.total));
    }
    if let Op::InsertMany(new) = op {
        let insert = table.insert_many(rows(new));
        return Ok(if step.returns {
            rows_of(step, insert.returning("*").await?)
        } else {
            Outcome::Count(insert.execute().await?)
        });
    }
    if let Op::Count(_) = op {
        return select(table, step.table, op).expect("a select").count().await.map(Outcome::Count);
    }
    if let Some(select) = select(table, step.table, op) {
        return Ok(rows_of(step, select.rows().await?));
    }
    if let Some(change) = change(table, op) {
        return Ok(if step.returns {
            rows_of(step, change.returning("id, title, size").rows().await?)
        } else {
            Outcome::Count(change.execute().await?)
        });
    }
    let insert = match op {
        Op::Insert(new) => table.insert(rows(new)),
        Op::Upsert(new) => table.upsert(rows(new), "tenant_id, id"),
        Op::UpsertNew(new) => table.upsert(rows(new), "id").ignore_duplicates(),
        _ => unreachable!("what has no filters"),
    };
    Ok(if step.returns {
        rows_of(step, insert.returning("*").rows().await?)
    } else {
        Outcome::Count(insert.execute().await?)
    })
}

/// Only the rows of a select have an order.
fn rows_of(step: &Step, rows: Vec<Value>) -> Outcome {
    Outcome::Rows(if step.reads() { rows } else { by_id(rows) })
}

#[track_caller]
fn duplicate(code: Option<&SqlState>) -> Outcome {
    let expected = [&SqlState::UNIQUE_VIOLATION, &SqlState::CARDINALITY_VIOLATION];
    assert!(code.is_some_and(|code| expected.contains(&code)), "{code:?}");
    Outcome::Duplicate
}

fn code(error: &Error) -> Option<SqlState> {
    match error {
        Error::Postgres(error) => Some(SqlState::from_code(error.code())),
        _ => None,
    }
}

/// Returns all rows of all tenants.
async fn dump(client: &Client) -> Model {
    let mut found = Model::new();
    for table in TABLES {
        let sql = format!("SELECT tenant_id, id, title, size FROM {table}");
        for row in client.query(&sql, &[]).await.expect("rows") {
            let tenant = TenantId::from(row.get::<_, PgTenantId>(0));
            found.insert((table, tenant, row.get(1)), Item { title: row.get(2), size: row.get(3) });
        }
    }
    found
}

fn steps() -> impl Iterator<Item = Step> {
    let mut runner = TestRunner::deterministic();
    (0..STEPS).map(move |_| step().new_tree(&mut runner).expect("a step").current())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn statements_alone_keep_two_tenants_apart() {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    superuser.batch_execute(SCHEMA).await.expect("tables");
    let mut model = Model::new();
    for step in steps() {
        // A page is a select there: its total is counted by the API.
        let expected = match step.expect(&mut model) {
            Outcome::Page(rows, _) => Outcome::Rows(rows),
            other => other,
        };
        assert_eq!(run_plainly(&superuser, &db, &step).await, expected, "{step:?}");
        assert_eq!(dump(&superuser).await, model, "{step:?}");
    }
    assert!(model.keys().any(|(_, tenant, _)| *tenant == A) && model.keys().any(|key| key.1 == B));
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn single_statements_and_transactions_match_the_model() {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 2).await;
    superuser.batch_execute(SCHEMA).await.expect("tables");
    let mut model = Model::new();
    for (number, step) in steps().enumerate() {
        let expected = step.expect(&mut model);
        let given = if number % 2 == 0 {
            run(db.table(step.table), &step).in_tenant(step.tenant).await
        } else {
            db.tx_in(step.tenant, async |tx| run(tx.table(step.table), &step).await).await
        };
        let given = given.unwrap_or_else(|error| duplicate(code(&error).as_ref()));
        assert_eq!(given, expected, "{step:?}");
        assert_eq!(dump(&superuser).await, model, "{step:?}");
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Everything {
    id: i64,
    small: Option<i16>,
    real: f64,
    money: String,
    truth: bool,
    at: String,
    day: String,
    uuid: String,
    mood: String,
    #[serde(with = "tenancy_postgres::table::bytea")]
    bytes: Vec<u8>,
    doc: Value,
    numbers: Vec<i32>,
    texts: Vec<Option<String>>,
}

/// `money` is text in the struct and numeric in the table, which returns a number.
const EVERYTHING: &str = "
CREATE TYPE public.mood AS ENUM ('sad', 'it''s \"fine\"');
CREATE TABLE public.everything (
    id bigint, small smallint, real double precision, money numeric, truth boolean, at timestamptz, day date,
    uuid uuid, mood public.mood, bytes bytea, doc jsonb, numbers integer[], texts text[],
    tenant_id uuid NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON public.everything TO tenancy_app;
";

fn everything() -> Value {
    json!({
        "id": i64::MIN,
        "small": null,
        "real": 0.1,
        "money": 12.5,
        "truth": true,
        "at": "2026-01-02T03:04:05.678901+00:00",
        "day": "2026-01-02",
        "uuid": "aaaaaaaa-0000-4000-8000-00000000000a",
        "mood": "it's \"fine\"",
        "bytes": "\\x00ff5c",
        "doc": { "a": [1, null, { "b": "c" }] },
        "numbers": [1, -2],
        "texts": ["a,b", null, "{}\"\\"],
    })
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn each_type_round_trips() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    superuser.batch_execute(EVERYTHING).await.expect("a table");
    let zone = format!("ALTER DATABASE {} SET TimeZone = 'UTC'", database.name);
    superuser.batch_execute(&zone).await.expect("a zone");
    let test = async {
        let table = db.table("everything");
        let stored: Value = table.insert(everything()).returning("*").single().await?;
        assert_eq!(stored, everything());
        for (column, value) in everything().as_object().expect("an object") {
            let value = match column.as_str() {
                "small" => continue,
                "doc" => json!(value.to_string()),
                "numbers" => json!("{1,-2}"),
                "texts" => json!(r#"{"a,b",NULL,"{}\"\\"}"#),
                _ => value.clone(),
            };
            assert_eq!(table.select("id").eq(column, &value).count().await?, 1, "{column}");
            assert_eq!(table.select("id").neq(column, &value).count().await?, 0, "{column}");
            assert_eq!(table.select("id").gte(column, &value).count().await?, 1, "{column}");
            assert_eq!(table.update(json!({ "small": 7 })).eq(column, &value).execute().await?, 1);
            // An array of arrays is not a list of values.
            if !matches!(column.as_str(), "numbers" | "texts") {
                assert_eq!(table.select("id").in_(column, [&value, &value]).count().await?, 1, "{column}");
            }
        }
        table.update(json!({ "money": "12345678901234567890.123456789" })).all_rows().execute().await?;
        table.update(json!({ "real": "NaN", "at": "infinity" })).all_rows().execute().await?;
        let row: Value = table.select("money, real, at, small").single().await?;
        assert_eq!((&row["real"], &row["at"], &row["small"]), (&json!("NaN"), &json!("infinity"), &json!(7)));
        assert_eq!(table.select("*").eq("money", "12345678901234567890.123456789").count().await?, 1);
        let structure = table.select("*").rows::<Everything>().await;
        assert!(
            matches!(structure, Err(Error::Table(TableError::Row(_)))),
            "a number and no text: {structure:?}"
        );
        Ok::<_, Error>(())
    };
    test.in_tenant(A).await
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Odd {
    t: String,
    r: Option<String>,
    #[serde(rename = "Select", skip_serializing_if = "Option::is_none")]
    select: Option<String>,
}

const ODD: &str = "
CREATE TABLE public.\"Odd\" (
    t text, r text, \"Select\" text DEFAULT 'default', tenant_id uuid NOT NULL, number bigserial,
    UNIQUE (tenant_id, t)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON public.\"Odd\" TO tenancy_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tenancy_app;
";

/// The names are also names of aliases and of keywords.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn supports_any_column_name_and_column_defaults() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    superuser.batch_execute(ODD).await.expect("a table");
    let odd = |t: &str, r: Option<&str>, select: Option<&str>| Odd {
        t: t.to_owned(),
        r: r.map(str::to_owned),
        select: select.map(str::to_owned),
    };
    let test = async {
        let table = db.table("Odd");
        let stored: Odd = table.insert(odd("a", None, None)).returning("t, r, Select").single().await?;
        assert_eq!(stored, odd("a", None, Some("default")));
        let stored: Vec<Value> = table.select("*").rows().await?;
        assert_eq!(stored, [json!({ "t": "a", "r": null, "Select": "default", "number": 1 })]);
        let update = table.update(json!({ "r": "b", "Select": null })).eq("t", "a");
        assert_eq!(update.returning("r, t, Select").single::<Odd>().await?, odd("a", Some("b"), None));
        let upsert = table.upsert(json!([{ "t": "a" }, { "t": "c" }]), "t").returning("t, r, Select");
        let mut both = upsert.rows::<Odd>().await?;
        both.sort_by(|a, b| a.t.cmp(&b.t));
        assert_eq!(both, [odd("a", Some("b"), None), odd("c", None, Some("default"))]);
        let shown: Value = table.select("tenant_id, t").eq("t", "c").single().await?;
        assert_eq!(shown, json!({ "tenant_id": A.to_string(), "t": "c" }), "the column was requested");
        let unknown = table.select("t").eq("nothing", 1).rows::<Value>().await;
        let error = unknown.expect_err("no such column");
        assert_eq!(code(&error), Some(SqlState::UNDEFINED_COLUMN), "{error:?}");
        Ok::<_, Error>(())
    };
    test.in_tenant(A).await
}

/// If there is no such column, Postgres would read `row.name` as a call of `name`.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn rejects_names_that_are_not_columns() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    superuser
        .batch_execute(
            "CREATE TABLE public.words (text text, row text, tenant_id uuid NOT NULL);
             CREATE FUNCTION public.note(public.words) RETURNS text LANGUAGE sql AS $$SELECT 'called'$$;
             GRANT SELECT, INSERT, UPDATE, DELETE ON public.words TO tenancy_app",
        )
        .await
        .expect("a table");
    let test = async {
        let words = db.table("words");
        let ab = json!([{ "row": "1", "text": "b" }, { "row": "2", "text": "ab" }]);
        assert_eq!(words.insert(&ab).execute().await?, 2);
        let by_text = |order| words.select("*").order("text", order).rows::<Value>();
        assert_eq!(json!(by_text(Order::Desc).await?), ab);
        assert_eq!(json!(by_text(Order::Asc).await?), json!([ab[1], ab[0]]));
        for name in ["note", "row_to_json", "t", "r", "words", "excluded"] {
            let row = json!({ name: "a" });
            let errors = [
                words.select(name).rows::<Value>().await.err(),
                words.select("text").eq(name, "called").rows::<Value>().await.err(),
                words.select("text").order(name, Order::Asc).rows::<Value>().await.err(),
                words.delete().not_null(name).execute().await.err(),
                words.delete().all_rows().returning(name).rows::<Value>().await.err(),
                words.update(&row).all_rows().execute().await.err(),
                words.insert(&row).execute().await.err(),
                words.upsert(&row, name).execute().await.err(),
            ];
            for error in errors {
                let error = error.expect("no such column");
                assert_eq!(code(&error), Some(SqlState::UNDEFINED_COLUMN), "{name}: {error:?}");
            }
        }
        assert_eq!(words.select("*").count().await?, 2);
        Ok::<_, Error>(())
    };
    test.in_tenant(A).await
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn single_requires_exactly_one_row() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    superuser.batch_execute(SCHEMA).await.expect("tables");
    let insert = |id: i32| db.table("items").insert(json!({ "id": id })).execute();
    insert(1).in_tenant(A).await?;
    insert(1).in_tenant(B).await?;
    insert(2).in_tenant(B).await?;
    let single = || db.table("items").select("id").single::<Value>();
    assert_eq!(single().in_tenant(A).await?, json!({ "id": 1 }));
    assert!(matches!(single().in_tenant(B).await, Err(Error::Table(TableError::ManyRows))));
    let limited = db.table("items").select("id").order("id", Order::Desc).limit(1).single::<Value>();
    assert_eq!(limited.in_tenant(B).await?, json!({ "id": 2 }));
    let none = || db.table("items").select("id").eq("id", 3);
    assert!(matches!(none().single::<Value>().in_tenant(B).await, Err(Error::Table(TableError::NoRow))));
    assert_eq!(none().maybe_single::<Value>().in_tenant(B).await?, None);
    let deleted = db.table("items").delete().gte("id", 1).returning("id").maybe_single::<Value>();
    assert!(matches!(deleted.in_tenant(B).await, Err(Error::Table(TableError::ManyRows))));
    let counted = db.table("items").select("*").count().in_tenant(B).await?;
    assert_eq!(counted, 2, "no row was deleted");
    let none = db.table("items").update(json!({ "size": 1 })).eq("id", 3).returning("*").single::<Value>();
    assert!(matches!(none.in_tenant(B).await, Err(Error::Table(TableError::NoRow))));
    let wrong = db.table("items").delete().eq("id", 1).returning("*").rows::<String>();
    assert!(matches!(wrong.in_tenant(B).await, Err(Error::Table(TableError::Row(_)))));
    assert_eq!(db.table("items").select("*").count().in_tenant(B).await?, 2);
    assert_eq!(single().in_tenant(A).await?, json!({ "id": 1 }));
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_rejected_statement_does_not_affect_its_transaction() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    superuser.batch_execute(SCHEMA).await.expect("tables");
    let without = db.table("items").select("*").rows::<Value>().await;
    assert!(matches!(without, Err(Error::Tenant(_))), "{without:?}");
    let tx = db.begin_in(A).await?;
    let items = tx.table("items");
    items.insert([json!({ "id": 1 }), json!({ "id": 2 })]).execute().await?;
    assert!(matches!(items.delete().execute().await, Err(Error::Table(TableError::Unfiltered))));
    let foreign = items.insert(json!({ "id": 3, "tenant_id": B.to_string() })).execute().await;
    assert!(matches!(foreign, Err(Error::Table(TableError::WritesTenantId))), "{foreign:?}");
    let none: [i32; 0] = [];
    assert_eq!(items.delete().in_("id", none).execute().await?, 0);
    assert_eq!(items.delete().or(|any| any.eq("id", 1).in_("id", none)).execute().await?, 1);
    tx.commit().await?;
    assert_eq!(db.table("items").select("id").single::<Value>().in_tenant(A).await?, json!({ "id": 2 }));
    Ok(())
}

/// The filter for the tenant uses the catalog's operators, whatever the search path is.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_hostile_search_path_does_not_change_the_filter() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    superuser.batch_execute(SCHEMA).await.expect("tables");
    superuser
        .batch_execute(
            "CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO tenancy_app;
             CREATE FUNCTION evil.yes(uuid, uuid) RETURNS boolean LANGUAGE sql AS 'SELECT true';
             CREATE OPERATOR evil.= (FUNCTION = evil.yes, LEFTARG = uuid, RIGHTARG = uuid);
             CREATE FUNCTION evil.to_jsonb(anyelement) RETURNS jsonb LANGUAGE sql AS 'SELECT ''{}''::jsonb'",
        )
        .await
        .expect("a schema");
    for tenant in [A, B] {
        db.table("items").insert(json!({ "id": 1, "title": "own" })).execute().in_tenant(tenant).await?;
    }
    let tx = db.begin_in(A).await?;
    tx.execute("SET search_path = evil, pg_catalog, public", &[]).await?;
    let items = tx.table("public.items");
    assert_eq!(items.select("*").count().await?, 1);
    assert_eq!(items.select("title").rows::<Value>().await?, [json!({ "title": "own" })]);
    assert_eq!(items.select("*").rows::<Value>().await?, [json!({ "id": 1, "title": "own", "size": null })]);
    assert_eq!(items.upsert(json!({ "id": 1, "title": "new" }), "id").execute().await?, 1);
    assert_eq!(items.delete().all_rows().execute().await?, 1);
    tx.commit().await?;
    assert_eq!(db.table("items").select("*").count().in_tenant(B).await?, 1);
    Ok(())
}

/// A trigger changes the tenant of a row, and there is no policy: only the result check sees it.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn rolls_back_a_row_written_for_another_tenant() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    superuser.batch_execute(SCHEMA).await.expect("tables");
    db.table("items").insert(json!({ "id": 1 })).execute().in_tenant(A).await?;
    let give_away = format!(
        "CREATE FUNCTION public.give() RETURNS trigger LANGUAGE plpgsql AS
             $$BEGIN NEW.tenant_id := '{B}'; RETURN NEW; END$$;
         CREATE TRIGGER give BEFORE INSERT OR UPDATE ON public.items FOR EACH ROW EXECUTE FUNCTION public.give()"
    );
    superuser.batch_execute(&give_away).await.expect("a trigger");
    let before = dump(&superuser).await;
    let items = db.table("items");
    for write in [
        items.insert(json!({ "id": 2 })).returning("id"),
        items.upsert(json!({ "id": 1, "size": 2 }), "id").returning("*"),
        items.update(json!({ "size": 2 })).all_rows().returning("id"),
    ] {
        let written = write.rows::<Value>().in_tenant(A).await;
        assert!(matches!(written, Err(Error::Mismatch(_))), "{written:?}");
        assert_eq!(dump(&superuser).await, before);
    }
    Ok(())
}

/// Each tenant's statements run in tasks of their own.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn tasks_share_a_database() {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 4).await;
    superuser.batch_execute(SCHEMA).await.expect("tables");
    let tasks = (0..40).map(|id| {
        let (db, tenant) = (db.clone(), if id % 2 == 0 { A } else { B });
        let task = async move {
            let row = json!({ "id": id });
            let stored: Value = db.table("items").insert(&row).returning("id").single().await?;
            assert_eq!(stored, row);
            db.table("items").select("id").eq("id", id).single::<Value>().await
        };
        tokio::spawn(task.in_tenant(tenant))
    });
    for (id, task) in tasks.collect::<Vec<_>>().into_iter().enumerate() {
        assert_eq!(task.await.expect("a task").expect("a row"), json!({ "id": id }));
    }
    let count = db.table("items").select("*").count();
    assert_eq!(count.in_tenant(A).await.expect("a count"), 20);
}

/// The last number of a sequence would reveal to the next tenant how many rows there are.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn an_insert_leaves_nothing_in_the_session() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    superuser.batch_execute(ODD).await.expect("a table");
    let lastval = async || {
        let found = db.tx_in(B, async |tx| tx.query_unverified("SELECT lastval()", &[]).await).await;
        code(&found.expect_err("nothing"))
    };
    let undefined = Some(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE);
    let insert = |t: &str| db.table("Odd").insert(json!({ "t": t }));
    insert("a").execute().in_tenant(A).await?;
    assert_eq!(lastval().await, undefined);
    insert("b").returning("t").single::<Value>().in_tenant(A).await?;
    assert_eq!(lastval().await, undefined);
    db.tx_in(A, async |tx| tx.table("Odd").insert(json!({ "t": "c" })).execute().await).await?;
    assert_eq!(lastval().await, undefined);
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_statement_takes_one_round_trip() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let proxy = Proxy::start(&database);
    let db = TenantDb::connect(Config::new(proxy.config("service"), key()).max_connections(1)).await?;
    superuser.batch_execute(SCHEMA).await.expect("tables");
    let test = async {
        let items = db.table("items");
        proxy.take_trips();
        items.insert(json!({ "id": 1, "size": 5 })).execute().await?;
        assert_eq!(proxy.take_trips(), 1, "also the first time: types need no question");
        items.select("*").eq("size", 5).single::<Value>().await?;
        assert_eq!(
            proxy.take_trips(),
            3,
            "the tenant column and types with own operators are looked up once"
        );
        items.select("id").eq("size", 5).like("title", "%").rows::<Value>().await?;
        assert_eq!(proxy.take_trips(), 1, "another select");
        items.update(json!({ "size": 6 })).eq("id", 1).execute().await?;
        assert_eq!(proxy.take_trips(), 1, "an update");
        items.select("*").count().await?;
        assert_eq!(proxy.take_trips(), 1, "a count");
        items.delete().eq("id", 1).returning("*").single::<Value>().await?;
        assert_eq!(proxy.take_trips(), 2, "the row is verified before the commit");
        Ok::<_, Error>(())
    };
    test.in_tenant(A).await
}

/// An index that begins with the tenant serves both the tenant and the filter.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn an_index_serves_the_tenant_and_the_filter() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    superuser.batch_execute(SCHEMA).await.expect("tables");
    superuser.batch_execute("SET enable_seqscan = off; SET enable_bitmapscan = off").await.expect("set");
    let items = db.table("items");
    let statements = [
        items.select("*").eq("id", 1).to_sql(A)?,
        items.select("*").in_("id", [1, 2]).to_sql(A)?,
        items.update(json!({ "size": 1 })).eq("id", 1).to_sql(A)?,
        items.delete().eq("id", 1).to_sql(A)?,
    ];
    for sql in statements {
        let plan = superuser.query(&format!("EXPLAIN {}", sql.text()), &sql.params()).await.expect("a plan");
        let plan: Vec<String> = plan.iter().map(|line| line.get(0)).collect();
        let condition = plan.iter().find(|line| line.contains("Index Cond")).expect("an index is used");
        assert!(condition.contains("tenant_id = ") && condition.contains("id = "), "{plan:?}");
    }
    Ok(())
}
