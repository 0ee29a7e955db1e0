//! Filters on arrays, ranges, JSON and text.

use serde_json::{Value, json};
use tenancy::TenantFutureExt;
use tenancy_postgres::Error;
use tenancy_postgres::table::{Filters, TextSearch};

use crate::support::database::Database;
use crate::support::notes::connect;
use crate::support::{A, B};

const SCHEMA: &str = "
CREATE TABLE public.things (
    id integer, name text, tags text[], numbers integer[], doc jsonb, during int4range, is_open boolean,
    words tsvector GENERATED ALWAYS AS (to_tsvector('english', coalesce(name, ''))) STORED,
    tenant_id uuid NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON public.things TO tenancy_app;
";

fn things() -> Value {
    json!([
        { "id": 1, "name": "The fat cats sat", "tags": ["a", "b\"{,"], "numbers": [1, 2], "is_open": true,
          "doc": { "kind": "cat", "size": 5, "deep": { "a b": [10, 20] }, "list": ["x", "y"] },
          "during": "[1,5)" },
        { "id": 2, "name": "a rat", "tags": [], "numbers": [2, 3], "is_open": false,
          "doc": { "kind": "rat", "size": 50, "quote": "it's \"\\" }, "during": "[5,9)" },
        { "id": 3, "name": null, "tags": null, "numbers": null, "is_open": null, "doc": null, "during": null },
    ])
}

type Fill = fn(Filters) -> Filters;

/// Filters, and the ids of the rows that they match.
const CASES: &[(Fill, &[i32])] = &[
    (|f| f.ilike("name", "%FAT%"), &[1]),
    (|f| f.like("name", "%FAT%"), &[]),
    (|f| f.not(|not| not.eq("id", 1)), &[2, 3]),
    (|f| f.not(|not| not.gte("id", 2).is_null("name")), &[1, 2]),
    (|f| f.not(|not| not.ilike("name", "%rat%")), &[1]),
    (|f| f.contains("tags", ["b\"{,"]), &[1]),
    (|f| f.contains("tags", ["a", "c"]), &[]),
    (|f| f.contains("numbers", [2]), &[1, 2]),
    (|f| f.contains("numbers", [2, 3]), &[2]),
    (|f| f.contained_by("numbers", [1, 2, 4]), &[1]),
    (|f| f.overlaps("numbers", [3, 4]), &[2]),
    (|f| f.overlaps("tags", ["a"]), &[1]),
    (|f| f.contains("during", "[2,3)"), &[1]),
    (|f| f.contained_by("during", "[0,6)"), &[1]),
    (|f| f.overlaps("during", "[4,6)"), &[1, 2]),
    (|f| f.contains("doc", json!({ "kind": "cat" })), &[1]),
    (|f| f.contained_by("doc", json!({ "kind": "rat", "size": 50, "quote": "it's \"\\", "more": 1 })), &[2]),
    (|f| f.contains("doc->list", ["x"]), &[1]),
    (|f| f.eq("doc->>kind", "cat"), &[1]),
    (|f| f.eq("doc->>quote", "it's \"\\"), &[2]),
    (|f| f.eq("doc->kind", "cat"), &[1]),
    (|f| f.gt("doc->size", 6), &[2]),
    (|f| f.eq("doc->deep", json!({ "a b": [10, 20] })), &[1]),
    (|f| f.eq("doc->deep->\"a b\"->1", 20), &[1]),
    (|f| f.eq("doc->deep->\"a b\"->>-1", "20"), &[1]),
    (|f| f.in_("doc->>kind", ["cat", "dog"]), &[1]),
    (|f| f.in_("doc->size", [json!(50), json!("50")]), &[2]),
    (|f| f.is_null("doc->>kind"), &[3]),
    (|f| f.text_search("words", "cat", TextSearch::Plain, Some("english")), &[1]),
    (|f| f.text_search("words", "fat cat", TextSearch::Phrase, Some("english")), &[1]),
    (|f| f.text_search("words", "cat fat", TextSearch::Phrase, Some("english")), &[]),
    (|f| f.text_search("words", "cat or rat", TextSearch::Websearch, Some("english")), &[1, 2]),
    (|f| f.text_search("words", "-cat rat", TextSearch::Websearch, None), &[2]),
    (|f| f.text_search("words", "rat & !cat", TextSearch::Raw, Some("simple")), &[2]),
    (|f| f.text_search("name", "cats", TextSearch::Plain, None), &[1]),
    (|f| f.match_(json!({ "id": 2, "name": "a rat" })), &[2]),
    (|f| f.match_(json!({ "id": 2, "name": "a cat" })), &[]),
    (|f| f.is_true("is_open"), &[1]),
    (|f| f.is_false("is_open"), &[2]),
    (|f| f.not(|not| not.is_true("is_open")), &[2, 3]),
    (|f| f.between("id", 2, 3), &[2, 3]),
    (|f| f.or(|any| any.between("id", 3, 9).eq("name", "a rat")), &[2, 3]),
];

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn each_filter_matches_only_rows_of_the_tenant() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    superuser.batch_execute(SCHEMA).await.expect("a table");
    for tenant in [A, B] {
        assert_eq!(db.table("things").insert(things()).execute().in_tenant(tenant).await?, 3);
    }
    let test = async {
        for (number, (fill, expected)) in CASES.iter().enumerate() {
            let query = || db.table("things").select("id").or(|any| any.and(fill));
            let found = query().order("id", tenancy_postgres::table::Order::Asc).rows::<Value>().await;
            let found = found.unwrap_or_else(|error| panic!("case {number}: {error:?}"));
            let expected: Vec<_> = expected.iter().map(|id| json!({ "id": id })).collect();
            assert_eq!(found, expected, "case {number}");
            assert_eq!(query().count().await?, expected.len() as u64, "case {number}");
        }
        Ok::<_, Error>(())
    };
    test.in_tenant(A).await
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_raw_text_search_with_wrong_syntax_is_an_error_of_the_server() -> Result<(), Error> {
    let database = Database::with_notes();
    let superuser = database.superuser().await;
    let db = connect(&database, 1).await;
    superuser.batch_execute(SCHEMA).await.expect("a table");
    for (query, config) in [("a b'", None), ("a", Some("no such; DROP TABLE things"))] {
        let search = db.table("things").select("id").text_search("name", query, TextSearch::Raw, config);
        let found = search.rows::<Value>().in_tenant(A).await;
        assert!(matches!(found, Err(Error::Postgres(_))), "{found:?}");
    }
    Ok(())
}
