//! Statements without a server: their exact text, and what holds of any that is built.

use std::ops::Range;

use futures_util::future::BoxFuture;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::{Value, json};
use tenancy::TenantId;

use super::run::Execute;
use super::sql::Param;
use super::*;
use crate::error::Error;
use crate::session::Answer;

const TENANT: TenantId = TenantId::PLATFORM;

/// Statements are built here, and not run.
struct Nowhere;

impl Execute for Nowhere {
    fn tenant(&self) -> Result<TenantId, Error> {
        Ok(TENANT)
    }

    fn execute<'a>(&'a self, _: &'a TableSql) -> BoxFuture<'a, Result<Answer, Error>> {
        Box::pin(async { Err(Error::TxClosed) })
    }

    fn database(&self) -> Option<&crate::TenantDb> {
        None
    }
}

fn table(name: &'static str) -> Table<'static> {
    Table::new(name, &Nowhere)
}

fn values(sql: &TableSql) -> Vec<&str> {
    sql.params.iter().skip(1).map(|param| param.0.as_str()).collect()
}

/// What stands in each statement, shortened.
fn text(sql: &TableSql) -> String {
    assert_eq!(sql.params[0].0, TENANT.to_string());
    let row = "(pg_catalog.to_jsonb(t$.*) OPERATOR(pg_catalog.-) 'tenant_id'::pg_catalog.text)\
               ::pg_catalog.text AS row$";
    sql.text()
        .replace(row, "ROW")
        .replace("t$.\"tenant_id\" OPERATOR(pg_catalog.=) $1::pg_catalog.uuid", "MINE")
        .replace("$1::pg_catalog.uuid", "ME")
}

#[test]
fn a_select_is_the_tenants() -> Result<(), TableError> {
    let sql = table("notes").select(" * ").to_sql(TENANT)?;
    assert_eq!(text(&sql), r#"SELECT t$."tenant_id", ROW FROM "notes" AS t$ WHERE MINE"#);
    let sql = table("app.notes")
        .select("id,  Title")
        .eq("a", 1)
        .neq("b", "x' OR 1=1 --")
        .gt("c", 1.5)
        .gte("d", true)
        .lt("e", -1)
        .lte("f", u64::MAX)
        .like("g", "%_")
        .is_null("h")
        .not_null("i")
        .in_("j", ["1", "\"\\,{}", ""])
        .or(|any| any.eq("k", 'k').and(|all| all.eq("l", "l").or(|any| any.is_null("m"))))
        .order("n", Order::Asc)
        .order("o", Order::Desc)
        .range(20..30)
        .to_sql(TENANT)?;
    assert_eq!(
        text(&sql),
        "SELECT t$.\"tenant_id\", (SELECT pg_catalog.to_jsonb(r$.*) FROM (SELECT \"id\", \"Title\") AS \
         r$)::pg_catalog.text AS row$ FROM \"app\".\"notes\" AS t$ WHERE MINE AND \"a\" = $2 AND \"b\" <> $3 \
         AND \"c\" > $4 AND \"d\" >= $5 AND \"e\" < $6 AND \"f\" <= $7 AND \"g\" LIKE $8 AND \"h\" IS NULL \
         AND \"i\" IS NOT NULL AND \"j\" = ANY ($9) AND (\"k\" = $10 OR (\"l\" = $11 AND (\"m\" IS NULL))) \
         ORDER BY \"n\", \"o\" DESC LIMIT $12 OFFSET $13"
    );
    let array = r#"{"1","\"\\,{}",""}"#;
    let expected =
        ["1", "x' OR 1=1 --", "1.5", "true", "-1", "18446744073709551615", "%_", array, "k", "l", "10", "20"];
    assert_eq!(values(&sql), expected);
    assert!(sql.gives_rows && !sql.writes);
    let sql = table("notes").select("id").eq("a", 1).limit(1).order("a", Order::Asc).to_count_sql(TENANT)?;
    assert_eq!(text(&sql), r#"SELECT pg_catalog.count(*) FROM "notes" AS t$ WHERE MINE AND "a" = $2"#);
    assert!(!sql.gives_rows && !sql.writes);
    Ok(())
}

#[test]
fn an_insert_is_the_tenants() -> Result<(), TableError> {
    let sql = table("s.notes").insert(json!({ "id": 1, "title": "'" })).to_sql(TENANT)?;
    let insert = "INSERT INTO \"s\".\"notes\" AS t$ (\"tenant_id\", \"id\", \"title\") SELECT ME, r.\"id\", \
                  r.\"title\" FROM pg_catalog.jsonb_populate_recordset(NULL::\"s\".\"notes\", \
                  $2::pg_catalog.jsonb) AS r";
    assert_eq!(text(&sql), insert);
    assert_eq!(values(&sql), [r#"[{"id":1,"title":"'"}]"#]);
    for key in ["id", "tenant_id, id", "id,tenant_id"] {
        let sql =
            table("s.notes").upsert(json!([{ "title": 1, "id": 1 }]), key).returning("*").to_sql(TENANT)?;
        let update = " ON CONFLICT (\"tenant_id\", \"id\") DO UPDATE SET \"title\" = EXCLUDED.\"title\" \
                      WHERE MINE RETURNING t$.\"tenant_id\", ROW";
        assert_eq!(text(&sql), format!("{insert}{update}"));
        assert!(sql.gives_rows && sql.writes);
    }
    let sql = table("n").upsert(json!({ "id": 1 }), "id").to_sql(TENANT)?;
    let nothing = " DO UPDATE SET \"tenant_id\" = EXCLUDED.\"tenant_id\" WHERE MINE";
    assert!(text(&sql).ends_with(nothing), "{}", text(&sql));
    let none: [Value; 0] = [];
    assert_eq!(values(&table("n").insert(none).to_sql(TENANT)?), ["[]"]);
    Ok(())
}

#[test]
fn an_update_and_a_delete_are_the_tenants() -> Result<(), TableError> {
    let sql = table("n").update(json!({ "a": null, "b": 2 })).eq("id", 3).to_sql(TENANT)?;
    assert_eq!(
        text(&sql),
        "UPDATE \"n\" AS t$ SET (\"a\", \"b\") = (SELECT r.\"a\", r.\"b\" FROM \
         pg_catalog.jsonb_populate_record(NULL::\"n\", $2::pg_catalog.jsonb) AS r) WHERE MINE AND \"id\" = $3"
    );
    assert_eq!(values(&sql), [r#"{"a":null,"b":2}"#, "3"]);
    let sql = table("n").delete().all_rows().returning("id").to_sql(TENANT)?;
    let returned = "(SELECT pg_catalog.to_jsonb(r$.*) FROM (SELECT \"id\") AS r$)::pg_catalog.text AS row$";
    assert_eq!(
        text(&sql),
        format!("DELETE FROM \"n\" AS t$ WHERE MINE RETURNING t$.\"tenant_id\", {returned}")
    );
    let none: [i32; 0] = [];
    assert_eq!(values(&table("n").delete().in_("id", none).to_sql(TENANT)?), ["{}"]);
    Ok(())
}

#[track_caller]
fn assert_refused(built: Result<TableSql, TableError>, kind: &str) {
    let error = built.expect_err("an error");
    assert_eq!(format!("{error:?}"), kind);
    assert_eq!(Error::from(error).layer(), Some(crate::Layer::Query));
}

#[test]
fn what_could_be_a_mistake_is_refused() {
    let n = table("n");
    assert_refused(n.delete().to_sql(TENANT), "Unfiltered");
    assert_refused(n.update(json!({ "a": 1 })).to_sql(TENANT), "Unfiltered");
    assert_refused(n.update(json!({ "a": 1 })).returning("*").to_sql(TENANT), "Unfiltered");
    assert_refused(n.delete().or(|any| any).to_sql(TENANT), "EmptyGroup");
    assert_refused(n.delete().or(|any| any.and(|all| all)).to_sql(TENANT), "EmptyGroup");
    assert_refused(n.delete().eq("a", None::<i32>).to_sql(TENANT), "NullFilter");
    assert_refused(n.delete().eq("a", f64::NAN).to_sql(TENANT), "NullFilter");
    assert_refused(n.delete().in_("a", [Some(1), None]).to_sql(TENANT), "NullFilter");
    assert_refused(n.delete().eq("a", [1]).to_sql(TENANT), "InvalidValue");
    assert_refused(n.delete().eq("a", json!({})).to_sql(TENANT), "InvalidValue");
    assert_refused(n.update(json!({})).all_rows().to_sql(TENANT), "InvalidRow");
    assert_refused(n.update(json!([{ "a": 1 }])).all_rows().to_sql(TENANT), "InvalidRow");
    for rows in [json!(1), json!(null), json!([1]), json!([{ "a": 1 }, {}]), json!([{ "a": 1 }, { "b": 1 }])]
    {
        assert_refused(n.insert(rows).to_sql(TENANT), "InvalidRow");
    }
}

#[test]
fn nothing_writes_the_tenant_id() {
    for name in ["tenant_id", "TENANT_ID", "Tenant_Id"] {
        let row = json!({ name: TENANT.to_string() });
        let n = table("n");
        assert_refused(n.insert(&row).to_sql(TENANT), "WritesTenantId");
        assert_refused(n.insert([&row, &row]).to_sql(TENANT), "WritesTenantId");
        assert_refused(n.upsert(&row, "id").to_sql(TENANT), "WritesTenantId");
        assert_refused(n.update(&row).eq("id", 1).to_sql(TENANT), "WritesTenantId");
    }
    for name in ["\"tenant_id\"", " tenant_id", "tenant_id ", "t.tenant_id", "tenant\u{5f}id\0", "ｔenant_id"]
    {
        assert_refused(table("n").insert(json!({ name: 1 })).to_sql(TENANT), "InvalidIdentifier");
        assert_refused(table("n").update(json!({ name: 1 })).all_rows().to_sql(TENANT), "InvalidIdentifier");
    }
}

const NO_NAMES: &[&str] = &[
    "",
    "1",
    "a b",
    "a\"",
    "a\"; DROP TABLE n; --",
    "a'b",
    "a\0",
    "a-b",
    "count(*)",
    "id AS x",
    "id::text",
    "a.b.c",
    ".",
    "é",
    "a\u{2028}",
    "$1",
    "*",
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl",
];

#[test]
fn what_is_no_name_is_refused() {
    let n = table("n");
    for name in NO_NAMES {
        let invalid = "InvalidIdentifier";
        assert_refused(table(name).select("*").to_sql(TENANT), invalid);
        assert_refused(table(name).select("*").to_count_sql(TENANT), invalid);
        assert_refused(table(name).delete().all_rows().to_sql(TENANT), invalid);
        assert_refused(table(name).insert(json!({ "a": 1 })).to_sql(TENANT), invalid);
        assert_refused(n.select(&format!("id, {name}")).to_sql(TENANT), invalid);
        assert_refused(n.select(&format!("id, {name}")).to_count_sql(TENANT), invalid);
        assert_refused(n.delete().all_rows().returning(&format!("{name}, id")).to_sql(TENANT), invalid);
        assert_refused(n.upsert(json!({ "a": 1 }), name).to_sql(TENANT), invalid);
        assert_refused(n.select("*").order(name, Order::Asc).to_sql(TENANT), invalid);
        assert_refused(n.select("*").or(|any| any.eq(name, 1).eq("a", 1)).to_sql(TENANT), invalid);
        assert_refused(n.select("*").is_null(name).to_sql(TENANT), invalid);
        assert_refused(n.select("*").in_(name, [1]).to_sql(TENANT), invalid);
        assert_refused(n.insert(json!({ *name: 1 })).to_sql(TENANT), invalid);
    }
    assert_refused(n.select("").to_sql(TENANT), "InvalidIdentifier");
    assert!(n.select(&NO_NAMES[NO_NAMES.len() - 1][1..]).to_sql(TENANT).is_ok(), "63 bytes");
    assert!(table("a.b").select("_").to_sql(TENANT).is_ok());
}

#[test]
fn limits_are_bigints() -> Result<(), TableError> {
    let n = table("n");
    let limits = |range: Range<u64>| n.select("*").range(range).to_sql(TENANT);
    assert_eq!(values(&limits(0..0)?), ["0"]);
    #[allow(clippy::reversed_empty_ranges, reason = "no rows")]
    let reversed = limits(5..2)?;
    assert_eq!(values(&reversed), ["0", "5"]);
    assert_eq!(values(&limits(0..u64::MAX)?), ["9223372036854775807"]);
    assert_eq!(values(&limits(u64::MAX..u64::MAX)?), ["0", "9223372036854775807"]);
    Ok(())
}

#[test]
fn nothing_shows_a_value() {
    let n = table("n");
    let shown = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?}",
        n,
        n.select("*").eq("a", "hunter2").or(|any| any.eq("a", "hunter2")),
        n.insert(json!({ "a": "hunter2" })),
        n.update(json!({ "a": "hunter2" })).eq("a", 1).returning("*"),
        n.delete().eq("a", "hunter2").to_sql(TENANT),
        Param("hunter2".to_owned()),
    );
    assert!(!shown.contains("hunter2"), "{shown}");
    let error = serde_json::from_str::<i32>("\"hunter2\"").expect_err("no number");
    let error = Error::from(TableError::Row(error));
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    assert_eq!(error.layer(), None);
}

/// Something of each statement that is built from what is hostile.
#[derive(Clone, Debug)]
enum Piece {
    Compare(u8, String, Hostile),
    In(String, Vec<Hostile>),
    Null(String),
    Or(Vec<Piece>),
    And(Vec<Piece>),
}

/// A value with a mark in it, by which it would be found in a text.
type Hostile = String;

const MARK: &str = "v4-lue";

fn hostile() -> impl Strategy<Value = Hostile> {
    let spice = prop::sample::select(
        &[
            "'",
            "\"",
            "\\",
            "$1",
            "$tag$",
            ";",
            "--",
            "/*",
            ")",
            "(",
            " OR true",
            "\0",
            "{",
            "}",
            ",",
            "E'\\''",
            "tenant_id",
            "'::text OR t.\"tenant_id\" <> '",
            "é",
        ][..],
    );
    vec(spice, 0..6).prop_map(|parts| format!("{}{MARK}{}", parts.concat(), parts.concat()))
}

/// Mostly names, and some that try not to be one.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        30 => "[A-Za-z_][A-Za-z0-9_]{0,8}",
        1 => prop::sample::select(NO_NAMES).prop_map(str::to_owned),
        1 => "\\PC{0,6}",
        1 => Just("TENANT_id".to_owned()),
        1 => hostile(),
    ]
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let leaf = prop_oneof![
        (0..7_u8, name(), hostile())
            .prop_map(|(operator, name, value)| Piece::Compare(operator, name, value)),
        (name(), vec(hostile(), 0..3)).prop_map(|(name, values)| Piece::In(name, values)),
        name().prop_map(Piece::Null),
    ];
    let piece = leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![vec(inner.clone(), 0..3).prop_map(Piece::Or), vec(inner, 0..3).prop_map(Piece::And)]
    });
    vec(piece, 0..4)
}

fn fill(filters: Filters, pieces: &[Piece]) -> Filters {
    pieces.iter().fold(filters, |filters, piece| match piece {
        Piece::Compare(0, name, value) => filters.eq(name, value),
        Piece::Compare(1, name, value) => filters.neq(name, value),
        Piece::Compare(2, name, value) => filters.gt(name, value),
        Piece::Compare(3, name, value) => filters.gte(name, value),
        Piece::Compare(4, name, value) => filters.lt(name, value),
        Piece::Compare(5, name, value) => filters.lte(name, value),
        Piece::Compare(_, name, value) => filters.like(name, value),
        Piece::In(name, values) => filters.in_(name, values),
        Piece::Null(name) => filters.is_null(name),
        Piece::Or(pieces) => filters.or(|any| fill(any, pieces)),
        Piece::And(pieces) => filters.and(|all| fill(all, pieces)),
    })
}

#[derive(Clone, Debug)]
struct Plan {
    verb: u8,
    columns: Vec<String>,
    filters: Vec<Piece>,
    row: std::collections::BTreeMap<String, Hostile>,
    order: Vec<String>,
}

fn plan() -> impl Strategy<Value = Plan> {
    let parts = (0..8_u8, vec(name(), 0..4), pieces(), btree_map(name(), hostile(), 0..4), vec(name(), 0..2));
    parts.prop_map(|(verb, columns, filters, row, order)| Plan { verb, columns, filters, row, order })
}

fn build(plan: &Plan) -> Result<TableSql, TableError> {
    let table = table("app.n0tes");
    let listed = plan.columns.join(", ");
    let columns = if plan.columns.is_empty() { "*" } else { &listed };
    let select = || {
        let query = table.select(columns).filter_by(&plan.filters);
        plan.order.iter().fold(query, |query, name| query.order(name, Order::Desc)).range(3..9)
    };
    let update = || table.update(&plan.row).filter_by(&plan.filters);
    let delete = || table.delete().filter_by(&plan.filters);
    match plan.verb {
        0 => select().to_sql(TENANT),
        1 => select().to_count_sql(TENANT),
        2 => update().to_sql(TENANT),
        3 => update().returning(columns).to_sql(TENANT),
        4 => delete().to_sql(TENANT),
        5 => delete().returning(columns).to_sql(TENANT),
        6 => table.insert(&plan.row).returning(columns).to_sql(TENANT),
        _ => table.upsert([&plan.row], &listed).to_sql(TENANT),
    }
}

impl<V> Query<'_, V> {
    fn filter_by(self, pieces: &[Piece]) -> Self {
        self.filter(|filters| fill(filters, pieces))
    }
}

/// The words of a statement: a quoted name, a quoted text, a bare word, or one sign.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$');
        let length = match first {
            '"' | '\'' => rest[1..].find(first).expect("it ends") + 2,
            _ if is_bare(first) => rest.find(|c| !is_bare(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (word, after) = rest.split_at(length);
        if first != ' ' {
            words.push(word);
        }
        rest = after;
    }
    words
}

/// All that stands without quotes in any statement.
const BARE: &[&str] = &[
    "ALL",
    "AND",
    "ANY",
    "AS",
    "BY",
    "CONFLICT",
    "DELETE",
    "DESC",
    "DO",
    "EXCLUDED",
    "FROM",
    "INSERT",
    "INTO",
    "IS",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "OFFSET",
    "ON",
    "OPERATOR",
    "OR",
    "ORDER",
    "RETURNING",
    "SELECT",
    "SET",
    "UPDATE",
    "WHERE",
    "count",
    "jsonb",
    "jsonb_populate_record",
    "jsonb_populate_recordset",
    "pg_catalog",
    "r",
    "r$",
    "row$",
    "t$",
    "text",
    "to_jsonb",
    "uuid",
    "'tenant_id'",
];

const SIGNS: &str = "(),.*=<>:-";

/// The parts of the last `WHERE` that `AND` joins outside of parentheses. None: there is an `OR` among them.
fn conjuncts(words: &[&str]) -> Option<Vec<String>> {
    let at = words.iter().rposition(|word| *word == "WHERE")?;
    let mut depth = 0_u32;
    let mut parts = vec![String::new()];
    for &word in &words[at + 1..] {
        match (word, depth) {
            ("ORDER" | "LIMIT" | "OFFSET" | "RETURNING", 0) => break,
            ("OR", 0) => return None,
            ("AND", 0) => parts.push(String::new()),
            _ => {
                depth = match word {
                    "(" => depth + 1,
                    ")" => depth.checked_sub(1)?,
                    _ => depth,
                };
                parts.last_mut()?.push_str(word);
            }
        }
    }
    (depth == 0).then_some(parts)
}

fn check(plan: &Plan, sql: &TableSql) -> Result<(), TestCaseError> {
    let text = sql.text();
    prop_assert!(!text.contains(MARK), "{text}");
    let words = words(text);
    for word in &words {
        let inner = word.strip_prefix('"').and_then(|word| word.strip_suffix('"'));
        let is_number = || word.strip_prefix('$').is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
        let is_known = BARE.contains(word) || SIGNS.contains(word) || is_number();
        match inner {
            Some(name) => prop_assert!(name::Identifier::parse(name).is_ok(), "{word} in {text}"),
            None => prop_assert!(is_known, "{word} in {text}"),
        }
    }
    let count = sql.params.len();
    for number in 1..=count {
        prop_assert!(words.contains(&format!("${number}").as_str()), "${number} in {text}");
    }
    let one_more = format!("${}", count + 1);
    prop_assert!(!words.contains(&one_more.as_str()), "{text}");
    if plan.verb == 6 {
        prop_assert!(
            text.contains("(\"tenant_id\"") && text.contains(") SELECT $1::pg_catalog.uuid"),
            "{text}"
        );
    } else {
        let parts = conjuncts(&words).ok_or_else(|| TestCaseError::fail(format!("an OR in {text}")))?;
        prop_assert_eq!(&parts[0], "t$.\"tenant_id\"OPERATOR(pg_catalog.=)$1::pg_catalog.uuid", "{}", text);
        let own = if plan.verb == 7 { 0 } else { plan.filters.len() };
        prop_assert_eq!(parts.len(), own + 1, "{}", text);
    }
    let sets = text.split_once(" SET ").map_or("", |(_, after)| after);
    let sets = sets.split(" FROM ").next().unwrap_or_default();
    let own = sets.replace("\"tenant_id\" = EXCLUDED.\"tenant_id\"", "").replace("t$.\"tenant_id\"", "");
    prop_assert!(!own.to_ascii_lowercase().contains("tenant_id"), "{text}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4096) })]

    #[test]
    fn no_statement_leaves_its_tenant(plan in plan()) {
        if let Ok(sql) = build(&plan) {
            check(&plan, &sql)?;
        }
    }
}

/// Otherwise the property might be one of refusals alone.
#[test]
fn statements_of_each_kind_are_built() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut built = [0; 8];
    for _ in 0..2000 {
        let plan = plan().new_tree(&mut runner).expect("a plan").current();
        built[usize::from(plan.verb)] += u32::from(build(&plan).is_ok());
    }
    assert!(built.iter().all(|&count| count >= 10), "{built:?}");
}
