//! Rows of one statement, in batches.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use postgres_types::{Oid, ToSql};
use tokio::sync::Mutex;

use crate::error::Error;
use crate::session::{Batch, Kind, Session, Statement, TypesOf};
use crate::wire::{Column, Completion, Row};

/// The number of rows that one round trip returns.
const BATCH: i32 = 256;

/// The rows of one statement of a [`TenantTx`](crate::TenantTx), which arrive in batches of 256.
///
/// Each row is verified to belong to the tenant before it is returned. A stream that is dropped before its end costs
/// nothing: the server releases the rest with the transaction.
pub struct RowStream<'b, 'a> {
    session: &'b Mutex<Session<'a>>,
    portal: String,
    columns: Arc<[Column]>,
    places: Vec<(Oid, usize)>,
    rows: VecDeque<Row>,
    is_done: bool,
}

impl<'b, 'a> RowStream<'b, 'a> {
    pub(crate) async fn open(
        session: &'b Mutex<Session<'a>>,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Self, Error> {
        let statement = Statement { sql, params, kind: Kind::Raw, types: TypesOf::Values, verifies: true };
        let mut locked = session.lock().await;
        let portal = locked.portal_name();
        let batch = locked.open_portal(statement, &portal, BATCH).await?;
        let places = locked.places(sql, &batch.columns).await?;
        let mut stream = Self {
            session,
            portal,
            columns: Arc::clone(&batch.columns),
            places,
            rows: VecDeque::new(),
            is_done: false,
        };
        stream.accept(&mut locked, batch)?;
        drop(locked);
        Ok(stream)
    }

    /// Returns the next row; `None` at the end.
    ///
    /// # Errors
    ///
    /// As [`TenantTx::query`](crate::TenantTx::query).
    pub async fn next(&mut self) -> Result<Option<Row>, Error> {
        if self.rows.is_empty() && !self.is_done {
            let mut session = self.session.lock().await;
            let batch = session.fetch(&self.portal, Arc::clone(&self.columns), BATCH).await?;
            self.accept(&mut session, batch)?;
        }
        Ok(self.rows.pop_front())
    }

    fn accept(&mut self, session: &mut Session<'_>, batch: Batch) -> Result<(), Error> {
        self.is_done = batch.completion != Completion::Suspended;
        session.verify(&batch.rows, &self.places).inspect_err(|_| self.is_done = true)?;
        self.rows.extend(batch.rows);
        Ok(())
    }
}

/// Shows the columns: values may be secrets.
impl fmt::Debug for RowStream<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowStream").field("columns", &self.columns).finish_non_exhaustive()
    }
}
