//! Calls of functions.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tenancy::TenantId;

use super::execute::Execute;
use super::filters::array;
use super::name::{Identifier, QualifiedName};
use super::run;
use super::sql::{Checked, Param, TableSql};
use crate::error::{Error, TableError};

/// A call of a function of the database, with named arguments.
///
/// ```no_run
/// use serde::Deserialize;
/// use serde_json::json;
///
/// #[derive(Deserialize)]
/// struct Note {
///     id: i64,
///     title: String,
/// }
///
/// # async fn example(db: &tenancy_postgres::TenantDb) -> Result<(), tenancy_postgres::Error> {
/// let found: Vec<Note> = db.rpc("search_notes", json!({ "words": "first" })).rows().await?;
/// let unread: i64 = db.rpc("count_unread", json!({})).read_only().value().await?;
/// # Ok(())
/// # }
/// ```
///
/// # What is verified
///
/// A function runs as its owner wants, so a `SECURITY DEFINER` function may return rows of all tenants. Therefore
/// [`rows`](Self::rows) requires that the result has a column `tenant_id` of type `uuid`, as a function that
/// `RETURNS SETOF notes` has, and compares it in each row. It is found by its name, because a function's result belongs to no
/// table; a function that makes up the column is not detected. [`value`](Self::value) and
/// [`unverified`](Self::unverified) verify nothing.
///
/// # Arguments
///
/// The arguments are an object. A text, number or boolean becomes a value of the parameter's type, a list becomes an
/// array, and an object becomes JSON. For a list in a parameter of type `jsonb`, pass its JSON text. An argument that is
/// left out has its default. A call that matches two overloads is rejected by the server.
#[must_use = "nothing is sent until the result is requested"]
pub struct Rpc<'a> {
    function: &'static str,
    arguments: Result<Value, TableError>,
    is_read_only: bool,
    on: &'a dyn Execute,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    Rows,
    Unverified,
    Value,
}

impl<'a> Rpc<'a> {
    pub(crate) fn new(function: &'static str, arguments: impl Serialize, on: &'a dyn Execute) -> Self {
        let arguments = serde_json::to_value(arguments).map_err(|_| TableError::InvalidValue);
        Self { function, arguments, is_read_only: false, on }
    }

    /// Calls the function in a read-only transaction. On [`TenantDb`](crate::TenantDb) that saves a round trip.
    pub fn read_only(self) -> Self {
        Self { is_read_only: true, ..self }
    }

    /// Returns the rows, without their `tenant_id`.
    ///
    /// # Errors
    ///
    /// - [`Error::Mismatch`] if a row belongs to another tenant.
    /// - [`Error::MissingTenantColumn`] if `tenant_id` of a row is null.
    /// - [`Error::Postgres`] if the result has no column `tenant_id` (`42703`), or the function fails.
    /// - [`Error::Table`] if the call is rejected, or a row is not a `T`.
    /// - The errors of [`TenantDb::tx`](crate::TenantDb::tx).
    pub async fn rows<T: DeserializeOwned>(self) -> Result<Vec<T>, Error> {
        let on = self.on;
        run::rows(on, self.to_sql(on.tenant()?)?, Ok).await
    }

    /// Does not verify that the rows belong to the tenant.
    pub fn unverified(self) -> UnverifiedRpc<'a> {
        UnverifiedRpc(self)
    }

    /// Returns the value of a function that returns one value. It is not verified.
    ///
    /// # Errors
    ///
    /// - [`Error::Postgres`] if the function fails.
    /// - [`Error::Table`] if the call is rejected, the value is not a `T`, or there is not exactly one.
    /// - The errors of [`TenantDb::tx`](crate::TenantDb::tx).
    pub async fn value<T: DeserializeOwned>(self) -> Result<T, Error> {
        let on = self.on;
        let sql = self.write(on.tenant()?, What::Value)?;
        run::rows(on, sql, |rows| run::at_most_one(rows)?.ok_or(TableError::NoRow.into())).await
    }

    /// Returns the statement of [`rows`](Self::rows) for a tenant.
    ///
    /// # Errors
    ///
    /// If the call is rejected.
    pub fn to_sql(self, tenant: TenantId) -> Result<TableSql, TableError> {
        self.write(tenant, What::Rows)
    }

    fn write(self, tenant: TenantId, what: What) -> Result<TableSql, TableError> {
        let name = QualifiedName::parse(self.function)?;
        let mut sql = TableSql::new(tenant);
        sql.calls = true;
        sql.writes = !self.is_read_only;
        match what {
            // The tenant column has no table before it: `r$.tenant_id` could be a call of a function.
            What::Rows => {
                sql.push("SELECT NULL, (pg_catalog.to_jsonb(r$.*) OPERATOR(pg_catalog.-) 'tenant_id'::pg_catalog.text)");
                sql.push("::pg_catalog.text AS row$, \"tenant_id\"");
                sql.checks.push(Checked::Tenant);
            }
            What::Unverified => {
                sql.push("SELECT NULL, pg_catalog.to_jsonb(r$.*)::pg_catalog.text AS row$");
            }
            What::Value => drop(sql.push("SELECT NULL, COALESCE(pg_catalog.to_jsonb(")),
        }
        if what != What::Value {
            sql.push(" FROM (SELECT * FROM ");
        }
        sql.qualified(&name).push("(");
        let Value::Object(arguments) = self.arguments? else { return Err(TableError::InvalidValue) };
        for (at, (name, value)) in arguments.into_iter().enumerate() {
            sql.push(if at == 0 { "" } else { ", " }).name(&Identifier::raw(&name)?).push(" => ");
            write_argument(&mut sql, value)?;
        }
        // The first parameter is always the tenant's id, and each parameter needs a type.
        sql.push(if what == What::Value {
            ")), 'null'::pg_catalog.jsonb)::pg_catalog.text AS row$"
        } else {
            ")) AS r$"
        });
        sql.push(" WHERE ").tenant_id().push(" IS NOT NULL");
        Ok(sql)
    }
}

fn write_argument(sql: &mut TableSql, value: Value) -> Result<(), TableError> {
    let text = match value {
        Value::Null => {
            sql.push("NULL");
            return Ok(());
        }
        Value::Array(values) => array(values.into_iter().map(|value| element(&value)))?,
        value => Param(element(&value)?),
    };
    sql.value(text);
    Ok(())
}

/// Objects and lists inside of a list are JSON.
fn element(value: &Value) -> Result<String, TableError> {
    match value {
        Value::Null => Err(TableError::InvalidValue),
        Value::String(text) => Ok(text.clone()),
        value => Ok(value.to_string()),
    }
}

/// A call of a function with rows that are not verified.
#[must_use = "nothing is sent until the rows are requested"]
pub struct UnverifiedRpc<'a>(Rpc<'a>);

impl UnverifiedRpc<'_> {
    /// Returns the rows, with all their columns.
    ///
    /// # Errors
    ///
    /// The errors of [`Rpc::rows`], except the first two.
    pub async fn rows<T: DeserializeOwned>(self) -> Result<Vec<T>, Error> {
        let on = self.0.on;
        run::rows(on, self.0.write(on.tenant()?, What::Unverified)?, Ok).await
    }
}

/// Shows the function, but no values.
impl fmt::Debug for Rpc<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rpc").field("function", &self.function).finish_non_exhaustive()
    }
}

/// Shows the function, but no values.
impl fmt::Debug for UnverifiedRpc<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UnverifiedRpc").field(&self.0.function).finish()
    }
}
