//! How statements on tables run, and how their rows are read.

use std::sync::Arc;
use std::time::Instant;

use serde::de::DeserializeOwned;

use super::execute::Execute;
use super::own_types::{LOOK_UP, OwnTypes};
use super::sql::TableSql;
use crate::error::{Error, TableError};
use crate::session::Answer;
use crate::wire::Row;

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

/// Returns what the caller makes of the rows. A statement that writes is not committed if the caller rejects its rows.
pub(super) async fn rows<T: DeserializeOwned, R>(
    on: &dyn Execute,
    sql: TableSql,
    accept: impl FnOnce(Vec<T>) -> Result<R, Error>,
) -> Result<R, Error> {
    let read = |answer: Answer| accept(answer.rows.iter().map(row).collect::<Result<_, _>>()?);
    let Some(begin) = sql.writes.then(|| on.begin(sql.tenant())).flatten() else {
        return on.execute(&sql).await.and_then(read);
    };
    let tx = begin.await?;
    match tx.execute(&sql).await.and_then(read) {
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
    let Some(begin) = statements.first().and_then(|first| on.begin(first.tenant())) else {
        return each(on, statements, read).await;
    };
    let tx = begin.await?;
    match each(&*tx, statements, read).await {
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
