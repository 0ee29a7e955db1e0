//! What reads, updates or deletes: the statements that have filters.

use std::fmt;
use std::ops::Range;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tenancy::TenantId;

use super::Table;
use super::error::TableError;
use super::filters::Filters;
use super::name::{Columns, Identifier, TableName};
use super::returning::{Returning, Writes};
use super::rows::Rows;
use super::run;
use super::sql::{Param, TableSql};
use crate::error::Error;

/// A statement with filters: a [`Select`] or a [`Change`].
#[must_use = "nothing is sent until its rows are asked for, or it is executed"]
pub struct Query<'a, V> {
    table: Table<'a>,
    filters: Filters,
    verb: V,
}

/// What is read, and in which order.
pub struct Select {
    columns: Result<Columns, TableError>,
    order: Vec<Result<(Identifier, Order), TableError>>,
    limit: Option<u64>,
    offset: u64,
}

/// An update or a delete.
pub struct Change {
    /// None: a delete.
    set: Option<Result<Rows, TableError>>,
    means_all: bool,
}

/// Which rows come first.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Order {
    /// The least; null is the last.
    Asc,
    /// The greatest; null is the first.
    Desc,
}

impl<'a, V> Query<'a, V> {
    pub(super) fn new(table: Table<'a>, verb: V) -> Self {
        Self { table, filters: Filters::default(), verb }
    }

    /// The column has this value: one text, number or boolean, compared as the column's type.
    pub fn eq(self, column: &str, value: impl Serialize) -> Self {
        self.filter(|filters| filters.eq(column, value))
    }

    /// The column has another value than this one. Null is neither.
    pub fn neq(self, column: &str, value: impl Serialize) -> Self {
        self.filter(|filters| filters.neq(column, value))
    }

    /// The column is greater.
    pub fn gt(self, column: &str, value: impl Serialize) -> Self {
        self.filter(|filters| filters.gt(column, value))
    }

    /// The column is greater, or has this value.
    pub fn gte(self, column: &str, value: impl Serialize) -> Self {
        self.filter(|filters| filters.gte(column, value))
    }

    /// The column is less.
    pub fn lt(self, column: &str, value: impl Serialize) -> Self {
        self.filter(|filters| filters.lt(column, value))
    }

    /// The column is less, or has this value.
    pub fn lte(self, column: &str, value: impl Serialize) -> Self {
        self.filter(|filters| filters.lte(column, value))
    }

    /// The column matches a pattern, in which `%` is any text and `_` any character.
    pub fn like(self, column: &str, pattern: &str) -> Self {
        self.filter(|filters| filters.like(column, pattern))
    }

    /// The column has one of these values. Of none there are no rows.
    pub fn in_<T: Serialize>(self, column: &str, values: impl IntoIterator<Item = T>) -> Self {
        self.filter(|filters| filters.in_(column, values))
    }

    /// The column is null.
    pub fn is_null(self, column: &str) -> Self {
        self.filter(|filters| filters.is_null(column))
    }

    /// The column is not null.
    pub fn not_null(self, column: &str) -> Self {
        self.filter(|filters| filters.not_null(column))
    }

    /// At least one of these holds, and all filters beside it: `.or(|any| any.eq("state", "open").is_null("state"))`.
    pub fn or(self, any: impl FnOnce(Filters) -> Filters) -> Self {
        self.filter(|filters| filters.or(any))
    }

    pub(super) fn filter(self, add: impl FnOnce(Filters) -> Filters) -> Self {
        Self { filters: add(self.filters), ..self }
    }
}

impl Select {
    pub(super) fn new(columns: &str) -> Self {
        Self { columns: Columns::parse(columns), order: Vec::new(), limit: None, offset: 0 }
    }
}

fn write_order(
    sql: &mut TableSql,
    by: Vec<Result<(Identifier, Order), TableError>>,
) -> Result<(), TableError> {
    for (at, by) in by.into_iter().enumerate() {
        let (column, order) = by?;
        sql.push(if at == 0 { " ORDER BY " } else { ", " }).name(&column).push(match order {
            Order::Asc => "",
            Order::Desc => " DESC",
        });
    }
    Ok(())
}

/// No table has more rows.
fn bigint(number: u64) -> Param {
    Param(number.min(i64::MAX.unsigned_abs()).to_string())
}

impl Query<'_, Select> {
    /// Sorts by a column, and where it is the same by that of the next `order`.
    pub fn order(mut self, column: &str, order: Order) -> Self {
        self.verb.order.push(Identifier::parse(column).map(|column| (column, order)));
        self
    }

    /// Gives no more rows than these.
    pub fn limit(mut self, limit: u64) -> Self {
        self.verb.limit = Some(limit);
        self
    }

    /// Gives the rows of these numbers, which begin with 0: `20..40`. It takes the place of a `limit`.
    pub fn range(mut self, rows: Range<u64>) -> Self {
        self.verb.offset = rows.start;
        self.limit(rows.end.saturating_sub(rows.start))
    }

    /// The rows.
    ///
    /// # Errors
    ///
    /// - [`Error::Table`] where the statement is refused, or a row is not a `T`.
    /// - [`Error::Mismatch`] where a row is another tenant's.
    /// - Those of [`TenantDb::begin`](crate::TenantDb::begin) and [`TenantTx::query`](crate::TenantTx::query).
    pub async fn rows<T: DeserializeOwned>(self) -> Result<Vec<T>, Error> {
        let on = self.table.on;
        run::rows(on, self.to_sql(on.tenant()?)?, Ok).await
    }

    /// The one row that there is.
    ///
    /// # Errors
    ///
    /// [`TableError::NoRow`] or [`TableError::ManyRows`], and those of [`rows`](Self::rows).
    pub async fn single<T: DeserializeOwned>(self) -> Result<T, Error> {
        self.maybe_single().await?.ok_or(TableError::NoRow.into())
    }

    /// The one row that there is, or none.
    ///
    /// # Errors
    ///
    /// [`TableError::ManyRows`], and those of [`rows`](Self::rows).
    pub async fn maybe_single<T: DeserializeOwned>(mut self) -> Result<Option<T>, Error> {
        // One more tells that there are more.
        self.verb.limit = Some(self.verb.limit.map_or(2, |limit| limit.min(2)));
        run::at_most_one(self.rows().await?)
    }

    /// How many rows the filters match, whatever the limit. The columns do not count.
    ///
    /// # Errors
    ///
    /// As [`rows`](Self::rows). Whose rows were counted is not verified.
    pub async fn count(self) -> Result<u64, Error> {
        let on = self.table.on;
        run::count(on, self.to_count_sql(on.tenant()?)?).await
    }

    /// The statement of [`rows`](Self::rows), for a tenant.
    ///
    /// # Errors
    ///
    /// Where it is refused.
    pub fn to_sql(self, tenant: TenantId) -> Result<TableSql, TableError> {
        let name = TableName::parse(self.table.name)?;
        let mut sql = TableSql::new(tenant);
        let Select { columns, order, limit, offset } = self.verb;
        sql.push("SELECT ").row(&columns?).push(" FROM ").table(&name).push(" AS t$");
        self.filters.write_where(&mut sql)?;
        write_order(&mut sql, order)?;
        if let Some(limit) = limit {
            sql.push(" LIMIT ").value(bigint(limit));
        }
        if offset > 0 {
            sql.push(" OFFSET ").value(bigint(offset));
        }
        Ok(sql)
    }

    /// The statement of [`count`](Self::count), for a tenant.
    ///
    /// # Errors
    ///
    /// Where it is refused.
    pub fn to_count_sql(self, tenant: TenantId) -> Result<TableSql, TableError> {
        let name = TableName::parse(self.table.name)?;
        let mut sql = TableSql::new(tenant);
        sql.push("SELECT pg_catalog.count(*) FROM ").table(&name).push(" AS t$");
        self.filters.write_where(&mut sql)?;
        self.verb.columns?;
        Ok(sql)
    }
}

impl Change {
    pub(super) fn update(set: impl Serialize) -> Self {
        Self { set: Some(Rows::one(set)), means_all: false }
    }

    pub(super) fn delete() -> Self {
        Self { set: None, means_all: false }
    }
}

impl<'a> Query<'a, Change> {
    /// All rows of the tenant are meant, where there is no filter.
    pub fn all_rows(mut self) -> Self {
        self.verb.means_all = true;
        self
    }

    /// Gives the rows as they are after an update, or were before a delete.
    pub fn returning(self, columns: &str) -> Returning<'a> {
        Returning::new(self.table.on, columns, Writes::Change(self))
    }

    /// Runs it, and says how many rows it touched.
    ///
    /// # Errors
    ///
    /// - [`Error::Table`] where the statement is refused.
    /// - Those of [`TenantDb::execute`](crate::TenantDb::execute) or of [`TenantTx::execute`](crate::TenantTx::execute).
    pub async fn execute(self) -> Result<u64, Error> {
        let on = self.table.on;
        run::affected(on, self.to_sql(on.tenant()?)?).await
    }

    /// The statement of [`execute`](Self::execute), for a tenant.
    ///
    /// # Errors
    ///
    /// Where it is refused.
    pub fn to_sql(self, tenant: TenantId) -> Result<TableSql, TableError> {
        if self.filters.is_empty() && !self.verb.means_all {
            return Err(TableError::Unfiltered);
        }
        let name = TableName::parse(self.table.name)?;
        let mut sql = TableSql::new(tenant);
        sql.writes = true;
        match self.verb.set {
            None => sql.push("DELETE FROM ").table(&name).push(" AS t$"),
            Some(set) => write_set(&mut sql, &name, set?),
        };
        self.filters.write_where(&mut sql)?;
        Ok(sql)
    }
}

fn write_set<'s>(sql: &'s mut TableSql, name: &TableName, set: Rows) -> &'s mut TableSql {
    sql.push("UPDATE ").table(name).push(" AS t$ SET (").names("", &set.columns).push(") = (SELECT ");
    sql.names("r.", &set.columns).push(" FROM pg_catalog.jsonb_populate_record(NULL::").table(name);
    sql.push(", ").value(set.json).push("::pg_catalog.jsonb) AS r)")
}

/// The table and no value.
impl<V> fmt::Debug for Query<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Query")
            .field("table", &self.table)
            .field("filters", &self.filters)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Select {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Select").finish_non_exhaustive()
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change").finish_non_exhaustive()
    }
}
