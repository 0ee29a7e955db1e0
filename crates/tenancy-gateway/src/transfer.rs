//! Export and import of one tenant's data, as lines of JSON.
//!
//! ```text
//! {"format":"tenancy-gateway","version":1,"tenant":"…","agents":1,"notes":1}
//! {"agent":{…}}
//! {"note":{…}}
//! {"end":2}
//! ```
//!
//! The data of the tenant is in memory at once.

mod export;
mod file;
mod import;
mod progress;

use anyhow::{Result, ensure};
use tenancy::{TenantId, TenantStatus};

use crate::backends::Stores;

pub use export::export;
pub use import::import;

/// The file name of the standard output and input.
const STANDARD: &str = "-";

/// Checks that the tenant exists, and that the store outlives the process.
async fn check(stores: &Stores, tenant: TenantId) -> Result<()> {
    ensure!(
        stores.agents.store().outlives_the_process(),
        "data is stored in memory only: there is nothing to export, and nowhere to import to"
    );
    let record = stores.tenants.get(tenant).await?;
    let is_there = record.is_some_and(|record| record.status() != TenantStatus::Deleted);
    ensure!(is_there, "there is no tenant {tenant}, or it is deleted");
    Ok(())
}
