//! A model of two tenants' tables in memory, and random operations on them.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};
use tenancy::TenantId;
use tenancy_postgres::Table;
use tenancy_postgres::table::{Change, Embed, Filters, Order, Query, Select};

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
    Ilike(String),
    Between(i64, i64),
    Match(i32, i64),
    Not(Vec<Filter>),
    Or(Vec<Filter>),
    And(Vec<Filter>),
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Select {
        filters: Vec<Filter>,
        order: Order,
        offset: u64,
        limit: u64,
    },
    /// A select with the total number of rows.
    Page {
        filters: Vec<Filter>,
        order: Order,
        offset: u64,
        limit: u64,
    },
    /// A select of each row with the rows of the table with the same size.
    Embed {
        filters: Vec<Filter>,
        embedded: Vec<Filter>,
        is_inner: bool,
    },
    Count(Vec<Filter>),
    Insert(Vec<(i32, Item)>),
    Upsert(Vec<(i32, Item)>),
    UpsertNew(Vec<(i32, Item)>),
    InsertMany(Vec<(i32, Item)>),
    Update {
        filters: Vec<Filter>,
        set: Set,
    },
    Delete {
        filters: Vec<Filter>,
    },
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
    /// Rows of a page, and the number of rows on all pages.
    Page(Vec<Value>, u64),
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
        pattern.clone().prop_map(|pattern| Filter::Like(pattern.to_owned())),
        pattern.prop_map(|pattern| Filter::Ilike(pattern.to_uppercase())),
        (size(), size()).prop_map(|(low, high)| Filter::Between(low, high)),
        (id(), size()).prop_map(|(id, size)| Filter::Match(id, size)),
        vec(id(), 0..3).prop_map(Filter::Ids),
        vec(title(), 0..3).prop_map(Filter::Titles),
        Just(Filter::NullTitle),
        Just(Filter::SomeSize),
    ];
    let filter = leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..3).prop_map(Filter::Or),
            vec(inner.clone(), 1..3).prop_map(Filter::And),
            vec(inner, 1..3).prop_map(Filter::Not),
        ]
    });
    vec(filter, 0..3)
}

fn order() -> impl Strategy<Value = Order> {
    prop::sample::select(&[Order::Asc, Order::Desc, Order::AscNullsFirst, Order::DescNullsLast][..])
}

fn op() -> impl Strategy<Value = Op> {
    let set = prop_oneof![option::of(title()).prop_map(Set::Title), item().prop_map(Set::Both)];
    let rows = || vec((id(), item()), 0..3);
    prop_oneof![
        (filters(), order(), 0..3_u64, 0..6_u64).prop_map(|(filters, order, offset, limit)| Op::Select {
            filters,
            order,
            offset,
            limit
        }),
        (filters(), order(), 0..3_u64, 0..6_u64).prop_map(|(filters, order, offset, limit)| Op::Page {
            filters,
            order,
            offset,
            limit
        }),
        (filters(), filters(), any::<bool>()).prop_map(|(filters, embedded, is_inner)| Op::Embed {
            filters,
            embedded,
            is_inner
        }),
        filters().prop_map(Op::Count),
        rows().prop_map(Op::Insert),
        rows().prop_map(Op::Upsert),
        rows().prop_map(Op::UpsertNew),
        rows().prop_map(Op::InsertMany),
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

/// Matches `%` and `_`. A backslash escapes the next character.
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

fn all(values: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let values: Vec<_> = values.collect();
    if values.contains(&Some(false)) {
        return Some(false);
    }
    (!values.contains(&None)).then_some(true)
}

fn negate(value: Option<bool>) -> Option<bool> {
    value.map(|value| !value)
}

impl Filter {
    fn matches(&self, id: i32, item: &Item) -> bool {
        self.value(id, item) == Some(true)
    }

    /// The truth of SQL: `None` is null.
    fn value(&self, id: i32, item: &Item) -> Option<bool> {
        let (title, size) = (item.title.as_ref(), item.size);
        let like_text = |text: &str, pattern: &str| {
            like(&text.chars().collect::<Vec<_>>(), &pattern.chars().collect::<Vec<_>>())
        };
        match self {
            Self::Id(operator, value) => Some(holds(*operator, id.cmp(value))),
            Self::Title(operator, value) => title.map(|title| holds(*operator, title.cmp(value))),
            Self::Size(operator, value) => size.map(|size| holds(*operator, size.cmp(value))),
            Self::Like(pattern) => title.map(|title| like_text(title, pattern)),
            // The collation `C` folds the case of ASCII letters only.
            Self::Ilike(pattern) => {
                title.map(|title| like_text(&title.to_ascii_lowercase(), &pattern.to_ascii_lowercase()))
            }
            Self::Between(low, high) => size.map(|size| (*low..=*high).contains(&size)),
            Self::Match(own, value) => all([Some(id == *own), size.map(|size| size == *value)].into_iter()),
            Self::Ids(ids) => Some(ids.contains(&id)),
            Self::Titles(titles) if titles.is_empty() => Some(false),
            Self::Titles(titles) => title.map(|title| titles.contains(title)),
            Self::NullTitle => Some(title.is_none()),
            Self::SomeSize => Some(size.is_some()),
            Self::Not(filters) => negate(all(filters.iter().map(|filter| filter.value(id, item)))),
            Self::Or(any) => negate(all(any.iter().map(|filter| negate(filter.value(id, item))))),
            Self::And(filters) => all(filters.iter().map(|filter| filter.value(id, item))),
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
            Self::Ilike(pattern) => filters.ilike("title", pattern),
            Self::Between(low, high) => filters.between("size", low, high),
            Self::Match(id, size) => filters.match_(json!({ "id": id, "size": size })),
            Self::Not(all) => filters.not(|not| all.iter().fold(not, |not, filter| filter.add(not))),
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

/// Adds each filter as a group of one.
fn filtered<'a, V>(query: Query<'a, V>, filters: &[Filter]) -> Query<'a, V> {
    filters.iter().fold(query, |query, filter| query.or(|any| filter.add(any)))
}

pub(crate) fn select<'a>(table: Table<'a>, name: &'static str, op: &Op) -> Option<Query<'a, Select>> {
    match op {
        Op::Select { filters, order, offset, limit } | Op::Page { filters, order, offset, limit } => {
            let query = filtered(table.select("id, title, size"), filters);
            Some(query.order("size", *order).order("id", Order::Asc).range(*offset..offset + limit))
        }
        Op::Embed { filters, embedded, is_inner } => {
            let query = filtered(table.select("id"), filters).order("id", Order::Asc);
            let same = Embed::many(name, "size").references("size").name("same").select("id");
            let same = same.order("id", Order::Desc);
            let same =
                embedded.iter().fold(same, |same, filter| same.filter(|all| all.or(|any| filter.add(any))));
            Some(query.embed(if *is_inner { same.inner() } else { same }))
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
    pub(crate) fn reads(&self) -> bool {
        matches!(self.op, Op::Select { .. } | Op::Page { .. } | Op::Embed { .. } | Op::Count(_))
    }

    /// Applies the operation to the model and returns the expected outcome.
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
            Op::Select { filters, order, offset, limit } => {
                return Outcome::Rows(page(own(model, filters), *order, *offset, *limit));
            }
            Op::Page { filters, order, offset, limit } => {
                let found = own(model, filters);
                let total = found.len() as u64;
                return Outcome::Page(page(found, *order, *offset, *limit), total);
            }
            Op::Embed { filters, embedded, is_inner } => {
                let others = own(model, embedded);
                let same = |size: Option<i64>| -> Vec<Value> {
                    let is_same = |(_, other): &&(i32, Item)| size.is_some() && other.size == size;
                    others.iter().rev().filter(is_same).map(|(id, _)| json!({ "id": id })).collect()
                };
                let rows = own(model, filters).into_iter().map(|(id, item)| (id, same(item.size)));
                let rows = rows.filter(|(_, same)| !is_inner || !same.is_empty());
                return Outcome::Rows(rows.map(|(id, same)| json!({ "id": id, "same": same })).collect());
            }
            Op::Count(filters) => return Outcome::Count(own(model, filters).len() as u64),
            Op::UpsertNew(new) => {
                let mut written = Vec::new();
                for (id, item) in new {
                    if let Entry::Vacant(free) = model.entry(key(*id)) {
                        free.insert(item.clone());
                        written.push((*id, item.clone()));
                    }
                }
                written
            }
            Op::Insert(new) | Op::InsertMany(new) | Op::Upsert(new) => {
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

fn page(found: Vec<(i32, Item)>, order: Order, offset: u64, limit: u64) -> Vec<Value> {
    rows(&sorted(found, order).into_iter().skip(index(offset)).take(index(limit)).collect::<Vec<_>>())
}

/// Sorts by size, then by id.
fn sorted(mut found: Vec<(i32, Item)>, order: Order) -> Vec<(i32, Item)> {
    let is_descending = matches!(order, Order::Desc | Order::DescNullsLast);
    let nulls_last = matches!(order, Order::Asc | Order::DescNullsLast);
    found.sort_by(|(a, first), (b, second)| {
        let nulls = (first.size.is_none() == nulls_last).cmp(&(second.size.is_none() == nulls_last));
        let values = first.size.cmp(&second.size);
        nulls.then(if is_descending { values.reverse() } else { values }).then(a.cmp(b))
    });
    found
}

pub(crate) fn by_id(mut rows: Vec<Value>) -> Vec<Value> {
    rows.sort_by_key(|row| row["id"].as_i64());
    rows
}
