//! The commands on tables.

use std::time::{Duration, Instant};

use serde_json::json;
use tenancy::TenantId;
use tenancy_postgres::{AdminDb, enable_table};

use crate::failure::Failure;
use crate::output::Output;

/// The shortest time between two progress messages.
const TELL: Duration = Duration::from_secs(1);

pub(crate) async fn enable(
    admin: &mut AdminDb,
    table: &str,
    backfill: Option<TenantId>,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut enable = enable_table(table);
    if let Some(tenant) = backfill {
        enable = enable.backfill(tenant);
    }
    let mut told: Option<Instant> = None;
    let filled = admin.enable_table(enable, |at| {
        if told.is_none_or(|told| told.elapsed() >= TELL) {
            told = Some(Instant::now());
            output.aside(format_args!("{} of about {} rows", at.rows, at.estimated));
        }
    });
    let filled = filled.await?;
    output.document(
        [format!("enabled {table}: {filled} rows backfilled")],
        || json!({ "table": table, "filled": filled }),
    )
}

pub(crate) async fn share(admin: &mut AdminDb, table: &str, output: &mut Output) -> Result<(), Failure> {
    admin.share_table(table).await?;
    output.document([format!("shared {table}")], || json!({ "table": table, "shared": true }))
}
