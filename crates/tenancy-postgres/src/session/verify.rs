//! Layer 4: verifies that each row belongs to the tenant.
//!
//! A row belongs to the tenant if it has a tenant column, and each of its tenant columns holds the tenant's id. The
//! columns are found by table and number, as the server describes them, and not by name:
//! `SELECT '…'::uuid AS tenant_id` has none, and `SELECT tenant_id AS author` has one. Each table with a `tenant_id`
//! that a row has columns of must return its own. A column that belongs to no table, such as `count(*)`, needs a
//! tenant column beside it.
//!
//! The server names no table for the columns of a `UNION`, and only one of the joined columns for
//! `JOIN … USING (tenant_id)`. For these two, if the text of the statement has them, the column named `tenant_id` is
//! compared.
//!
//! The check finds what a view or a function shows by mistake. It does not find what SQL hides on purpose: a temporary
//! table that was filled from such a view has the `tenant_id` that it was given.

use std::time::{Duration, Instant};

use postgres_types::{Oid, Type};
use quick_cache::sync::Cache;
use tenancy::{TenantId, TenantMismatchError};

use super::text::{has_set_operation, joins_by_tenant};
use crate::error::Error;
use crate::wire::{Column, Connection, Row};

/// The time to live of a column number. `tenant_id` can be dropped and added again with another number.
const AGE: Duration = Duration::from_secs(60);

/// The maximum number of tables in the cache. Each temporary table has a new number.
const TABLES: usize = 4096;

/// Finds the tenant columns of tables. Names are qualified, because the tenant can set the search path.
const LOOK_UP: &str = "SELECT c.oid, a.attnum FROM pg_catalog.pg_class c \
     LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) c.oid \
     AND a.attname OPERATOR(pg_catalog.=) 'tenant_id' AND NOT a.attisdropped \
     WHERE c.oid OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.oid[])";

/// The number of the column `tenant_id` in each known table; `None` for a table without one.
pub(crate) struct TenantColumns(Cache<Oid, Known>);

#[derive(Clone, Copy)]
struct Known {
    since: Instant,
    number: Option<i16>,
}

/// The tenant columns of a result, and the table of each.
type Places = Vec<(Oid, usize)>;

impl TenantColumns {
    pub(crate) fn new() -> Self {
        Self(Cache::new(TABLES))
    }

    /// Verifies the rows of a statement. A result without tenant columns is rejected even if it has no rows.
    pub(crate) async fn verify(
        &self,
        connection: &mut Connection,
        sql: &str,
        columns: &[Column],
        rows: &[Row],
        tenant: TenantId,
    ) -> Result<(), Error> {
        let places = self.find(connection, sql, columns).await?;
        rows.iter().try_for_each(|row| verify_row(row, &places, tenant))
    }

    /// Returns the tenant columns of a result.
    pub(crate) async fn find(
        &self,
        connection: &mut Connection,
        sql: &str,
        columns: &[Column],
    ) -> Result<Places, Error> {
        if columns.is_empty() {
            return Ok(Places::new());
        }
        self.look_up(connection, columns, false).await?;
        if let Some(places) = self.places(columns) {
            return Ok(places);
        }
        // The table may have been changed.
        self.look_up(connection, columns, true).await?;
        self.places(columns).or_else(|| by_name(sql, columns)).ok_or(Error::MissingTenantColumn)
    }

    async fn look_up(
        &self,
        connection: &mut Connection,
        columns: &[Column],
        again: bool,
    ) -> Result<(), Error> {
        let unknown: Vec<_> = tables(columns)
            .filter(|oid| again || self.get(*oid).is_none())
            .map(|oid| oid.to_string())
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let since = Instant::now();
        let list = format!("{{{}}}", unknown.join(","));
        for row in connection.query(LOOK_UP, &[&list]).await?? {
            self.0.insert(row.try_get(0)?, Known { since, number: row.try_get(1)? });
        }
        Ok(())
    }

    fn get(&self, table: Oid) -> Option<Known> {
        self.0.get(&table).filter(|known| known.since.elapsed() < AGE)
    }

    /// Returns `None` if the result lacks the tenant column of one of its tables, or has no tenant column.
    fn places(&self, columns: &[Column]) -> Option<Places> {
        let mut places = Places::new();
        let mut last = None;
        for oid in tables(columns) {
            if last == Some(oid) || places.iter().any(|(table, _)| *table == oid) {
                continue;
            }
            last = Some(oid);
            let Some(number) = self.get(oid)?.number else { continue };
            let is_it = |column: &Column| {
                column.table_oid() == Some(oid)
                    && column.column_id() == Some(number)
                    && *column.type_() == Type::UUID
            };
            let before = places.len();
            places.extend(columns.iter().enumerate().filter(|(_, c)| is_it(c)).map(|(at, _)| (oid, at)));
            if places.len() == before {
                return None;
            }
        }
        (!places.is_empty()).then_some(places)
    }
}

fn tables(columns: &[Column]) -> impl Iterator<Item = Oid> {
    columns.iter().filter_map(Column::table_oid)
}

/// Returns the columns named `tenant_id`, if the server cannot report the tables of the statement's columns.
fn by_name(sql: &str, columns: &[Column]) -> Option<Places> {
    let is_of_set = columns.iter().all(|column| column.table_oid().is_none()) && has_set_operation(sql);
    if !is_of_set && !joins_by_tenant(sql) {
        return None;
    }
    let is_it = |column: &Column| column.name() == "tenant_id" && *column.type_() == Type::UUID;
    let places: Places = columns
        .iter()
        .enumerate()
        .filter(|(_, column)| is_it(column))
        .map(|(at, column)| (column.table_oid().unwrap_or_default(), at))
        .collect();
    (!places.is_empty()).then_some(places)
}

pub(crate) fn verify_row(row: &Row, places: &[(Oid, usize)], tenant: TenantId) -> Result<(), Error> {
    let mut is_verified = false;
    let mut has_null = false;
    for &(_, at) in places {
        match row.raw(at) {
            Some(found) if found == tenant.as_bytes() => is_verified = true,
            Some(found) => return Err(mismatch(tenant, found)),
            None => has_null = true,
        }
    }
    // The side of an outer join that has no row is null as a whole. A table may be joined with itself.
    if has_null {
        let of_table = |oid: Oid| places.iter().filter(move |(table, _)| *table == oid);
        is_verified &= places
            .iter()
            .all(|&(oid, _)| of_table(oid).any(|&(_, at)| row.raw(at).is_some()) || is_null(row, oid));
    }
    if is_verified { Ok(()) } else { Err(Error::MissingTenantColumn) }
}

fn mismatch(tenant: TenantId, found: &[u8]) -> Error {
    let found = <[u8; 16]>::try_from(found).ok().and_then(|found| TenantId::from_bytes(found).ok());
    match found {
        Some(found) => TenantMismatchError::new(tenant, found).into(),
        // The nil id and the id of all ones do not belong to a tenant.
        None => Error::MissingTenantColumn,
    }
}

fn is_null(row: &Row, oid: Oid) -> bool {
    let of_table = |column: &Column| column.table_oid() == Some(oid);
    row.columns()
        .iter()
        .enumerate()
        .filter(|(_, column)| of_table(column))
        .all(|(at, _)| row.raw(at).is_none())
}
