//! A model of two tenants' tables in memory, and random operations on them.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};
use tenancy::TenantId;
use tenancy_postgres::Table;
use tenancy_postgres::table::{Change, Filters, Order, Query, Select};

use crate::support::{A, B};

/// `title` has the collation `C`, so that text is compared as Rust compares it.
pub(crate) const SCHEMA: &str = "
CREATE TABLE public.items (
    tenant_id uuid NOT NULL, id integer NOT NULL, title text COLLATE \"C\", size bigint, PRIMARY KEY (tenant_id, id)
);
CREATE SCHEMA app;
CREATE TABLE app.items (
    size bigint, title text COLLATE \"C\", id integer NOT NULL, tenant_id uuid NOT NULL, UNIQUE (id, tenant_id)
);
GRANT USAGE ON SCHEMA app TO tenancy_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.items, app.items TO tenancy_app;
";

pub(crate) const TABLES: [&str; 2] = ["public.items", "app.items"];

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Item {
    pub(crate) title: Option<String>,
    pub(crate) size: Option<i64>,
}

pub(crate) type Key = (&'static str, TenantId, i32);
pub(crate) type Model = BTreeMap<Key, Item>;

#[derive(Clone, Debug)]
pub(crate) enum Filter {
    Id(u8, i32),
    Title(u8, String),
    Size(u8, i64),
    Like(String),
    Ids(Vec<i32>),
    Titles(Vec<String>),
    NullTitle,
    SomeSize,
    Or(Vec<Filter>),
    And(Vec<Filter>),
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Select { filters: Vec<Filter>, descending: bool, offset: u64, limit: u64 },
    Count(Vec<Filter>),
    Insert(Vec<(i32, Item)>),
    Upsert(Vec<(i32, Item)>),
    Update { filters: Vec<Filter>, set: Set },
    Delete { filters: Vec<Filter> },
}

#[derive(Clone, Debug)]
pub(crate) enum Set {
    Title(Option<String>),
    Both(Item),
}

/// One operation of one tenant on one table; `returns` asks a write for its rows.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) table: &'static str,
    pub(crate) tenant: TenantId,
    pub(crate) returns: bool,
    pub(crate) op: Op,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    /// Sorted by id if no order was requested.
    Rows(Vec<Value>),
    Count(u64),
    Duplicate,
}

const HOSTILE: &[&str] =
    &["", "a", "ab", "b%", "_", "' OR true --", "\") OR (\"", "\\", "$1", "{a,\"b\"}", "null", "é"];

fn title() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(HOSTILE).prop_map(str::to_owned),
        prop::sample::select(&[A, B][..]).prop_map(|tenant| tenant.to_string())
    ]
}

fn id() -> impl Strategy<Value = i32> {
    0..6_i32
}

fn size() -> impl Strategy<Value = i64> {
    prop_oneof![-2..3_i64, Just(i64::MAX), Just(i64::MIN), Just(9_007_199_254_740_993)]
}

fn item() -> impl Strategy<Value = Item> {
    (option::of(title()), option::of(size())).prop_map(|(title, size)| Item { title, size })
}

fn filters() -> impl Strategy<Value = Vec<Filter>> {
    let pattern = prop::sample::select(&["%", "a%", "_", "%b%", "", "é", "%\\%"][..]);
    let leaf = prop_oneof![
        (0..6_u8, id()).prop_map(|(operator, id)| Filter::Id(operator, id)),
        (0..6_u8, title()).prop_map(|(operator, title)| Filter::Title(operator, title)),
        (0..6_u8, size()).prop_map(|(operator, size)| Filter::Size(operator, size)),
        pattern.prop_map(|pattern| Filter::Like(pattern.to_owned())),
        vec(id(), 0..3).prop_map(Filter::Ids),
        vec(title(), 0..3).prop_map(Filter::Titles),
        Just(Filter::NullTitle),
        Just(Filter::SomeSize),
    ];
    let filter = leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![vec(inner.clone(), 1..3).prop_map(Filter::Or), vec(inner, 1..3).prop_map(Filter::And)]
    });
    vec(filter, 0..3)
}

fn op() -> impl Strategy<Value = Op> {
    let set = prop_oneof![option::of(title()).prop_map(Set::Title), item().prop_map(Set::Both)];
    let rows = || vec((id(), item()), 0..3);
    prop_oneof![
        (filters(), any::<bool>(), 0..3_u64, 0..6_u64).prop_map(|(filters, descending, offset, limit)| {
            Op::Select { filters, descending, offset, limit }
        }),
        filters().prop_map(Op::Count),
        rows().prop_map(Op::Insert),
        rows().prop_map(Op::Upsert),
        (filters(), set).prop_map(|(filters, set)| Op::Update { filters, set }),
        filters().prop_map(|filters| Op::Delete { filters }),
    ]
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let which = (prop::sample::select(&TABLES[..]), prop::sample::select(&[A, B][..]), any::<bool>(), op());
    which.prop_map(|(table, tenant, returns, op)| Step { table, tenant, returns, op })
}

fn holds(operator: u8, order: Ordering) -> bool {
    match operator {
        0 => order.is_eq(),
        1 => order.is_ne(),
        2 => order.is_gt(),
        3 => order.is_ge(),
        4 => order.is_lt(),
        _ => order.is_le(),
    }
}

/// `%`, `_`, and a backslash that makes the next one plain.
fn like(text: &[char], pattern: &[char]) -> bool {
    match (pattern, text) {
        ([], _) => text.is_empty(),
        (['%', rest @ ..], _) => (0..=text.len()).any(|at| like(&text[at..], rest)),
        (['_', rest @ ..], [_, text @ ..]) => like(text, rest),
        (['\\', plain, rest @ ..] | [plain, rest @ ..], [first, text @ ..]) => {
            first == plain && like(text, rest)
        }
        _ => false,
    }
}

impl Filter {
    fn matches(&self, id: i32, item: &Item) -> bool {
        let (title, size) = (item.title.as_ref(), item.size);
        match self {
            Self::Id(operator, value) => holds(*operator, id.cmp(value)),
            Self::Title(operator, value) => title.is_some_and(|title| holds(*operator, title.cmp(value))),
            Self::Size(operator, value) => size.is_some_and(|size| holds(*operator, size.cmp(value))),
            Self::Like(pattern) => title.is_some_and(|title| {
                like(&title.chars().collect::<Vec<_>>(), &pattern.chars().collect::<Vec<_>>())
            }),
            Self::Ids(ids) => ids.contains(&id),
            Self::Titles(titles) => title.is_some_and(|title| titles.contains(title)),
            Self::NullTitle => title.is_none(),
            Self::SomeSize => size.is_some(),
            Self::Or(any) => any.iter().any(|filter| filter.matches(id, item)),
            Self::And(all) => all.iter().all(|filter| filter.matches(id, item)),
        }
    }

    fn add(&self, filters: Filters) -> Filters {
        match self {
            Self::Id(operator, value) => compare(filters, "id", *operator, *value),
            Self::Title(operator, value) => compare(filters, "title", *operator, value),
            Self::Size(operator, value) => compare(filters, "size", *operator, *value),
            Self::Like(pattern) => filters.like("title", pattern),
            Self::Ids(ids) => filters.in_("id", ids),
            Self::Titles(titles) => filters.in_("title", titles),
            Self::NullTitle => filters.is_null("title"),
            Self::SomeSize => filters.not_null("size"),
            Self::Or(any) => filters.or(|or| any.iter().fold(or, |or, filter| filter.add(or))),
            Self::And(all) => filters.and(|and| all.iter().fold(and, |and, filter| filter.add(and))),
        }
    }
}

fn compare(filters: Filters, column: &str, operator: u8, value: impl serde::Serialize) -> Filters {
    match operator {
        0 => filters.eq(column, value),
        1 => filters.neq(column, value),
        2 => filters.gt(column, value),
        3 => filters.gte(column, value),
        4 => filters.lt(column, value),
        _ => filters.lte(column, value),
    }
}

/// A group of one is the filter itself, so each stands beside the tenant's.
fn filtered<'a, V>(query: Query<'a, V>, filters: &[Filter]) -> Query<'a, V> {
    filters.iter().fold(query, |query, filter| query.or(|any| filter.add(any)))
}

pub(crate) fn select<'a>(table: Table<'a>, op: &Op) -> Option<Query<'a, Select>> {
    match op {
        Op::Select { filters, descending, offset, limit } => {
            let order = if *descending { Order::Desc } else { Order::Asc };
            let query = filtered(table.select("id, title, size"), filters);
            Some(query.order("size", order).order("id", Order::Asc).range(*offset..offset + limit))
        }
        Op::Count(filters) => Some(filtered(table.select("*"), filters)),
        _ => None,
    }
}

pub(crate) fn change<'a>(table: Table<'a>, op: &Op) -> Option<Query<'a, Change>> {
    let (query, filters) = match op {
        Op::Update { filters, set: Set::Title(title) } => (table.update(json!({ "title": title })), filters),
        Op::Update { filters, set: Set::Both(item) } => {
            (table.update(json!({ "title": item.title, "size": item.size })), filters)
        }
        Op::Delete { filters } => (table.delete(), filters),
        _ => return None,
    };
    let query = filtered(query, filters);
    Some(if filters.is_empty() { query.all_rows() } else { query })
}

pub(crate) fn rows(rows: &[(i32, Item)]) -> Vec<Value> {
    rows.iter().map(|(id, item)| row(*id, item)).collect()
}

fn row(id: i32, item: &Item) -> Value {
    json!({ "id": id, "title": item.title, "size": item.size })
}

impl Step {
    /// What it should give, and what it should leave.
    pub(crate) fn expect(&self, model: &mut Model) -> Outcome {
        let own = |model: &Model, filters: &[Filter]| -> Vec<(i32, Item)> {
            let is_own = |(table, tenant, _): &Key| *table == self.table && *tenant == self.tenant;
            let mine = model.iter().filter(|(key, _)| is_own(key));
            mine.map(|(key, item)| (key.2, item.clone()))
                .filter(|(id, item)| filters.iter().all(|filter| filter.matches(*id, item)))
                .collect()
        };
        let key = |id| (self.table, self.tenant, id);
        let written = match &self.op {
            Op::Select { filters, descending, offset, limit } => {
                let found = sorted(own(model, filters), *descending);
                let page = found.into_iter().skip(index(*offset)).take(index(*limit)).collect::<Vec<_>>();
                return Outcome::Rows(rows(&page));
            }
            Op::Count(filters) => return Outcome::Count(own(model, filters).len() as u64),
            Op::Insert(new) | Op::Upsert(new) => {
                let updates = matches!(self.op, Op::Upsert(_));
                let twice = (1..new.len()).any(|at| new[..at].iter().any(|(id, _)| *id == new[at].0));
                if twice || (!updates && new.iter().any(|(id, _)| model.contains_key(&key(*id)))) {
                    return Outcome::Duplicate;
                }
                model.extend(new.iter().map(|(id, item)| (key(*id), item.clone())));
                new.clone()
            }
            Op::Update { filters, set } => {
                let mut found = own(model, filters);
                for (id, item) in &mut found {
                    match set.clone() {
                        Set::Title(title) => item.title = title,
                        Set::Both(both) => *item = both,
                    }
                    model.insert(key(*id), item.clone());
                }
                found
            }
            Op::Delete { filters } => {
                let found = own(model, filters);
                model.retain(|known, _| !found.iter().any(|(id, _)| *known == key(*id)));
                found
            }
        };
        if self.returns { Outcome::Rows(by_id(rows(&written))) } else { Outcome::Count(written.len() as u64) }
    }
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// By size, and null is the last or the first.
fn sorted(mut found: Vec<(i32, Item)>, descending: bool) -> Vec<(i32, Item)> {
    let size = |item: &Item| (item.size.is_none(), item.size);
    found.sort_by(|(a, first), (b, second)| {
        let order = size(first).cmp(&size(second));
        (if descending { order.reverse() } else { order }).then(a.cmp(b))
    });
    found
}

pub(crate) fn by_id(mut rows: Vec<Value>) -> Vec<Value> {
    rows.sort_by_key(|row| row["id"].as_i64());
    rows
}
