//! Enables tenant isolation for a table.

use tenancy::TenantId;
use tokio_postgres::types::Oid;
use tokio_postgres::{Client, Error};
use uuid::Uuid;

/// The number of blocks that one statement backfills: 8 MiB, so that no row is locked for long.
const BATCH: i64 = 1024;

/// The options of [`enable_table`]. Run them with [`run`](Self::run), or get them as [`sql`](Self::sql).
///
/// The table gets the column `tenant_id uuid NOT NULL` with the current tenant as its default, an index that begins
/// with this column unless one exists, forced row-level security with two policies, and grants for `tenancy_app`:
/// SELECT, INSERT, UPDATE and DELETE on the table, and USAGE on its schema and on the sequences of its serial columns.
/// Other privileges of `tenancy_app` and PUBLIC on the table are revoked. Its partitions get the policies and no
/// grants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a table is not enabled until `run` is called"]
pub struct EnableTable<'a> {
    pub(super) name: &'a str,
    backfill: Option<TenantId>,
}

/// The progress of a backfill.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// The number of rows that were backfilled until now.
    pub rows: u64,
    /// The estimated number of rows at the end, extrapolated from the part of the table that was read.
    pub estimated: u64,
}

/// Enables tenant isolation for a table. It is safe to run repeatedly.
///
/// `name` is the table's name in SQL syntax: `orders`, `public.orders`, `public."Order"`. Run it again after a partition
/// was added.
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
/// Other migration tools can run the SQL. It works in a transaction, and does not backfill rows:
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
    /// Sets the tenant of existing rows that have none.
    ///
    /// If existing rows belong to several tenants, first add the column with
    /// `SELECT tenancy.add_tenant_column('public.orders')` and fill it.
    pub fn backfill(self, tenant: TenantId) -> Self {
        Self { backfill: Some(tenant), ..self }
    }

    pub(crate) fn name(&self) -> &str {
        self.name
    }

    /// Returns one SQL statement, which the table's owner runs.
    pub fn sql(&self) -> String {
        format!("SELECT tenancy.enable_table({}::regclass)", literal(self.name))
    }

    /// Enables the table, and returns the number of backfilled rows.
    ///
    /// The client's user owns the table, and is a superuser or a member of `tenancy_owner`. Rows are backfilled in
    /// batches, one transaction each, so the client must not be in a transaction. The rest is one statement, which
    /// locks the table while it looks for rows without a tenant and creates the index. For a large table that is in
    /// use, create the index `CONCURRENTLY` first.
    ///
    /// # Errors
    ///
    /// Returns the server's error: `23502` if rows have no tenant and none is given for them, `42804` if the column
    /// exists with another type than `uuid`, `42809` for a temporary table, a partition or another relation.
    pub async fn run(&self, client: &Client) -> Result<u64, Error> {
        self.run_with(client, |_| ()).await
    }

    /// Enables the table as [`run`](Self::run) does, and reports the progress after each batch.
    ///
    /// ```no_run
    /// # async fn example(operator: &tokio_postgres::Client) -> Result<(), tokio_postgres::Error> {
    /// use tenancy::TenantId;
    /// use tenancy_postgres::enable_table;
    ///
    /// let enable = enable_table("public.orders").backfill(TenantId::PLATFORM);
    /// enable.run_with(operator, |at| eprintln!("{} of about {} rows", at.rows, at.estimated)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn run_with(&self, client: &Client, progress: impl FnMut(Progress)) -> Result<u64, Error> {
        // The name is resolved once, because the search path may change.
        let table = client.query_one("SELECT $1::text::regclass::oid", &[&self.name]).await?.get(0);
        client.execute("SELECT tenancy.add_tenant_column($1::oid)", &[&table]).await?;
        let filled = match self.backfill {
            Some(tenant) => fill(client, table, tenant, progress).await?,
            None => 0,
        };
        client.execute("SELECT tenancy.enable_table($1::oid)", &[&table]).await?;
        Ok(filled)
    }
}

async fn fill(
    client: &Client,
    table: Oid,
    tenant: TenantId,
    mut progress: impl FnMut(Progress),
) -> Result<u64, Error> {
    // From Postgres 18 on, a NOT NULL constraint can exist without having been validated.
    let nullable = "SELECT FROM pg_catalog.pg_attribute a \
        WHERE attrelid = $1 AND attname = 'tenant_id' AND (NOT attnotnull OR EXISTS ( \
            SELECT FROM pg_catalog.pg_constraint \
            WHERE conrelid = attrelid AND contype = 'n' AND conkey[1] = attnum AND NOT convalidated))";
    if client.query_opt(nullable, &[&table]).await?.is_none() {
        return Ok(0);
    }
    // Each relation that stores rows itself.
    let leaves = "SELECT tenancy.quoted(m), \
            pg_catalog.pg_relation_size(m) / pg_catalog.current_setting('block_size')::bigint + 1 \
        FROM tenancy.family($1::oid) m JOIN pg_catalog.pg_class c ON c.oid = m WHERE c.relkind = 'r'";
    let leaves = client.query(leaves, &[&table]).await?;
    let mut read = Read { blocks: 0, of: leaves.iter().map(|leaf| leaf.get::<_, i64>(1)).sum(), rows: 0 };
    for leaf in leaves {
        fill_leaf(client, leaf.get(0), leaf.get(1), Uuid::from(tenant), |blocks, rows| {
            progress(read.on(blocks, rows));
        })
        .await?;
    }
    Ok(read.rows)
}

/// The part of a table that was read.
struct Read {
    blocks: i64,
    of: i64,
    rows: u64,
}

impl Read {
    fn on(&mut self, blocks: i64, rows: u64) -> Progress {
        self.blocks += blocks;
        self.rows += rows;
        let estimated = i128::from(self.rows) * i128::from(self.of) / i128::from(self.blocks.max(1));
        Progress { rows: self.rows, estimated: u64::try_from(estimated).unwrap_or(self.rows) }
    }
}

/// Backfills one relation by ranges of blocks. Each block is read once, and new row versions are skipped, because they
/// have a tenant.
async fn fill_leaf(
    client: &Client,
    quoted: &str,
    blocks: i64,
    tenant: Uuid,
    mut batch: impl FnMut(i64, u64),
) -> Result<(), Error> {
    let update = format!(
        "UPDATE ONLY {quoted} SET tenant_id = $1 \
        WHERE tenant_id IS NULL AND ctid >= $2::text::tid AND ctid < $3::text::tid"
    );
    let update = client.prepare(&update).await?;
    for first in (0..blocks).step_by(usize::try_from(BATCH).unwrap_or(1)) {
        let (from, to) = (format!("({first},0)"), format!("({},0)", first + BATCH));
        let rows = client.execute(&update, &[&tenant, &from, &to]).await?;
        batch(BATCH.min(blocks - first), rows);
    }
    Ok(())
}

/// Quotes a string for SQL, independently of the server's `standard_conforming_strings`.
pub(super) fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimate_ends_at_the_number_of_rows() {
        let mut read = Read { blocks: 0, of: 40, rows: 0 };
        assert_eq!(read.on(10, 100), Progress { rows: 100, estimated: 400 });
        assert_eq!(read.on(10, 0), Progress { rows: 100, estimated: 200 });
        assert_eq!(read.on(20, 50), Progress { rows: 150, estimated: 150 });
        assert_eq!(read.on(0, 0), Progress { rows: 150, estimated: 150 });
    }

    #[test]
    fn quotes_names() {
        for (name, quoted) in [
            ("orders", "'orders'"),
            (r#"public."Or'der""#, r#"'public."Or''der"'"#),
            (r"x\'); DROP TABLE y --", r"E'x\\''); DROP TABLE y --'"),
        ] {
            assert_eq!(enable_table(name).sql(), format!("SELECT tenancy.enable_table({quoted}::regclass)"));
        }
    }
}
