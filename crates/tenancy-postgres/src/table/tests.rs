//! Statements without a server: their exact text, and properties of any statement.

use std::ops::Range;

use futures_util::future::BoxFuture;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use serde_json::{Value, json};
use tenancy::TenantId;

use super::execute::{Begin, Execute};
use super::name::Identifier;
use super::sql::Param;
use super::*;
use crate::error::Error;
use crate::session::Answer;

const TENANT: TenantId = TenantId::PLATFORM;

/// Builds statements, but does not run them.
struct Nowhere;

impl Execute for Nowhere {
    fn tenant(&self) -> Result<TenantId, Error> {
        Ok(TENANT)
    }

    fn execute<'a>(&'a self, _: &'a TableSql) -> BoxFuture<'a, Result<Answer, Error>> {
        Box::pin(async { Err(Error::TxClosed) })
    }

    fn begin(&self, _: TenantId) -> Option<Begin<'_>> {
        None
    }

    fn own_types(&self) -> BoxFuture<'_, (&own_types::OwnTypesCache, bool)> {
        Box::pin(std::future::pending())
    }
}

fn table(name: &'static str) -> Table<'static> {
    Table::new(name, &Nowhere)
}

fn last(mut statements: Vec<TableSql>) -> TableSql {
    statements.pop().expect("a statement")
}

fn values(sql: &TableSql) -> Vec<&str> {
    sql.params.iter().skip(1).map(|param| param.0.as_str()).collect()
}

/// Returns the text with its common parts shortened.
fn text(sql: &TableSql) -> String {
    assert_eq!(sql.params[0].0, TENANT.to_string());
    let row = "((pg_catalog.to_jsonb(t$.*) OPERATOR(pg_catalog.-) 'tenant_id'::pg_catalog.text))\
               ::pg_catalog.text AS row$";
    sql.text()
        .replace(row, "ROW")
        .replace("t$.\"tenant_id\" OPERATOR(pg_catalog.=) $1::pg_catalog.uuid", "MINE")
        .replace("$1::pg_catalog.uuid", "ME")
}

#[test]
fn select_filters_by_tenant() -> Result<(), TableError> {
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
        "SELECT t$.\"tenant_id\", pg_catalog.json_build_object('id', \"id\", 'Title', \"Title\")\
         ::pg_catalog.text AS row$ FROM \"app\".\"notes\" AS t$ WHERE MINE AND \"a\" = $2 AND \"b\" <> $3 \
         AND \"c\" > $4 AND \"d\" >= $5 AND \"e\" < $6 AND \"f\" <= $7 AND \"g\" ~~ $8 AND \"h\" IS NULL \
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
fn insert_sets_tenant() -> Result<(), TableError> {
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
fn update_and_delete_filter_by_tenant() -> Result<(), TableError> {
    let sql = table("n").update(json!({ "a": null, "b": 2 })).eq("id", 3).to_sql(TENANT)?;
    assert_eq!(
        text(&sql),
        "UPDATE \"n\" AS t$ SET (\"a\", \"b\") = (SELECT r.\"a\", r.\"b\" FROM \
         pg_catalog.jsonb_populate_record(NULL::\"n\", $2::pg_catalog.jsonb) AS r) WHERE MINE AND \"id\" = $3"
    );
    assert_eq!(values(&sql), [r#"{"a":null,"b":2}"#, "3"]);
    let sql = table("n").delete().all_rows().returning("id").to_sql(TENANT)?;
    let returned = "pg_catalog.json_build_object('id', \"id\")::pg_catalog.text AS row$";
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
fn rejects_likely_mistakes() {
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
fn rejects_writes_of_tenant_id() {
    for name in ["tenant_id", "TENANT_ID", "Tenant_Id"] {
        let row = json!({ name: TENANT.to_string() });
        let n = table("n");
        assert_refused(n.insert(&row).to_sql(TENANT), "WritesTenantId");
        assert_refused(n.insert([&row, &row]).to_sql(TENANT), "WritesTenantId");
        assert_refused(n.upsert(&row, "id").to_sql(TENANT), "WritesTenantId");
        assert_refused(n.update(&row).eq("id", 1).to_sql(TENANT), "WritesTenantId");
    }
    for name in ["\"tenant_id\"", " tenant_id", "tenant_id "] {
        assert_refused(table("n").insert(json!({ name: 1 })).to_sql(TENANT), "WritesTenantId");
        assert_refused(
            table("n").insert_many([json!({ name: 1 })]).to_sql(TENANT).map(last),
            "WritesTenantId",
        );
    }
    for name in ["", "tenant\u{5f}id\0", "t$"] {
        assert_refused(table("n").insert(json!({ name: 1 })).to_sql(TENANT), "InvalidIdentifier");
        assert_refused(table("n").update(json!({ name: 1 })).all_rows().to_sql(TENANT), "InvalidIdentifier");
    }
}

const NO_NAMES: &[&str] = &[
    "",
    "a b",
    "a\"",
    "a\"; DROP TABLE n; --",
    "a'b",
    "a\0",
    "a-b",
    "a->",
    "a->>b->c",
    "a->1x",
    "count(*)",
    "id AS x",
    "a.b.c",
    ".",
    "t$",
    "\"t$\"",
    "\"",
    "\"\"",
    "\"a\"b\"",
    "\"a",
    "a\"b\"",
    "\"a\0\"",
    "ééééééééééééééééééééééééééééééééé",
    "a\u{2028}",
    "$1",
    "*",
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijkl",
];

#[test]
fn rejects_invalid_names() {
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
        assert_refused(
            n.select("*").order("a", Order::Asc).embed(Embed::one("b", name)).to_sql(TENANT),
            invalid,
        );
        assert_refused(n.select("*").embed(Embed::many(name, "a")).to_sql(TENANT), invalid);
        assert_refused(n.select(&format!("a::{name}")).to_sql(TENANT), invalid);
        assert_refused(n.select(&format!("a->{name}")).to_sql(TENANT), invalid);
        assert_refused(Rpc::new(name, json!({}), &Nowhere).to_sql(TENANT), invalid);
    }
    assert_refused(n.select("").to_sql(TENANT), "InvalidIdentifier");
    assert!(n.select(&NO_NAMES[NO_NAMES.len() - 1][1..]).to_sql(TENANT).is_ok(), "63 bytes");
    assert!(table("a.b").select("_").to_sql(TENANT).is_ok());
}

#[test]
fn limits_fit_bigint() -> Result<(), TableError> {
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
fn debug_shows_no_values() {
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

/// A filter of hostile names and values.
#[derive(Clone, Debug)]
enum Piece {
    Compare(u8, String, Hostile),
    In(String, Vec<Hostile>),
    Null(String),
    Or(Vec<Piece>),
    And(Vec<Piece>),
    Not(Vec<Piece>),
    Between(String, Hostile, Hostile),
    Whole(u8, String, Vec<Hostile>),
    Search(String, Hostile, Option<Hostile>),
    True(String),
}

/// A value with a mark, by which a text that contains the value is found.
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

/// Mostly valid names.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        30 => "[A-Za-z_][A-Za-z0-9_]{0,8}",
        1 => prop::sample::select(NO_NAMES).prop_map(str::to_owned),
        1 => "\\PC{0,6}",
        1 => Just("TENANT_id".to_owned()),
        1 => hostile().prop_map(|text| text.replace(MARK, "n4me")),
        1 => hostile().prop_map(|text| format!("\"{}\"", text.replace(MARK, "n4me").replace('"', "\"\""))),
    ]
}

/// A column, or a path into one.
fn path() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => name(),
        1 => (name(), prop_oneof![name(), Just("0".to_owned()), Just("-7".to_owned()), Just("\"a'b\"".to_owned())], any::<bool>())
            .prop_map(|(column, key, is_text)| format!("{column}->{}{key}", if is_text { ">" } else { "" })),
    ]
}

/// What a select lists.
fn output() -> impl Strategy<Value = String> {
    let part = |before: &'static str, odds| {
        proptest::option::weighted(odds, name().prop_map(move |name| format!("{before}{name}")))
    };
    (part("", 0.2), path(), part("::", 0.2)).prop_map(|(alias, path, cast)| {
        format!("{}{path}{}", alias.map(|alias| alias + ":").unwrap_or_default(), cast.unwrap_or_default())
    })
}

/// An embed's names. The table is known to the program.
fn embed() -> impl Strategy<Value = EmbedPlan> {
    let parts = (any::<(bool, bool)>(), name(), output(), pieces(), path(), name());
    parts.prop_map(|((many, inner), key, columns, filters, order, member)| EmbedPlan {
        many,
        inner,
        key,
        columns,
        filters,
        order,
        member,
    })
}

#[derive(Clone, Debug)]
struct EmbedPlan {
    many: bool,
    inner: bool,
    key: String,
    columns: String,
    filters: Vec<Piece>,
    order: String,
    member: String,
}

impl EmbedPlan {
    fn build(&self) -> Embed {
        let embed =
            if self.many { Embed::many("app.lines", &self.key) } else { Embed::one("app.lines", &self.key) };
        let embed = embed.select(&self.columns).filter(|filters| fill(filters, &self.filters));
        let embed = embed.order(&self.order, Order::AscNullsFirst).limit(5);
        let embed = if Identifier::parse(&self.member).is_ok() { embed.name(&self.member) } else { embed };
        if self.inner { embed.inner() } else { embed }
    }
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let leaf = prop_oneof![
        (0..8_u8, path(), hostile())
            .prop_map(|(operator, name, value)| Piece::Compare(operator, name, value)),
        (path(), vec(hostile(), 0..3)).prop_map(|(name, values)| Piece::In(name, values)),
        path().prop_map(Piece::Null),
        path().prop_map(Piece::True),
        (path(), hostile(), hostile()).prop_map(|(name, low, high)| Piece::Between(name, low, high)),
        (0..3_u8, path(), vec(hostile(), 0..3))
            .prop_map(|(operator, name, values)| Piece::Whole(operator, name, values)),
        (path(), hostile(), proptest::option::of(hostile()))
            .prop_map(|(name, query, config)| Piece::Search(name, query, config)),
    ];
    let piece = leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Piece::Or),
            vec(inner.clone(), 0..3).prop_map(Piece::And),
            vec(inner, 0..3).prop_map(Piece::Not)
        ]
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
        Piece::Compare(6, name, value) => filters.like(name, value),
        Piece::Compare(_, name, value) => filters.ilike(name, value),
        Piece::In(name, values) => filters.in_(name, values),
        Piece::Null(name) => filters.is_null(name),
        Piece::Or(pieces) => filters.or(|any| fill(any, pieces)),
        Piece::And(pieces) => filters.and(|all| fill(all, pieces)),
        Piece::Not(pieces) => filters.not(|all| fill(all, pieces)),
        Piece::Between(name, low, high) => filters.between(name, low, high),
        Piece::Whole(0, name, values) => filters.contains(name, values),
        Piece::Whole(1, name, values) => filters.contained_by(name, values),
        Piece::Whole(_, name, values) => filters.overlaps(name, values),
        Piece::Search(name, query, config) => {
            filters.text_search(name, query, TextSearch::Websearch, config.as_deref())
        }
        Piece::True(name) => filters.is_true(name),
    })
}

#[derive(Clone, Debug)]
struct Plan {
    verb: u8,
    columns: Vec<String>,
    filters: Vec<Piece>,
    row: std::collections::BTreeMap<String, Hostile>,
    order: Vec<String>,
    embeds: Vec<EmbedPlan>,
}

fn plan() -> impl Strategy<Value = Plan> {
    let parts = (
        0..10_u8,
        vec(output(), 0..4),
        pieces(),
        btree_map(name(), hostile(), 0..4),
        vec(path(), 0..2),
        vec(embed(), 0..2),
    );
    parts.prop_map(|(verb, columns, filters, row, order, embeds)| Plan {
        verb,
        columns,
        filters,
        row,
        order,
        embeds,
    })
}

fn build(plan: &Plan) -> Result<TableSql, TableError> {
    let table = table("app.n0tes");
    let listed = plan.columns.join(", ");
    let columns = if plan.columns.is_empty() { "*" } else { &listed };
    let select = || {
        let query = table.select(columns).filter_by(&plan.filters);
        let query = plan.order.iter().fold(query, |query, name| query.order(name, Order::Desc)).range(3..9);
        plan.embeds.iter().fold(query, |query, embed| query.embed(embed.build()))
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
        7 => table.upsert([&plan.row], &listed).to_sql(TENANT),
        8 => table.insert_many([&plan.row]).ignore_duplicates().to_sql(TENANT).map(last),
        _ => Rpc::new("app.f", &plan.row, &Nowhere).to_sql(TENANT),
    }
}

impl<V> Query<'_, V> {
    fn filter_by(self, pieces: &[Piece]) -> Self {
        self.filter(|filters| fill(filters, pieces))
    }
}

/// Returns the length of a quoted word, in which a doubled quote is one quote.
fn quoted(text: &str, quote: char) -> usize {
    let mut at = 1;
    loop {
        at += text[at..].find(quote).expect("it ends") + 1;
        if !text[at..].starts_with(quote) {
            return at;
        }
        at += 1;
    }
}

/// Returns the words of a statement: a quoted name, a quoted text, a bare word, or one sign.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$');
        let length = match first {
            '"' | '\'' => quoted(rest, first),
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

/// Every word without quotes that a statement may contain.
const BARE: &[&str] = &[
    "ALL",
    "AND",
    "ANY",
    "AS",
    "BY",
    "COALESCE",
    "CONFLICT",
    "DELETE",
    "DESC",
    "DO",
    "EXCLUDED",
    "FROM",
    "INSERT",
    "FALSE",
    "FIRST",
    "INTO",
    "IS",
    "JOIN",
    "LATERAL",
    "LEFT",
    "LIMIT",
    "MATERIALIZED",
    "NOT",
    "NOTHING",
    "NULL",
    "NULLS",
    "OFFSET",
    "ON",
    "OPERATOR",
    "OR",
    "ORDER",
    "RETURNING",
    "SELECT",
    "SET",
    "TRUE",
    "UPDATE",
    "WHERE",
    "WITH",
    "array_agg",
    "count",
    "json",
    "json_agg",
    "json_build_object",
    "jsonb",
    "jsonb_build_object",
    "jsonb_populate_record",
    "jsonb_populate_recordset",
    "pg_catalog",
    "r",
    "r$",
    "regconfig",
    "row$",
    "row_to_json",
    "t$",
    "text",
    "to_jsonb",
    "uuid",
    "websearch_to_tsquery",
    "y$",
    "'[]'",
];

const SIGNS: &str = "(),.*=<>:-~@&|";

/// Returns the parts of the last `WHERE` that `AND` joins outside of parentheses, or `None` if an `OR` is among them.
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

/// `w1$`, `e1$`, and the columns `e1t$`, `e1k$`, `e1r$` and `o0$`.
fn is_alias(word: &str) -> bool {
    let inner = word.strip_suffix('$').unwrap_or_default();
    let inner = inner.strip_suffix(['t', 'k', 'r']).unwrap_or(inner);
    let number = inner.strip_prefix(['w', 'e', 'o']).unwrap_or_default();
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

fn check(plan: &Plan, sql: &TableSql) -> Result<(), TestCaseError> {
    let text = sql.text();
    prop_assert!(!text.contains(MARK), "{text}");
    let words = words(text);
    for word in &words {
        let inner = word.strip_prefix('"').and_then(|word| word.strip_suffix('"'));
        let is_number = || word.strip_prefix('$').is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
        let index = word.bytes().all(|byte| byte.is_ascii_digit());
        let is_known = BARE.contains(word) || SIGNS.contains(word) || is_number() || index || is_alias(word);
        let literal = word.strip_prefix('\'').and_then(|word| word.strip_suffix('\''));
        match inner.or(literal.filter(|word| *word != "[]")) {
            Some(name) => prop_assert!(
                Identifier::raw(&name.replace("\"\"", "\"").replace("''", "'")).is_ok(),
                "{word} in {text}"
            ),
            None => prop_assert!(is_known, "{word} in {text}"),
        }
    }
    let count = sql.params.len();
    for number in 1..=count {
        prop_assert!(words.contains(&format!("${number}").as_str()), "${number} in {text}");
    }
    let one_more = format!("${}", count + 1);
    prop_assert!(!words.contains(&one_more.as_str()), "{text}");
    if plan.verb == 9 {
        prop_assert!(text.ends_with(")) AS r$ WHERE $1::pg_catalog.uuid IS NOT NULL"), "{text}");
        prop_assert_eq!(&sql.checks, &[super::sql::Checked::Tenant]);
        return Ok(());
    }
    // Each table that is read is filtered by the tenant.
    let mine =
        text.matches(" AS t$ WHERE t$.\"tenant_id\" OPERATOR(pg_catalog.=) $1::pg_catalog.uuid").count();
    let is_embedded = |embed: &&EmbedPlan| plan.verb == 0 || plan.verb == 1 && embed.inner;
    let embedded = plan.embeds.iter().filter(is_embedded).count();
    if plan.verb < 2 {
        let main = usize::from(embedded == 0);
        prop_assert_eq!(mine, embedded + main, "{}", text);
        let joins = text.matches("t$ OPERATOR(pg_catalog.=) t$.\"tenant_id\" AND ").count();
        prop_assert_eq!(joins, embedded, "{}", text);
        prop_assert_eq!(sql.checks.len(), if plan.verb == 0 { embedded } else { 0 });
    }
    if plan.verb == 6 || plan.verb == 8 {
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
    prop_assert!(!self::words(&own).iter().any(|word| word.eq_ignore_ascii_case("\"tenant_id\"")), "{text}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4096) })]

    #[test]
    fn every_statement_filters_by_tenant_and_contains_no_value(plan in plan()) {
        if let Ok(sql) = build(&plan) {
            check(&plan, &sql)?;
        }
    }
}

/// Otherwise the property might hold because every statement is rejected.
#[test]
fn generates_statements_of_each_kind() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut built = [0; 10];
    for _ in 0..2000 {
        let plan = plan().new_tree(&mut runner).expect("a plan").current();
        built[usize::from(plan.verb)] += u32::from(build(&plan).is_ok());
    }
    assert!(built.iter().all(|&count| count >= 10), "{built:?}");
}
