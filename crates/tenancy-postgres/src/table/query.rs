//! Statements with filters: select, update and delete.

use std::fmt;
use std::ops::Range;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tenancy::TenantId;

use super::column::Columns;
use super::embed::Embed;
use super::filters::{Filters, TextSearch};
use super::handle::Table;
use super::name::{Identifier, QualifiedName};
use super::order::{Order, Sort, write_order};
use super::returning::{Returning, Write};
use super::rows::Rows;
use super::run;
use super::sql::{Raw, TableSql, bigint};
use crate::error::{Error, TableError};

/// A statement with filters: a [`Select`] or a [`Change`].
#[must_use = "nothing is sent until its rows are requested, or it is executed"]
pub struct Query<'a, V> {
    table: Table<'a>,
    filters: Filters,
    verb: V,
}

/// A select: its columns, its order and its limits.
pub struct Select {
    columns: Result<Columns, TableError>,
    embeds: Vec<Embed>,
    order: Vec<Result<Sort, TableError>>,
    limit: Option<u64>,
    offset: u64,
}

/// An update or a delete.
pub struct Change {
    /// None: a delete.
    set: Option<Result<Rows, TableError>>,
    means_all: bool,
}

impl<'a, V> Query<'a, V> {
    pub(super) fn new(table: Table<'a>, verb: V) -> Self {
        Self { table, filters: Filters::default(), verb }
    }

    /// Matches rows in which the column equals the value.
    pub fn eq(self, column: &str, value: impl Serialize) -> Self {
        self.filter(|filters| filters.eq(column, value))
    }

    /// Matches rows in which the column differs from the value. Null does not match.
    pub fn neq(self, column: &str, value: impl Serialize) -> Self {
        self.filter(|filters| filters.neq(column, value))
    }

    /// Matches rows in which the column is greater than the value.
    pub fn gt(self, column: &str, value: impl Serialize) -> Self {
        self.filter(|filters| filters.gt(column, value))
    }

    /// Matches rows in which the column is greater than the value or equals it.
    pub fn gte(self, column: &str, value: impl Serialize) -> Self {
        self.filter(|filters| filters.gte(column, value))
    }

    /// Matches rows in which the column is less than the value.
    pub fn lt(self, column: &str, value: impl Serialize) -> Self {
        self.filter(|filters| filters.lt(column, value))
    }

    /// Matches rows in which the column is less than the value or equals it.
    pub fn lte(self, column: &str, value: impl Serialize) -> Self {
        self.filter(|filters| filters.lte(column, value))
    }

    /// Matches rows in which the column is at least `low` and at most `high`.
    pub fn between(self, column: &str, low: impl Serialize, high: impl Serialize) -> Self {
        self.filter(|filters| filters.between(column, low, high))
    }

    /// Matches rows in which the column matches a pattern: `%` is any text and `_` any character.
    pub fn like(self, column: &str, pattern: &str) -> Self {
        self.filter(|filters| filters.like(column, pattern))
    }

    /// Matches rows in which the column matches a pattern, as [`like`](Filters::like), in any case of letters.
    pub fn ilike(self, column: &str, pattern: &str) -> Self {
        self.filter(|filters| filters.ilike(column, pattern))
    }

    /// Matches rows in which the column equals one of the values. An empty list matches no rows.
    pub fn in_<T: Serialize>(self, column: &str, values: impl IntoIterator<Item = T>) -> Self {
        self.filter(|filters| filters.in_(column, values))
    }

    /// Matches rows in which each column named by the object equals the object's value.
    pub fn match_(self, columns: impl Serialize) -> Self {
        self.filter(|filters| filters.match_(columns))
    }

    /// Matches rows in which the array, range or `jsonb` column contains all of the value.
    ///
    /// A list is an array, an object is JSON, and a text is the type's own form: `"[1,5)"`, or `"[1]"` for a list in
    /// `jsonb`.
    pub fn contains(self, column: &str, value: impl Serialize) -> Self {
        self.filter(|filters| filters.contains(column, value))
    }

    /// Matches rows in which the array, range or `jsonb` column is contained by the value, as in [`contains`](Filters::contains).
    pub fn contained_by(self, column: &str, value: impl Serialize) -> Self {
        self.filter(|filters| filters.contained_by(column, value))
    }

    /// Matches rows in which the array or range has an element in common with the value.
    pub fn overlaps(self, column: &str, value: impl Serialize) -> Self {
        self.filter(|filters| filters.overlaps(column, value))
    }

    /// Matches rows in which the column, text or `tsvector`, matches a full text query.
    ///
    /// `config` is a text search configuration, such as `english`; without one, the server's default applies. A column of
    /// type text is always parsed with the default.
    pub fn text_search(self, column: &str, query: &str, kind: TextSearch, config: Option<&str>) -> Self {
        self.filter(|filters| filters.text_search(column, query, kind, config))
    }

    /// Matches rows in which the column is null.
    pub fn is_null(self, column: &str) -> Self {
        self.filter(|filters| filters.is_null(column))
    }

    /// Matches rows in which the column is not null.
    pub fn not_null(self, column: &str) -> Self {
        self.filter(|filters| filters.not_null(column))
    }

    /// Matches rows in which the boolean column is true.
    pub fn is_true(self, column: &str) -> Self {
        self.filter(|filters| filters.is_true(column))
    }

    /// Matches rows in which the boolean column is false. Null does not match.
    pub fn is_false(self, column: &str) -> Self {
        self.filter(|filters| filters.is_false(column))
    }

    /// Matches rows that match at least one of the filters: `.or(|any| any.eq("state", "open").is_null("state"))`.
    pub fn or(self, any: impl FnOnce(Filters) -> Filters) -> Self {
        self.filter(|filters| filters.or(any))
    }

    /// Matches rows that match all of the filters.
    pub fn and(self, all: impl FnOnce(Filters) -> Filters) -> Self {
        self.filter(|filters| filters.and(all))
    }

    /// Matches rows for which it is false that they match all of the filters.
    ///
    /// As in SQL, a comparison with a null column is neither true nor false, so the row does not match.
    pub fn not(self, all: impl FnOnce(Filters) -> Filters) -> Self {
        self.filter(|filters| filters.not(all))
    }

    pub(super) fn filter(self, add: impl FnOnce(Filters) -> Filters) -> Self {
        Self { filters: add(self.filters), ..self }
    }
}

impl Select {
    pub(super) fn new(columns: &str) -> Self {
        Self {
            columns: Columns::parse(columns),
            embeds: Vec::new(),
            order: Vec::new(),
            limit: None,
            offset: 0,
        }
    }
}

/// A page of rows, and the number of rows on all pages.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Page<T> {
    /// The rows of this page.
    pub rows: Vec<T>,
    /// The number of rows that the filters match, regardless of the limit.
    pub total: u64,
}

impl Query<'_, Select> {
    /// Sorts by a column or path. Rows that are equal in it are sorted by the next `order`.
    pub fn order(mut self, column: &str, order: Order) -> Self {
        self.verb.order.push(Sort::parse(column, order));
        self
    }

    /// Returns at most this number of rows.
    pub fn limit(mut self, limit: u64) -> Self {
        self.verb.limit = Some(limit);
        self
    }

    /// Returns the rows with these numbers, which begin with 0: `20..40`. Replaces a `limit`.
    pub fn range(mut self, rows: Range<u64>) -> Self {
        self.verb.offset = rows.start;
        self.limit(rows.end.saturating_sub(rows.start))
    }

    /// Adds related rows of another table to each row.
    pub fn embed(mut self, embed: Embed) -> Self {
        self.verb.embeds.push(embed);
        self
    }

    /// Returns the rows.
    ///
    /// # Errors
    ///
    /// - [`Error::Table`] if the statement is rejected, or a row is not a `T`.
    /// - [`Error::Mismatch`] if a row belongs to another tenant.
    /// - The errors of [`TenantDb::begin`](crate::TenantDb::begin) and [`TenantTx::query`](crate::TenantTx::query).
    pub async fn rows<T: DeserializeOwned>(self) -> Result<Vec<T>, Error> {
        let on = self.table.on;
        let mut sql = run::begin(on, self.compares_columns()).await?;
        self.write(&mut sql, What::Rows)?;
        run::rows(on, sql, Ok).await
    }

    /// Returns a page of rows and the total number of rows that the filters match, from one statement.
    ///
    /// The server reads all rows that match. If the page is empty and does not begin with row 0, the total takes a second
    /// statement.
    ///
    /// ```no_run
    /// # async fn example(db: &tenancy_postgres::TenantDb) -> Result<(), tenancy_postgres::Error> {
    /// use tenancy_postgres::table::Order;
    ///
    /// let notes = db.table("notes").select("id, title").order("id", Order::Asc).range(20..40);
    /// let page = notes.rows_with_count::<serde_json::Value>().await?;
    /// println!("{} of {} notes", page.rows.len(), page.total);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// The errors of [`rows`](Self::rows).
    pub async fn rows_with_count<T: DeserializeOwned>(self) -> Result<Page<T>, Error> {
        let on = self.table.on;
        let mut page = run::begin(on, self.compares_columns()).await?;
        let is_whole = self.verb.offset == 0 && self.verb.limit != Some(0);
        let whole = self.write(&mut page, What::Page)?;
        let count = page.count_of(whole);
        let (rows, total) = run::rows_with_total(on, page).await?;
        let total = match total {
            Some(total) => total,
            None if is_whole => 0,
            None => run::count(on, count).await?,
        };
        Ok(Page { rows, total })
    }

    /// Returns the row, if there is exactly one.
    ///
    /// # Errors
    ///
    /// [`TableError::NoRow`] or [`TableError::ManyRows`], and the errors of [`rows`](Self::rows).
    pub async fn single<T: DeserializeOwned>(self) -> Result<T, Error> {
        self.maybe_single().await?.ok_or(TableError::NoRow.into())
    }

    /// Returns the row, or `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`TableError::ManyRows`], and the errors of [`rows`](Self::rows).
    pub async fn maybe_single<T: DeserializeOwned>(mut self) -> Result<Option<T>, Error> {
        // A second row shows that there are more.
        self.verb.limit = Some(self.verb.limit.map_or(2, |limit| limit.min(2)));
        run::at_most_one(self.rows().await?)
    }

    /// Returns the number of rows that the filters match, regardless of the columns and the limit.
    ///
    /// # Errors
    ///
    /// The errors of [`rows`](Self::rows). A count has no rows that could be verified.
    pub async fn count(self) -> Result<u64, Error> {
        let on = self.table.on;
        let mut sql = run::begin(on, self.compares_columns()).await?;
        self.write(&mut sql, What::Count)?;
        run::count(on, sql).await
    }

    /// Returns the statement of [`rows`](Self::rows) for a tenant.
    ///
    /// # Errors
    ///
    /// If the statement is rejected.
    pub fn to_sql(self, tenant: TenantId) -> Result<TableSql, TableError> {
        let mut sql = TableSql::new(tenant);
        self.write(&mut sql, What::Rows)?;
        Ok(sql)
    }

    /// Returns the statement of [`count`](Self::count) for a tenant.
    ///
    /// # Errors
    ///
    /// If the statement is rejected.
    pub fn to_count_sql(self, tenant: TenantId) -> Result<TableSql, TableError> {
        let mut sql = TableSql::new(tenant);
        self.write(&mut sql, What::Count)?;
        Ok(sql)
    }

    fn compares_columns(&self) -> bool {
        self.filters.compare_columns() || self.verb.embeds.iter().any(Embed::compares_columns)
    }

    /// Writes the statement, and returns the length of its text and the number of its parameters before the limit.
    fn write(self, sql: &mut TableSql, what: What) -> Result<(usize, usize), TableError> {
        let name = QualifiedName::parse(self.table.name)?;
        let Select { columns, embeds, order, limit, offset } = self.verb;
        let columns = columns?;
        let members = embeds.iter().map(Embed::member).collect::<Result<Vec<_>, _>>()?;
        check_members(&columns, &members)?;
        let mut joins = Vec::new();
        let is_needed = |embed: &Embed| what != What::Count || embed.is_inner();
        for embed in embeds.into_iter().filter(is_needed) {
            joins.push(embed.write_with(sql, joins.len() + 1)?);
        }
        sql.push(if joins.is_empty() { "SELECT " } else { " SELECT " });
        if what == What::Count {
            sql.push("pg_catalog.count(*)");
        } else {
            let members: Vec<_> = members.iter().zip(1..).map(|(name, number)| (name, Raw(number))).collect();
            sql.row(&columns, &members);
            if what == What::Page {
                sql.push(", pg_catalog.count(*) OVER () AS total$");
            }
            for join in &joins {
                join.write_check(sql);
            }
        }
        sql.push(" FROM ").qualified(&name).push(" AS t$");
        for join in joins {
            join.write_join(sql);
        }
        sql.columns_of(&name);
        self.filters.write_where(sql)?;
        let whole = sql.len();
        if what == What::Count {
            return Ok(whole);
        }
        write_order(sql, order)?;
        if let Some(limit) = limit {
            sql.push(" LIMIT ").value(bigint(limit));
        }
        if offset > 0 {
            sql.push(" OFFSET ").value(bigint(offset));
        }
        Ok(whole)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    Rows,
    Page,
    Count,
}

/// Rejects two members of a row with one name.
fn check_members(columns: &Columns, members: &[Identifier]) -> Result<(), TableError> {
    let is_column = |name: &Identifier| match columns {
        Columns::All => false,
        Columns::Listed(listed) => listed.iter().any(|output| output.name == *name),
    };
    let is_taken = |at: usize| is_column(&members[at]) || members[..at].contains(&members[at]);
    if (0..members.len()).any(is_taken) { Err(TableError::DuplicateName) } else { Ok(()) }
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
    /// Allows an update or a delete of all rows of the tenant, without a filter.
    pub fn all_rows(mut self) -> Self {
        self.verb.means_all = true;
        self
    }

    /// Returns the rows as they are after an update, or were before a delete.
    pub fn returning(self, columns: &str) -> Returning<'a> {
        Returning::new(self.table.on, columns, self)
    }

    /// Runs the statement and returns the number of rows that it updated or deleted.
    ///
    /// # Errors
    ///
    /// - [`Error::Table`] if the statement is rejected.
    /// - The errors of [`TenantDb::execute`](crate::TenantDb::execute) or of [`TenantTx::execute`](crate::TenantTx::execute).
    pub async fn execute(self) -> Result<u64, Error> {
        let on = self.table.on;
        let sql = run::begin(on, self.needs_types()).await?;
        run::affected(on, Box::new(self).write(sql)?).await
    }

    /// Returns the statement of [`execute`](Self::execute) for a tenant.
    ///
    /// # Errors
    ///
    /// If the statement is rejected.
    pub fn to_sql(self, tenant: TenantId) -> Result<TableSql, TableError> {
        Box::new(self).write(TableSql::new(tenant))
    }
}

impl Write for Query<'_, Change> {
    fn needs_types(&self) -> bool {
        let set = self.verb.set.as_ref();
        self.filters.compare_columns() || set.is_some_and(|set| set.as_ref().is_ok_and(|set| set.has_objects))
    }

    fn write(self: Box<Self>, mut sql: TableSql) -> Result<TableSql, TableError> {
        if self.filters.is_empty() && !self.verb.means_all {
            return Err(TableError::Unfiltered);
        }
        let name = QualifiedName::parse(self.table.name)?;
        sql.columns_of(&name);
        sql.writes = true;
        match self.verb.set {
            None => sql.push("DELETE FROM ").qualified(&name).push(" AS t$"),
            Some(set) => write_set(&mut sql, &name, &set?),
        };
        self.filters.write_where(&mut sql)?;
        Ok(sql)
    }
}

fn write_set<'s>(sql: &'s mut TableSql, name: &QualifiedName, set: &Rows) -> &'s mut TableSql {
    sql.push("UPDATE ").qualified(name).push(" AS t$ SET (").names("", &set.columns).push(") = (SELECT ");
    sql.names("r.", &set.columns).push(" FROM pg_catalog.jsonb_populate_record(NULL::").qualified(name);
    let json = set.json_for(sql);
    sql.push(", ").value(json).push("::pg_catalog.jsonb) AS r)")
}

/// Shows the table, but no values.
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
