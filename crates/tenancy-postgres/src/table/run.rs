//! Where statements on tables run, and how their rows are read.

use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use tenancy::{TenantContext, TenantId};

use super::Table;
use super::check;
use super::error::TableError;
use super::own_types::{LOOK_UP, OwnTypes, OwnTypesCache};
use super::rpc::Rpc;
use super::sql::TableSql;
use crate::db::TenantDb;
use crate::error::Error;
use crate::session::{Access, Answer, Kind, Param, Statement, TypesOf};
use crate::tx::TenantTx;
use crate::wire::Row;

/// What a table's statement runs on.
pub(crate) trait Execute: Sync {
    /// The tenant of the statements.
    fn tenant(&self) -> Result<TenantId, Error>;

    /// Runs a statement in a transaction of its tenant, and verifies its rows.
    fn execute<'a>(&'a self, sql: &'a TableSql) -> BoxFuture<'a, Result<Answer, Error>>;

    /// Returns the database, if each statement is a transaction of its own.
    fn database(&self) -> Option<&TenantDb>;

    /// Returns the cache of columns with types of their own, and whether it may be filled from here.
    fn own_types(&self) -> BoxFuture<'_, (&OwnTypesCache, bool)>;
}

/// Begins the text of a statement. If it needs the columns with types of their own, the first statement, and one each
/// minute, takes one more round trip.
pub(super) async fn begin(on: &dyn Execute, needs_types: bool) -> Result<TableSql, Error> {
    let tenant = on.tenant()?;
    if !needs_types {
        return Ok(TableSql::new(tenant));
    }
    let (cache, is_filled_here) = on.own_types().await;
    // The search path of a transaction that ran raw SQL may be hostile. Such a transaction does not fill the cache.
    let known = if is_filled_here { cache.get() } else { cache.get_old() };
    if let Some(types) = known {
        return Ok(TableSql::with_own_types(tenant, types));
    }
    let since = Instant::now();
    let mut sql = TableSql::new(tenant);
    sql.push(LOOK_UP);
    let rows = on.execute(&sql).await?.rows.iter().map(row).collect::<Result<Vec<_>, _>>()?;
    let types = Arc::new(OwnTypes::read(&rows));
    if is_filled_here {
        cache.put(since, &types);
    }
    Ok(TableSql::with_own_types(tenant, types))
}

impl TenantDb {
    /// Returns a table. Each of its statements is a transaction of its own, of the tenant that is current when it runs.
    ///
    /// A statement takes one round trip. One that writes and returns rows takes two: it is committed after its rows were
    /// verified and converted.
    pub fn table(&self, name: &'static str) -> Table<'_> {
        Table::new(name, self)
    }

    /// Calls a function of the database: `db.rpc("search_notes", json!({ "words": "first" }))`.
    pub fn rpc(&self, function: &'static str, arguments: impl serde::Serialize) -> Rpc<'_> {
        Rpc::new(function, arguments, self)
    }
}

impl TenantTx<'_> {
    /// Returns a table whose statements are part of this transaction.
    pub fn table(&self, name: &'static str) -> Table<'_> {
        Table::new(name, self)
    }

    /// Calls a function of the database: `db.rpc("search_notes", json!({ "words": "first" }))`.
    pub fn rpc(&self, function: &'static str, arguments: impl serde::Serialize) -> Rpc<'_> {
        Rpc::new(function, arguments, self)
    }
}

impl Execute for TenantDb {
    fn tenant(&self) -> Result<TenantId, Error> {
        Ok(TenantContext::get()?)
    }

    fn execute<'a>(&'a self, sql: &'a TableSql) -> BoxFuture<'a, Result<Answer, Error>> {
        Box::pin(async {
            let access = if sql.writes { Access::ReadWrite } else { Access::ReadOnly };
            let session = self.session(sql.tenant(), access).await?;
            let params = sql.params();
            let answer = session.run_and_commit(Statement::of_table(sql, &params)).await?;
            check::rows(&answer.rows, sql)?;
            Ok(answer)
        })
    }

    fn database(&self) -> Option<&TenantDb> {
        Some(self)
    }

    fn own_types(&self) -> BoxFuture<'_, (&OwnTypesCache, bool)> {
        Box::pin(async { (self.own_types.as_ref(), true) })
    }
}

impl Execute for TenantTx<'_> {
    fn tenant(&self) -> Result<TenantId, Error> {
        Ok(self.tenant())
    }

    fn execute<'a>(&'a self, sql: &'a TableSql) -> BoxFuture<'a, Result<Answer, Error>> {
        Box::pin(async {
            let params = sql.params();
            let mut session = self.session.lock().await;
            let answer = session.run(Statement::of_table(sql, &params)).await?;
            if let Err(error) = check::rows(&answer.rows, sql) {
                session.close();
                return Err(error);
            }
            Ok(answer)
        })
    }

    fn database(&self) -> Option<&TenantDb> {
        None
    }

    fn own_types(&self) -> BoxFuture<'_, (&OwnTypesCache, bool)> {
        Box::pin(async {
            let session = self.session.lock().await;
            (self.own_types, !session.leaves_state())
        })
    }
}

impl<'a> Statement<'a> {
    fn of_table(sql: &'a TableSql, params: &'a [Param<'a>]) -> Self {
        let kind = if sql.writes || sql.calls { Kind::Writes } else { Kind::Reads };
        Self { sql: sql.text(), params, kind, types: TypesOf::Values, verifies: sql.gives_rows }
    }
}

/// Returns what the caller makes of the rows. A statement that writes is not committed if the caller rejects its rows.
pub(super) async fn rows<T: DeserializeOwned, R>(
    on: &dyn Execute,
    sql: TableSql,
    accept: impl FnOnce(Vec<T>) -> Result<R, Error>,
) -> Result<R, Error> {
    let read = |answer: Answer| accept(answer.rows.iter().map(row).collect::<Result<_, _>>()?);
    let Some(db) = on.database().filter(|_| sql.writes) else {
        return on.execute(&sql).await.and_then(read);
    };
    let tx = db.begin_in(sql.tenant()).await?;
    match Execute::execute(&tx, &sql).await.and_then(read) {
        Ok(given) => tx.commit().await.map(|()| given),
        Err(error) => {
            // If the rollback fails, the connection is closed. The first error is the one to report.
            let _ = tx.rollback().await;
            Err(error)
        }
    }
}

/// Returns the rows of a page and, unless there are none, the number of rows on all pages.
pub(super) async fn rows_with_total<T: DeserializeOwned>(
    on: &dyn Execute,
    sql: TableSql,
) -> Result<(Vec<T>, Option<u64>), Error> {
    let answer = on.execute(&sql).await?;
    let total = answer.rows.first().map(|row| row.try_get::<_, i64>(2)).transpose()?;
    Ok((answer.rows.iter().map(row).collect::<Result<_, _>>()?, total.map(i64::unsigned_abs)))
}

pub(super) async fn affected(on: &dyn Execute, sql: TableSql) -> Result<u64, Error> {
    Ok(on.execute(&sql).await?.affected)
}

/// Runs all statements in one transaction, and returns the number of rows that they wrote.
pub(super) async fn affected_by_all(on: &dyn Execute, statements: &[TableSql]) -> Result<u64, Error> {
    all(on, statements, &mut |_| Ok(())).await
}

/// Runs all statements in one transaction, and returns their rows.
pub(super) async fn rows_of_all<T: DeserializeOwned>(
    on: &dyn Execute,
    statements: &[TableSql],
) -> Result<Vec<T>, Error> {
    let mut rows = Vec::new();
    let read = &mut |found: &[Row]| {
        for found in found {
            rows.push(row(found)?);
        }
        Ok(())
    };
    all(on, statements, read).await?;
    Ok(rows)
}

async fn all(
    on: &dyn Execute,
    statements: &[TableSql],
    read: &mut impl FnMut(&[Row]) -> Result<(), Error>,
) -> Result<u64, Error> {
    let Some((first, db)) = statements.first().zip(on.database()) else {
        return each(on, statements, read).await;
    };
    let tx = db.begin_in(first.tenant()).await?;
    match each(&tx, statements, read).await {
        Ok(affected) => tx.commit().await.map(|()| affected),
        Err(error) => {
            // If the rollback fails, the connection is closed. The first error is the one that matters.
            let _ = tx.rollback().await;
            Err(error)
        }
    }
}

async fn each(
    on: &dyn Execute,
    statements: &[TableSql],
    read: &mut impl FnMut(&[Row]) -> Result<(), Error>,
) -> Result<u64, Error> {
    let mut affected = 0;
    for sql in statements {
        let answer = on.execute(sql).await?;
        affected += answer.affected;
        read(&answer.rows)?;
    }
    Ok(affected)
}

pub(super) async fn count(on: &dyn Execute, sql: TableSql) -> Result<u64, Error> {
    let answer = on.execute(&sql).await?;
    let count = answer.rows.first().ok_or(TableError::NoRow)?.try_get::<_, i64>(0)?;
    Ok(count.unsigned_abs())
}

pub(super) fn at_most_one<T>(rows: Vec<T>) -> Result<Option<T>, Error> {
    let mut rows = rows.into_iter();
    match (rows.next(), rows.next()) {
        (_, Some(_)) => Err(TableError::ManyRows.into()),
        (row, None) => Ok(row),
    }
}

/// Converts the row's columns, without its tenant column.
fn row<T: DeserializeOwned>(row: &Row) -> Result<T, Error> {
    let json: &str = row.try_get(1)?;
    serde_json::from_str(json).map_err(|error| TableError::Row(error).into())
}
