//! The table of tenants as an operator uses it: each statement is logged in its own transaction.

use tenancy::TenantRecord;

use super::{AdminDb, commit};
use crate::tenants::{Call, Connection, DirectoryError, run_on};

impl Connection for &mut AdminDb {
    async fn run(&mut self, call: Call<'_>) -> Result<Vec<TenantRecord>, DirectoryError> {
        let transaction = self.begin(call.action(), &call.object()).await?;
        let records = run_on(&transaction, call).await?;
        commit(transaction).await?;
        Ok(records)
    }
}
