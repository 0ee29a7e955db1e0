//! What adds rows, or updates those that are there.

use std::fmt;

use serde::Serialize;
use tenancy::TenantId;

use super::Table;
use super::error::TableError;
use super::name::{Identifier, TableName, list};
use super::returning::{Returning, Writes};
use super::rows::Rows;
use super::run;
use super::sql::TableSql;
use crate::error::Error;

/// An insert or an upsert.
#[must_use = "nothing is sent until its rows are asked for, or it is executed"]
pub struct Insert<'a> {
    table: Table<'a>,
    rows: Result<Rows, TableError>,
    /// Of an upsert.
    key: Option<Result<Vec<Identifier>, TableError>>,
}

impl<'a> Insert<'a> {
    pub(super) fn new(table: Table<'a>, rows: impl Serialize, key: Option<&str>) -> Self {
        Self { table, rows: Rows::many(rows), key: key.map(list) }
    }

    /// Gives the rows as they are stored, in no order that is promised.
    pub fn returning(self, columns: &str) -> Returning<'a> {
        Returning::new(self.table.on, columns, Writes::Insert(self))
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
        let (name, Rows { columns, json }) = (TableName::parse(self.table.name)?, self.rows?);
        let mut sql = TableSql::new(tenant);
        sql.writes = true;
        sql.push("INSERT INTO ").table(&name).push(" AS t$ (\"tenant_id\"");
        sql.each(", ", &columns).push(") SELECT ").tenant_id();
        sql.each(", r.", &columns)
            .push(" FROM pg_catalog.jsonb_populate_recordset(NULL::")
            .table(&name)
            .push(", ");
        sql.value(json).push("::pg_catalog.jsonb) AS r");
        if let Some(key) = self.key {
            write_update(&mut sql, key?, columns);
        }
        Ok(sql)
    }
}

/// A row of another tenant has another key, and if it had the same, it is not updated.
fn write_update(sql: &mut TableSql, mut key: Vec<Identifier>, columns: Vec<Identifier>) {
    key.retain(|column| !column.is_tenant_id());
    sql.push(" ON CONFLICT (\"tenant_id\"").each(", ", &key).push(") DO UPDATE SET ");
    let set: Vec<_> = columns.into_iter().filter(|column| !key.contains(column)).collect();
    if set.is_empty() {
        // It changes nothing, and `RETURNING` gives the row that is there.
        sql.push("\"tenant_id\" = EXCLUDED.\"tenant_id\"");
    }
    sql.set(&set, " = EXCLUDED.").push(" WHERE ").is_the_tenants();
}

/// The table and no value.
impl fmt::Debug for Insert<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Insert").field("table", &self.table).finish_non_exhaustive()
    }
}
