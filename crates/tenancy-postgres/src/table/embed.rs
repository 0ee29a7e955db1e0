//! Rows of a related table inside each row of a select.

use std::fmt;

use serde::Serialize;

use super::column::Columns;
use super::filters::Filters;
use super::name::{Identifier, QualifiedName};
use super::order::{Order, Sort};
use super::sql::{Checked, TableSql, bigint};
use crate::error::TableError;

/// Related rows of another table, which [`Query::embed`](super::Query::embed) adds to each row.
///
/// ```no_run
/// use serde::Deserialize;
/// use tenancy_postgres::table::{Embed, Order};
///
/// #[derive(Deserialize)]
/// struct Customer {
///     name: String,
/// }
///
/// #[derive(Deserialize)]
/// struct Line {
///     product: String,
/// }
///
/// #[derive(Deserialize)]
/// struct PurchaseOrder {
///     id: i64,
///     customer: Option<Customer>,
///     lines: Vec<Line>,
/// }
///
/// # async fn example(db: &tenancy_postgres::TenantDb) -> Result<(), tenancy_postgres::Error> {
/// let orders: Vec<PurchaseOrder> = db
///     .table("orders")
///     .select("id")
///     .embed(Embed::one("customers", "customer_id").name("customer").select("name"))
///     .embed(Embed::many("lines", "order_id").select("product").order("position", Order::Asc))
///     .rows()
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// In supabase-js the same select is `.select("id, customer:customers(name), lines(product)")`. There, the server finds
/// the foreign key; here, the program names its column. The rows are always those of one tenant: the embedded table is
/// filtered by the tenant as well, the join compares both `tenant_id` columns, and the `tenant_id` of each embedded row is
/// verified. So the embedded table must have a column `tenant_id`.
///
/// An embed cannot contain another one. The key is compared by an operator of the search path. The embedded table needs an index that begins with `tenant_id` and the joined
/// column, as a foreign key with `tenant_id` has.
#[must_use = "it is part of a select"]
pub struct Embed {
    table: &'static str,
    name: Option<Result<Identifier, TableError>>,
    /// The column of the table that the foreign key belongs to.
    key: Result<Identifier, TableError>,
    /// The column that the foreign key refers to.
    referenced: Result<Identifier, TableError>,
    is_many: bool,
    is_inner: bool,
    columns: Result<Columns, TableError>,
    filters: Filters,
    order: Vec<Result<Sort, TableError>>,
    limit: Option<u64>,
}

impl Embed {
    /// Embeds the one row of `table` that the selected table's column `key` refers to, or null.
    ///
    /// The referenced column is `id`, unless [`references`](Self::references) names another. It must be unique in each
    /// tenant; otherwise a row is returned once for each row that it refers to.
    pub fn one(table: &'static str, key: &str) -> Self {
        Self::new(table, key, false)
    }

    /// Embeds a list of the rows of `table` with a column `key` that refers to the selected row.
    ///
    /// The referenced column of the selected table is `id`, unless [`references`](Self::references) names another.
    pub fn many(table: &'static str, key: &str) -> Self {
        Self::new(table, key, true)
    }

    fn new(table: &'static str, key: &str, is_many: bool) -> Self {
        Self {
            table,
            name: None,
            key: Identifier::parse(key),
            referenced: Identifier::parse("id"),
            is_many,
            is_inner: false,
            columns: Ok(Columns::All),
            filters: Filters::default(),
            order: Vec::new(),
            limit: None,
        }
    }

    /// Sets the column that the foreign key refers to.
    pub fn references(self, column: &str) -> Self {
        Self { referenced: Identifier::parse(column), ..self }
    }

    /// Sets the name of the member in each row. It is the table's name by default.
    pub fn name(self, name: &str) -> Self {
        Self { name: Some(Identifier::parse(name)), ..self }
    }

    /// Sets the columns of the embedded rows, as in [`Table::select`](super::Table::select). The default is `*`.
    pub fn select(self, columns: &str) -> Self {
        Self { columns: Columns::parse(columns), ..self }
    }

    /// Embeds only rows that match the filters.
    pub fn filter(self, add: impl FnOnce(Filters) -> Filters) -> Self {
        Self { filters: add(self.filters), ..self }
    }

    /// Embeds only rows in which the column equals the value.
    pub fn eq(self, column: &str, value: impl Serialize) -> Self {
        self.filter(|filters| filters.eq(column, value))
    }

    /// Sorts the embedded rows of one row.
    pub fn order(mut self, column: &str, order: Order) -> Self {
        self.order.push(Sort::parse(column, order));
        self
    }

    /// Limits the embedded rows of one row.
    pub fn limit(self, limit: u64) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// Returns only rows that have an embedded row, as `!inner` of supabase-js does.
    pub fn inner(self) -> Self {
        Self { is_inner: true, ..self }
    }

    pub(super) fn compares_columns(&self) -> bool {
        self.filters.compare_columns()
    }

    pub(super) fn is_inner(&self) -> bool {
        self.is_inner
    }

    /// Returns the name of the member in each row.
    pub(super) fn member(&self) -> Result<Identifier, TableError> {
        let name = match &self.name {
            Some(Ok(name)) => name.clone(),
            Some(Err(_)) => return Err(TableError::InvalidIdentifier),
            None => QualifiedName::parse(self.table)?.name,
        };
        // A backslash would be special if a session had turned standard_conforming_strings off.
        if name.as_str().contains('\\') { Err(TableError::InvalidIdentifier) } else { Ok(name) }
    }

    /// Writes the embedded rows of the tenant as a common table expression, and returns what the join needs.
    ///
    /// The expression cannot refer to the selected table, so that a column that the embedded table does not have is an
    /// error, and not the selected table's column.
    pub(super) fn write_with(self, sql: &mut TableSql, number: usize) -> Result<Join, TableError> {
        let table = QualifiedName::parse(self.table)?;
        let (key, referenced) = (self.key?, self.referenced?);
        let (inside, outside) = if self.is_many { (key, referenced) } else { (referenced, key) };
        let order = self.order.into_iter().collect::<Result<Vec<_>, _>>()?;
        sql.push(if number == 1 { "WITH " } else { ", " }).push("w").number(number);
        sql.push("$ AS NOT MATERIALIZED (SELECT t$.\"tenant_id\" AS e").number(number).push("t$, ");
        sql.name(&inside).push(" AS e").number(number).push("k$, ");
        for (at, sort) in order.iter().enumerate() {
            sql.path(&sort.path).push(" AS o").number(at).push("$, ");
        }
        sql.object(&self.columns?, "t$", &[]).push(" AS e").number(number).push("r$ FROM ");
        sql.qualified(&table).push(" AS t$");
        sql.columns_of(&table);
        self.filters.write_where(sql)?;
        sql.push(")");
        let order = order.into_iter().map(|sort| sort.order).collect();
        Ok(Join { number, outside, is_many: self.is_many, is_inner: self.is_inner, order, limit: self.limit })
    }
}

/// An embed with a common table expression that is written.
pub(super) struct Join {
    pub(super) number: usize,
    outside: Identifier,
    is_many: bool,
    is_inner: bool,
    order: Vec<Order>,
    limit: Option<u64>,
}

impl Join {
    /// Writes the column by which the embedded rows are verified.
    pub(super) fn write_check(&self, sql: &mut TableSql) {
        sql.push(", e").number(self.number).push("$.e").number(self.number).push("t$");
        sql.checks.push(if self.is_many { Checked::Many } else { Checked::Optional });
    }

    pub(super) fn write_join(self, sql: &mut TableSql) {
        let number = self.number;
        sql.push(if self.is_inner { " JOIN " } else { " LEFT JOIN " });
        if !self.is_many {
            sql.push("w").number(number).push("$ AS e").number(number).push("$ ON ");
            self.write_condition(sql, "e");
            return;
        }
        sql.push("LATERAL (SELECT COALESCE(pg_catalog.json_agg(y$.e").number(number);
        sql.push("r$), '[]'::pg_catalog.json) AS e").number(number);
        sql.push("r$, pg_catalog.array_agg(y$.e").number(number).push("t$) AS e").number(number);
        sql.push("t$ FROM (SELECT w").number(number).push("$.* FROM w").number(number).push("$ WHERE ");
        self.write_condition(sql, "w");
        for (at, order) in self.order.iter().enumerate() {
            sql.push(if at == 0 { " ORDER BY w" } else { ", w" }).number(number).push("$.o").number(at);
            sql.push("$").push(order.sql());
        }
        if let Some(limit) = self.limit {
            sql.push(" LIMIT ").value(bigint(limit));
        }
        sql.push(") AS y$) AS e").number(number).push("$ ON ");
        if self.is_inner {
            sql.push("e").number(number).push("$.e").number(number).push("t$ IS NOT NULL");
        } else {
            sql.push("TRUE");
        }
    }

    /// Writes that both rows belong to one tenant and that the key refers to one of them.
    fn write_condition(&self, sql: &mut TableSql, alias: &'static str) {
        let number = self.number;
        sql.push(alias).number(number).push("$.e").number(number);
        sql.push("t$ OPERATOR(pg_catalog.=) t$.\"tenant_id\" AND ");
        sql.push(alias).number(number).push("$.e").number(number).push("k$ = ").name(&self.outside);
    }
}

/// Shows the table, but no values.
impl fmt::Debug for Embed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embed")
            .field("table", &self.table)
            .field("filters", &self.filters)
            .finish_non_exhaustive()
    }
}
