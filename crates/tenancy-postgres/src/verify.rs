//! Layer 4: whose each row is.
//!
//! A row is the tenant's if it has a tenant column, and each that it has holds the tenant's id. The columns are found
//! by table and number, as the server describes them, not by name: `SELECT '…'::uuid AS tenant_id` has none, and
//! `SELECT tenant_id AS owner` has one. Each table that a row has columns of, and that has a `tenant_id`, must give it.
//! A column that is no table's, such as `count(*)`, is not a tenant's alone: it needs a tenant column beside it.
//!
//! It finds what a view or a function shows by mistake, not what SQL hides on purpose: a temporary table that was
//! filled from such a view has the `tenant_id` that it was given.

use std::collections::HashMap;
use std::error::Error as StdError;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tenancy::{TenantId, TenantMismatchError};
use tokio_postgres::types::{FromSql, Oid, Type};
use tokio_postgres::{Client, Column, Row};
use uuid::Uuid;

use crate::error::Error;

/// How long a table's answer is kept: `tenant_id` may be dropped and made again under another number.
const KEPT: Duration = Duration::from_secs(60);

/// Temporary tables have ever new numbers: they don't fill the memory.
const LIMIT: usize = 4096;

/// Fully qualified: the search path may be the tenant's.
const LOOK_UP: &str = "SELECT c.oid, a.attnum FROM pg_catalog.pg_class c \
     LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) c.oid \
     AND a.attname OPERATOR(pg_catalog.=) 'tenant_id' AND NOT a.attisdropped \
     WHERE c.oid OPERATOR(pg_catalog.=) ANY ($1)";

/// Where the tables that were met have their `tenant_id`.
#[derive(Debug, Default)]
pub(crate) struct TenantColumns {
    known: Mutex<HashMap<Oid, Known>>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    /// None: the table has no such column.
    number: Option<i16>,
    since: Instant,
}

/// Where the tenant columns of a result are, and of which table each.
type Places = Vec<(Oid, usize)>;

impl TenantColumns {
    /// Whether all rows are the tenant's.
    pub(crate) async fn verify(&self, client: &Client, rows: &[Row], tenant: TenantId) -> Result<(), Error> {
        let Some(first) = rows.first() else { return Ok(()) };
        let columns = first.columns();
        self.look_up(client, columns, false).await?;
        let places = if let Some(places) = self.places(columns) {
            places
        } else {
            // It may have been made anew.
            self.look_up(client, columns, true).await?;
            self.places(columns).ok_or(Error::MissingTenantColumn)?
        };
        rows.iter().try_for_each(|row| verify_row(row, &places, tenant))
    }

    async fn look_up(&self, client: &Client, columns: &[Column], again: bool) -> Result<(), Error> {
        let unknown = self.unknown(columns, again);
        if unknown.is_empty() {
            return Ok(());
        }
        let since = Instant::now();
        let found = client.query_typed(LOOK_UP, &[(&unknown, Type::OID_ARRAY)]).await?;
        let mut known = self.lock();
        if known.len() >= LIMIT {
            known.clear();
        }
        for row in found {
            known.insert(row.try_get(0)?, Known { number: row.try_get(1)?, since });
        }
        Ok(())
    }

    fn unknown(&self, columns: &[Column], again: bool) -> Vec<Oid> {
        let known = self.lock();
        let is_fresh = |oid: &Oid| known.get(oid).is_some_and(|known| known.since.elapsed() < KEPT);
        let mut tables = tables(columns);
        tables.retain(|oid| again || !is_fresh(oid));
        tables
    }

    /// None: a table does not give its own, or there is none.
    fn places(&self, columns: &[Column]) -> Option<Places> {
        let known = self.lock();
        let mut places = Places::new();
        for oid in tables(columns) {
            let Some(number) = known.get(&oid)?.number else { continue };
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

    fn lock(&self) -> MutexGuard<'_, HashMap<Oid, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn tables(columns: &[Column]) -> Vec<Oid> {
    let mut tables: Vec<_> = columns.iter().filter_map(Column::table_oid).collect();
    tables.sort_unstable();
    tables.dedup();
    tables
}

fn verify_row(row: &Row, places: &Places, tenant: TenantId) -> Result<(), Error> {
    let mut verified = Vec::with_capacity(places.len());
    for &(oid, at) in places {
        if let Some(found) = row.try_get::<_, Option<Uuid>>(at)? {
            if found.as_bytes() != tenant.as_bytes() {
                return Err(mismatch(tenant, found));
            }
            verified.push(oid);
        }
    }
    // The side of an outer join that has no row is null as a whole; a table may be joined with itself.
    let is_verified = |oid| verified.contains(&oid) || is_null(row, oid);
    if !verified.is_empty() && places.iter().all(|&(oid, _)| is_verified(oid)) {
        Ok(())
    } else {
        Err(Error::MissingTenantColumn)
    }
}

fn mismatch(tenant: TenantId, found: Uuid) -> Error {
    match found.try_into() {
        Ok(found) => TenantMismatchError::new(tenant, found).into(),
        // Nil and all ones are nobody's.
        Err(_) => Error::MissingTenantColumn,
    }
}

fn is_null(row: &Row, oid: Oid) -> bool {
    row.columns()
        .iter()
        .enumerate()
        .filter(|(_, column)| column.table_oid() == Some(oid))
        .all(|(at, _)| matches!(row.try_get::<_, Option<Present>>(at), Ok(None)))
}

/// A value of any type.
struct Present;

impl<'a> FromSql<'a> for Present {
    fn from_sql(_: &Type, _: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
