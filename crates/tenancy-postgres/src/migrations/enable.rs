//! A table becomes its tenants' own.

use tenancy::TenantId;
use tokio_postgres::types::Oid;
use tokio_postgres::{Client, Error};
use uuid::Uuid;

/// Blocks of a table that one statement gives their tenant: 8 MiB, so that no row is locked for long.
const BATCH: i64 = 1024;

/// What makes a table its tenants' own, for [`run`](Self::run) or as [`sql`](Self::sql).
///
/// It is made of [`enable_table`]. The table gets the column `tenant_id uuid NOT NULL DEFAULT tenancy.tenant_id()`,
/// an index that begins with it unless there is one, forced row-level security with its two policies, and the grants
/// of `tenancy_app`: SELECT, INSERT, UPDATE, DELETE, and USAGE of its schema and of its serial columns' sequences.
/// What else `tenancy_app` and PUBLIC were granted on the table goes. Its partitions get the policies and no grants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "it does nothing until it runs"]
pub struct EnableTable<'a> {
    pub(super) name: &'a str,
    backfill: Option<TenantId>,
}

/// Makes a table its tenants' own; it may run twice, and again for each partition that is added.
///
/// The name is one as SQL has it: `orders`, `public.orders`, `public."Order"`.
///
/// ```no_run
/// # async fn example(operator: &tokio_postgres::Client) -> Result<(), tokio_postgres::Error> {
/// use tenancy::{TenantId, tenant_id};
/// use tenancy_postgres::enable_table;
///
/// const FIRST: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
///
/// enable_table("public.orders").backfill(FIRST).run(operator).await?;
/// # Ok(())
/// # }
/// ```
///
/// For another tool that runs migrations there is the SQL. That works in the tool's transaction, and gives no row
/// its tenant:
///
/// ```
/// use tenancy_postgres::enable_table;
///
/// assert_eq!(enable_table("public.orders").sql(), "SELECT tenancy.enable_table('public.orders'::regclass)");
/// ```
pub fn enable_table(name: &str) -> EnableTable<'_> {
    EnableTable { name, backfill: None }
}

impl EnableTable<'_> {
    /// The tenant that rows of today belong to, if they have none. Where they are of several tenants, add the
    /// column by `SELECT tenancy.add_tenant_column('public.orders')`, and fill it, before.
    pub fn backfill(self, tenant: TenantId) -> Self {
        Self { backfill: Some(tenant), ..self }
    }

    /// One statement, for the table's owner.
    pub fn sql(&self) -> String {
        format!("SELECT tenancy.enable_table({}::regclass)", literal(self.name))
    }

    /// Does it, and gives the count of rows that got their tenant.
    ///
    /// The client's user owns the table, and is a superuser or a member of `tenancy_owner`. Rows get their tenant in
    /// batches, a transaction each, so the client is in none. The rest is one statement, which locks the table while
    /// it looks for rows without a tenant and makes the index: for a table that is large and busy, make the index
    /// `CONCURRENTLY` before.
    ///
    /// # Errors
    ///
    /// The server's: `23502` where rows have no tenant and none is given for them, `42804` where the column is
    /// there and no `uuid`, `42809` for what is no table that lasts, or a partition.
    pub async fn run(&self, client: &Client) -> Result<u64, Error> {
        // What the name means is asked once, for the search_path may change.
        let table = client.query_one("SELECT $1::text::regclass::oid", &[&self.name]).await?.get(0);
        client.execute("SELECT tenancy.add_tenant_column($1::oid)", &[&table]).await?;
        let filled = match self.backfill {
            Some(tenant) => fill(client, table, tenant).await?,
            None => 0,
        };
        client.execute("SELECT tenancy.enable_table($1::oid)", &[&table]).await?;
        Ok(filled)
    }
}

async fn fill(client: &Client, table: Oid, tenant: TenantId) -> Result<u64, Error> {
    let nullable = "SELECT FROM pg_catalog.pg_attribute \
        WHERE attrelid = $1 AND attname = 'tenant_id' AND NOT attnotnull";
    if client.query_opt(nullable, &[&table]).await?.is_none() {
        return Ok(0);
    }
    // Each relation that holds rows itself.
    let leaves = "SELECT tenancy.quoted(m), \
            pg_catalog.pg_relation_size(m) / pg_catalog.current_setting('block_size')::bigint + 1 \
        FROM tenancy.family($1::oid) m JOIN pg_catalog.pg_class c ON c.oid = m WHERE c.relkind = 'r'";
    let mut filled = 0;
    for leaf in client.query(leaves, &[&table]).await? {
        filled += fill_leaf(client, leaf.get(0), leaf.get(1), Uuid::from(tenant)).await?;
    }
    Ok(filled)
}

/// By ranges of blocks, each read once; rows of before stand before where an update puts their new version.
async fn fill_leaf(client: &Client, quoted: &str, blocks: i64, tenant: Uuid) -> Result<u64, Error> {
    let update = format!(
        "UPDATE ONLY {quoted} SET tenant_id = $1 \
        WHERE tenant_id IS NULL AND ctid >= $2::text::tid AND ctid < $3::text::tid"
    );
    let update = client.prepare(&update).await?;
    let mut filled = 0;
    for first in (0..blocks).step_by(usize::try_from(BATCH).unwrap_or(1)) {
        let (from, to) = (format!("({first},0)"), format!("({},0)", first + BATCH));
        filled += client.execute(&update, &[&tenant, &from, &to]).await?;
    }
    Ok(filled)
}

/// A string as SQL has it, whatever the server's `standard_conforming_strings`.
pub(super) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_within_its_quotes() {
        for (name, quoted) in [
            ("orders", "'orders'"),
            (r#"public."Or'der""#, r#"'public."Or''der"'"#),
            (r"x\'); DROP TABLE y --", r"E'x\\''); DROP TABLE y --'"),
        ] {
            assert_eq!(enable_table(name).sql(), format!("SELECT tenancy.enable_table({quoted}::regclass)"));
        }
    }
}
