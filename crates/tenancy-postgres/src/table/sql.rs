//! A statement's text and its parameters.
//!
//! Text is added that is in the program, or an [`Identifier`]: a value has no way into it.

use std::error::Error;
use std::fmt;

use bytes::BytesMut;
use tenancy::TenantId;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};

use super::name::{Columns, Identifier, TableName};

/// A statement on a table as it is sent.
///
/// ```no_run
/// # async fn example(db: &tenancy_postgres::TenantDb, tenant: tenancy::TenantId) -> Result<(), tenancy_postgres::Error> {
/// let sql = db.table("notes").delete().eq("id", 7).to_sql(tenant)?;
/// assert_eq!(sql.text(), r#"DELETE FROM "notes" AS t$ WHERE t$."tenant_id" OPERATOR(pg_catalog.=) $1::pg_catalog.uuid AND "id" = $2"#);
/// assert_eq!(sql.params().len(), 2);
/// # Ok(())
/// # }
/// ```
pub struct TableSql {
    tenant: TenantId,
    text: String,
    pub(super) params: Vec<Param>,
    pub(super) gives_rows: bool,
    pub(super) writes: bool,
}

impl TableSql {
    /// The statement. Its parameters are numbered, and the first is the tenant's id.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The values, for any method of `tokio-postgres` that takes some.
    pub fn params(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.params.iter().map(|param| param as _).collect()
    }

    /// Whose rows it means.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    pub(super) fn new(tenant: TenantId) -> Self {
        let params = vec![Param(tenant.to_string())];
        Self { tenant, text: String::new(), params, gives_rows: false, writes: false }
    }

    pub(super) fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    pub(super) fn name(&mut self, name: &Identifier) -> &mut Self {
        self.text.push('"');
        self.text.push_str(name.as_str());
        self.push("\"")
    }

    pub(super) fn table(&mut self, name: &TableName) -> &mut Self {
        if let Some(schema) = &name.schema {
            self.name(schema).push(".");
        }
        self.name(&name.table)
    }

    /// Names, each with a text before it.
    pub(super) fn each(&mut self, before: &'static str, names: &[Identifier]) -> &mut Self {
        for name in names {
            self.push(before).name(name);
        }
        self
    }

    /// Names with commas between them, each with a text before it.
    pub(super) fn names(&mut self, before: &'static str, names: &[Identifier]) -> &mut Self {
        for (at, name) in names.iter().enumerate() {
            self.push(if at == 0 { "" } else { ", " }).push(before).name(name);
        }
        self
    }

    /// Columns that get the value of the same name from elsewhere.
    pub(super) fn set(&mut self, names: &[Identifier], from: &'static str) -> &mut Self {
        for (at, name) in names.iter().enumerate() {
            self.push(if at == 0 { "" } else { ", " }).name(name).push(from).name(name);
        }
        self
    }

    pub(super) fn value(&mut self, param: Param) -> &mut Self {
        self.params.push(param);
        self.text.push('$');
        self.text.push_str(&self.params.len().to_string());
        self
    }

    pub(super) fn tenant_id(&mut self) -> &mut Self {
        self.push("$1::pg_catalog.uuid")
    }

    /// The operator is the catalog's, whatever the search path has.
    pub(super) fn is_the_tenants(&mut self) -> &mut Self {
        self.push("t$.\"tenant_id\" OPERATOR(pg_catalog.=) ").tenant_id()
    }

    /// The tenant column of the table itself, by which the row is verified, and beside it the row.
    ///
    /// A column stands alone: `t$.name` would call a function `name` where there is no such column. And no column is
    /// named `t$` or `row$`, so that neither is taken for the other.
    pub(super) fn row(&mut self, columns: &Columns) -> &mut Self {
        self.gives_rows = true;
        self.push("t$.\"tenant_id\", ");
        match columns {
            Columns::All => {
                self.push("(pg_catalog.to_jsonb(t$.*) OPERATOR(pg_catalog.-) 'tenant_id'::pg_catalog.text)")
            }
            Columns::Listed(columns) => self
                .push("(SELECT pg_catalog.to_jsonb(r$.*) FROM (SELECT ")
                .names("", columns)
                .push(") AS r$)"),
        }
        .push("::pg_catalog.text AS row$")
    }
}

/// The text, and how many parameters it has.
impl fmt::Debug for TableSql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableSql")
            .field("tenant", &self.tenant)
            .field("text", &self.text)
            .field("params", &self.params.len())
            .finish_non_exhaustive()
    }
}

/// A value as its text, of which the server makes the type that the statement wants in its place.
pub(super) struct Param(pub(super) String);

impl ToSql for Param {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// Not the value.
impl fmt::Debug for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Param")
    }
}
