//! One tenant's data, out of what it is kept in and into another: a line of JSON each.
//!
//! ```text
//! {"format":"tenancy-gateway","version":1,"tenant":"…","agents":1,"notes":1}
//! {"agent":{…}}
//! {"note":{…}}
//! {"end":2}
//! ```
//!
//! All of it is in memory at once: it is one tenant's.

#[cfg_attr(unix, path = "transfer/create/unix.rs")]
#[cfg_attr(not(unix), path = "transfer/create/other.rs")]
mod create;
mod export;
mod file;
mod import;
mod progress;

use anyhow::{Result, ensure};
use tenancy::{TenantId, TenantStatus};

use crate::app::Kept;

pub use export::export;
pub use import::import;

/// Where `-` is the standard output or input.
const STANDARD: &str = "-";

/// Whether there is such a tenant, and it is kept in what outlives the process.
async fn check(kept: &Kept, tenant: TenantId) -> Result<()> {
    ensure!(
        kept.agents.store().outlives_the_process(),
        "agents are kept in memory here, which is gone at the end of the process: there is nothing to export, and \
         nowhere to import to"
    );
    let record = kept.tenants.get(tenant).await?;
    let is_there = record.is_some_and(|record| record.status() != TenantStatus::Deleted);
    ensure!(is_there, "there is no tenant {tenant}, or it is deleted");
    Ok(())
}
