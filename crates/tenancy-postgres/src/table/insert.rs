//! Inserts and upserts.

use std::fmt;

use serde::Serialize;
use tenancy::TenantId;

use super::handle::Table;
use super::name::{Identifier, QualifiedName, list};
use super::returning::{Returning, Write};
use super::rows::Rows;
use super::run;
use super::sql::TableSql;
use crate::error::{Error, TableError};

/// An insert or an upsert.
#[must_use = "nothing is sent until its rows are requested, or it is executed"]
pub struct Insert<'a> {
    table: Table<'a>,
    rows: Result<Rows, TableError>,
    /// The key of an upsert.
    key: Option<Result<Vec<Identifier>, TableError>>,
    ignores: bool,
}

impl<'a> Insert<'a> {
    pub(super) fn new(table: Table<'a>, rows: impl Serialize, key: Option<&str>) -> Self {
        Self { table, rows: Rows::many(rows), key: key.map(list), ignores: false }
    }

    pub(super) fn of(table: Table<'a>, rows: Rows) -> Self {
        Self { table, rows: Ok(rows), key: None, ignores: false }
    }

    /// Updates no row of an upsert that has an existing key: that row is left as it is, and is not returned.
    ///
    /// An insert skips rows that violate any unique constraint.
    pub fn ignore_duplicates(mut self) -> Self {
        self.ignores = true;
        self
    }

    /// Returns the rows as they are stored, in no particular order.
    pub fn returning(self, columns: &str) -> Returning<'a> {
        Returning::new(self.table.on, columns, self)
    }

    /// Runs the statement and returns the number of rows that it inserted or updated.
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

impl Write for Insert<'_> {
    fn needs_types(&self) -> bool {
        self.rows.as_ref().is_ok_and(|rows| rows.has_objects)
    }

    fn write(self: Box<Self>, mut sql: TableSql) -> Result<TableSql, TableError> {
        let (name, rows) = (QualifiedName::parse(self.table.name)?, self.rows?);
        sql.columns_of(&name);
        let json = rows.json_for(&sql);
        let columns = rows.columns;
        sql.writes = true;
        sql.push("INSERT INTO ").qualified(&name).push(" AS t$ (\"tenant_id\"");
        sql.each(", ", &columns).push(") SELECT ").tenant_id();
        sql.each(", r.", &columns)
            .push(" FROM pg_catalog.jsonb_populate_recordset(NULL::")
            .qualified(&name)
            .push(", ");
        sql.value(json).push("::pg_catalog.jsonb) AS r");
        match (self.key.transpose()?, self.ignores) {
            (Some(key), false) => write_update(&mut sql, &key, columns),
            (Some(key), true) => {
                write_conflict(&mut sql, &key);
                sql.push(" DO NOTHING");
            }
            (None, true) => drop(sql.push(" ON CONFLICT DO NOTHING")),
            (None, false) => {}
        }
        Ok(sql)
    }
}

fn write_conflict(sql: &mut TableSql, key: &[Identifier]) {
    sql.push(" ON CONFLICT (\"tenant_id\"");
    for column in key.iter().filter(|column| !column.is_tenant_id()) {
        sql.push(", ").name(column);
    }
    sql.push(")");
}

/// A row of another tenant has another key. If the index lacked the tenant, its row would still not be updated.
fn write_update(sql: &mut TableSql, key: &[Identifier], columns: Vec<Identifier>) {
    write_conflict(sql, key);
    sql.push(" DO UPDATE SET ");
    let set: Vec<_> = columns.into_iter().filter(|column| !key.contains(column)).collect();
    if set.is_empty() {
        // It changes nothing, but `RETURNING` then includes the existing row.
        sql.push("\"tenant_id\" = EXCLUDED.\"tenant_id\"");
    }
    sql.set(&set, " = EXCLUDED.").push(" WHERE ").is_the_tenants();
}

/// Shows the table, but no values.
impl fmt::Debug for Insert<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Insert").field("table", &self.table).finish_non_exhaustive()
    }
}
