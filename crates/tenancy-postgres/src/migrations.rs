//! The versions of the schema `tenancy`, and the functions for its operator.

mod enable;
mod plain;

use std::time::SystemTime;

use tokio_postgres::{Client, Error, GenericClient, IsolationLevel, Transaction};

pub use self::enable::{EnableTable, Progress, enable_table};
use crate::sign::SigningKey;

/// One version of the schema `tenancy`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Migration {
    /// The version number. Numbers begin with 1 and have no gaps.
    pub version: i32,
    /// A short name.
    pub name: &'static str,
    /// The SQL that applies the version: several statements, for one transaction. It is safe to run repeatedly.
    pub up: &'static str,
    /// The SQL that reverts the version.
    pub down: &'static str,
    /// The SQL that removes what the version keeps for clients of earlier versions, if it keeps anything. See
    /// [`finish`].
    pub finish: Option<&'static str>,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        name: "context",
        up: include_str!("../sql/0001_context.up.sql"),
        down: include_str!("../sql/0001_context.down.sql"),
        finish: None,
    },
    Migration {
        version: 2,
        name: "tables",
        up: include_str!("../sql/0002_tables.up.sql"),
        down: include_str!("../sql/0002_tables.down.sql"),
        finish: None,
    },
    Migration {
        version: 3,
        name: "tenants",
        up: include_str!("../sql/0003_tenants.up.sql"),
        down: include_str!("../sql/0003_tenants.down.sql"),
        finish: None,
    },
    Migration {
        version: 4,
        name: "admin log",
        up: include_str!("../sql/0004_admin_log.up.sql"),
        down: include_str!("../sql/0004_admin_log.down.sql"),
        finish: None,
    },
    Migration {
        version: 5,
        name: "context v2",
        up: include_str!("../sql/0005_context_v2.up.sql"),
        // The versions before restore the functions that this one replaced.
        down: concat!(
            include_str!("../sql/0005_context_v2.down.sql"),
            include_str!("../sql/0001_context.up.sql"),
            include_str!("../sql/0002_tables.up.sql"),
        ),
        finish: Some(include_str!("../sql/0005_context_v2.finish.sql")),
    },
];

/// The defaults of `tenant_id` that `enable_table` set, by version 2 and by version 5, as the server writes them if the
/// search path has only the catalog.
pub(crate) const DEFAULTS: [&str; 2] = [
    "tenancy.tenant_id()",
    "\nCASE\n    WHEN (current_setting('tenancy.context'::text, true) <> ''::text) THEN \
     (substr(current_setting('tenancy.context'::text, true), 1, 32))::uuid\n    ELSE NULL::uuid\nEND",
];

/// The key of the advisory lock that migrations take: the bytes of "tenancy".
const LOCK: i64 = i64::from_be_bytes(*b"\0tenancy");

/// Returns the versions of the schema `tenancy` in ascending order, for other migration tools.
pub fn migrations() -> &'static [Migration] {
    MIGRATIONS
}

/// Applies the pending versions of the schema `tenancy`, and returns them.
///
/// The client's user creates roles and a schema: it is a superuser, or has `CREATEROLE` and the privilege `CREATE` on
/// the database. Each version is applied in one transaction. Several programs may call this at the same time.
///
/// A database that was restored from a dump can lack the roles, their objects and grants, or the rows of
/// `tenancy.minting`. Then all applied versions are applied again, in one transaction, and their numbers are returned
/// too. Grants on enabled tables are restored by [`enable_table`].
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use tenancy_postgres::SigningKey;
/// use tokio_postgres::NoTls;
///
/// let (mut operator, connection) = tokio_postgres::connect("host=127.0.0.1 user=postgres", NoTls).await?;
/// tokio::spawn(connection);
///
/// tenancy_postgres::migrate(&mut operator).await?;
/// tenancy_postgres::add_key(&operator, &SigningKey::new(1, b"an example of a secret, 32 bytes")?).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Returns the server's error. Versions that were applied before it remain applied.
pub async fn migrate(client: &mut Client) -> Result<Vec<i32>, Error> {
    migrate_to(client, i32::MAX).await
}

/// Applies the pending versions up to `to`, and returns them.
pub(crate) async fn migrate_to(client: &mut Client, to: i32) -> Result<Vec<i32>, Error> {
    let mut applied = mend(client).await?;
    for migration in MIGRATIONS.iter().take_while(|migration| migration.version <= to) {
        let transaction = locked(client).await?;
        if is_applied(&transaction, migration.version).await? {
            continue;
        }
        transaction.batch_execute(migration.up).await?;
        let record = "INSERT INTO tenancy.migrations (version, name) VALUES ($1, $2)";
        transaction.execute(record, &[&migration.version, &migration.name]).await?;
        transaction.commit().await?;
        applied.push(migration.version);
    }
    Ok(applied)
}

/// Applies the applied versions again if a restored dump lacks a part of them, and returns their numbers.
async fn mend(client: &mut Client) -> Result<Vec<i32>, Error> {
    let transaction = locked(client).await?;
    let versions = applied(&transaction).await?;
    if versions.is_empty() || is_whole(&transaction).await? {
        return Ok(Vec::new());
    }
    let finished = "SELECT m.version FROM tenancy.migrations m \
        WHERE (pg_catalog.to_jsonb(m) ->> 'finished_at') IS NOT NULL";
    let finished: Vec<i32> = transaction.query(finished, &[]).await?.iter().map(|row| row.get(0)).collect();
    transaction.batch_execute(include_str!("../sql/restored.sql")).await?;
    let is_among = |versions: &[i32], migration: &&Migration| versions.contains(&migration.version);
    for migration in MIGRATIONS.iter().filter(|migration| is_among(&versions, migration)) {
        transaction.batch_execute(migration.up).await?;
    }
    for migration in MIGRATIONS.iter().filter(|migration| is_among(&finished, migration)) {
        transaction.batch_execute(migration.finish.unwrap_or_default()).await?;
    }
    transaction.commit().await?;
    Ok(versions)
}

/// Returns whether roles, owners, grants and secrets are as the applied versions made them.
async fn is_whole(transaction: &Transaction<'_>) -> Result<bool, Error> {
    let owned = "SELECT NOT EXISTS (
            SELECT FROM pg_catalog.unnest(ARRAY['tenancy_owner', 'tenancy_app', 'tenancy_shared']) AS role
            WHERE pg_catalog.to_regrole(role) IS NULL
        ) AND NOT EXISTS (
            SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname = 'tenancy' AND (
                n.nspowner <> pg_catalog.to_regrole('tenancy_owner')::oid
                OR NOT EXISTS (
                    SELECT FROM pg_catalog.aclexplode(n.nspacl) AS granted
                    WHERE granted.grantee = pg_catalog.to_regrole('tenancy_app')::oid
                )
                OR EXISTS (
                    SELECT FROM pg_catalog.pg_proc p
                    WHERE p.pronamespace = n.oid AND p.proowner <> pg_catalog.to_regrole('tenancy_owner')::oid
                )
                OR EXISTS (
                    SELECT FROM pg_catalog.pg_class c
                    WHERE c.relnamespace = n.oid AND c.relowner <> pg_catalog.to_regrole('tenancy_owner')::oid
                )
            )
        )";
    if !transaction.query_one(owned, &[]).await?.get::<_, bool>(0) {
        return Ok(false);
    }
    if is_there(transaction, "minting").await? {
        let minting = transaction.query_opt("SELECT FROM tenancy.minting", &[]).await?;
        if minting.is_none() {
            return Ok(false);
        }
    }
    if is_there(transaction, "secrets").await? && is_there(transaction, "keys").await? {
        let missing = "SELECT NOT EXISTS (SELECT FROM tenancy.keys k \
            WHERE NOT EXISTS (SELECT FROM tenancy.secrets s WHERE s.id = k.id))";
        return Ok(transaction.query_one(missing, &[]).await?.get(0));
    }
    Ok(true)
}

/// Reverts all versions after `to`, the newest first, and returns them. With 0 it reverts all versions.
///
/// Reverting version 5 removes context v2: stop its clients first. Clients of context v1 continue to work. It waits at
/// most five seconds for open transactions of clients. Enabled tables keep their column default, which works with both
/// contexts. After [`finish`] the database has no keys of context v1, so add the keys again with [`add_key`].
///
/// # Errors
///
/// Returns the server's error. Version 1 cannot be reverted while a policy or a default of a table calls
/// `tenancy.tenant_id()`.
pub async fn revert(client: &mut Client, to: i32) -> Result<Vec<i32>, Error> {
    let mut reverted = Vec::new();
    for migration in MIGRATIONS.iter().rev().take_while(|migration| migration.version > to) {
        let transaction = locked(client).await?;
        if !is_applied(&transaction, migration.version).await? {
            continue;
        }
        let record = "DELETE FROM tenancy.migrations WHERE version = $1";
        transaction.execute(record, &[&migration.version]).await?;
        transaction.batch_execute(migration.down).await?;
        transaction.commit().await?;
        reverted.push(migration.version);
    }
    Ok(reverted)
}

/// The result of [`finish`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Finished {
    /// The versions that were finished now.
    pub versions: Vec<i32>,
    /// The tables with a new default of `tenant_id`, by their qualified names.
    pub tables: Vec<String>,
}

/// Removes what the newest version keeps for clients of earlier versions: context v1 with its tables and functions.
///
/// After it, only clients of version 5 can enter a tenant. The keys remain valid. The column `tenant_id` of enabled
/// tables gets the default of version 5, which does not verify the context again; the policy does. The client's user
/// owns these tables or is a superuser.
///
/// Each table is changed in a transaction, and the rest in one more. It is safe to run repeatedly. It waits at most
/// five seconds for transactions that use a table.
///
/// ```no_run
/// # async fn example(operator: &mut tokio_postgres::Client) -> Result<(), tokio_postgres::Error> {
/// let finished = tenancy_postgres::finish(operator).await?;
/// println!("new default: {}", finished.tables.join(", "));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Returns the server's error: `55000` if version 5 is not applied, `55P03` if a table is in use.
pub async fn finish(client: &mut Client) -> Result<Finished, Error> {
    let mut finished = Finished::default();
    for migration in MIGRATIONS {
        let Some(sql) = migration.finish else { continue };
        // Fails before any table is changed.
        let transaction = locked(client).await?;
        transaction.batch_execute(sql).await?;
        transaction.rollback().await?;
        while let Some(table) = change_default(client).await? {
            finished.tables.push(table);
        }
        let transaction = locked(client).await?;
        let record = "SELECT finished_at IS NULL FROM tenancy.migrations WHERE version = $1";
        let is_open = transaction.query_opt(record, &[&migration.version]).await?;
        transaction.batch_execute(sql).await?;
        transaction.commit().await?;
        if is_open.is_some_and(|row| row.get(0)) {
            finished.versions.push(migration.version);
        }
    }
    Ok(finished)
}

/// Changes the default of one table that still has that of version 2, and returns the table's name.
async fn change_default(client: &mut Client) -> Result<Option<String>, Error> {
    let transaction = locked(client).await?;
    let next = "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
        FROM pg_catalog.pg_attrdef d
            JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
            JOIN pg_catalog.pg_class c ON c.oid = d.adrelid
            JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE a.attname = 'tenant_id' AND c.relkind IN ('r', 'p')
            AND pg_catalog.pg_get_expr(d.adbin, d.adrelid) = $1
        ORDER BY 1 LIMIT 1";
    let Some(row) = transaction.query_opt(next, &[&DEFAULTS[0]]).await? else { return Ok(None) };
    let table: String = row.get(0);
    let set = format!("ALTER TABLE ONLY {table} ALTER COLUMN tenant_id SET DEFAULT {}", DEFAULTS[1]);
    transaction.batch_execute(&set).await?;
    transaction.commit().await?;
    Ok(Some(table))
}

/// Returns the ids of the keys with the times at which they retire. An infinite time becomes `None`.
pub(crate) async fn keys(transaction: &Transaction<'_>) -> Result<Vec<(i32, Option<SystemTime>)>, Error> {
    let sql = if is_there(transaction, "secrets").await? {
        "SELECT id, NULLIF(not_after, 'infinity') FROM tenancy.secrets ORDER BY id"
    } else {
        "SELECT id, not_after FROM tenancy.keys ORDER BY id"
    };
    let rows = transaction.query(sql, &[]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Returns whether the schema has the table.
async fn is_there(transaction: &Transaction<'_>, table: &str) -> Result<bool, Error> {
    // Not by `to_regclass`: it can miss what another session committed while this one waited for the lock.
    let sql = "SELECT EXISTS (
        SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'tenancy' AND c.relname = $1)";
    Ok(transaction.query_one(sql, &[&table]).await?.get(0))
}

/// Adds a key to the database, so that the database accepts its signatures.
///
/// Adding the same key again has no effect. The secret is sent over the client's connection as a parameter.
///
/// # Errors
///
/// Returns the server's error: `23505` if another key has the same id.
pub async fn add_key(client: &impl GenericClient, key: &SigningKey) -> Result<(), Error> {
    client.execute("SELECT tenancy.add_key($1, $2)", &[&key.id(), &key.secret()]).await?;
    Ok(())
}

/// Retires a key now. Later signatures of the key are rejected.
///
/// # Errors
///
/// Returns the server's error: `P0002` if the key does not exist.
pub async fn retire_key(client: &Client, id: i32) -> Result<(), Error> {
    client.execute("SELECT tenancy.retire_key($1)", &[&id]).await?;
    Ok(())
}

/// Begins a transaction that excludes concurrent migrations of other programs.
async fn locked(client: &mut Client) -> Result<Transaction<'_>, Error> {
    // Other isolation levels would not see what was committed while the transaction waited for the lock.
    let begin = client.build_transaction().isolation_level(IsolationLevel::ReadCommitted).read_only(false);
    let transaction = begin.start().await?;
    // Otherwise objects that others created in `public` could replace those that the SQL names.
    transaction.batch_execute("SET LOCAL search_path = pg_catalog, pg_temp").await?;
    transaction.execute("SELECT pg_catalog.pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    // A statement that waits for an open transaction makes all later clients wait behind it.
    transaction.batch_execute("SET LOCAL lock_timeout = '5s'").await?;
    Ok(transaction)
}

async fn is_applied(transaction: &Transaction<'_>, version: i32) -> Result<bool, Error> {
    Ok(applied(transaction).await?.contains(&version))
}

/// Returns the applied versions in ascending order.
pub(crate) async fn applied(transaction: &Transaction<'_>) -> Result<Vec<i32>, Error> {
    if !is_there(transaction, "migrations").await? {
        return Ok(Vec::new());
    }
    let rows = transaction.query("SELECT version FROM tenancy.migrations ORDER BY 1", &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_no_gaps() {
        for (version, migration) in (1..).zip(migrations()) {
            assert_eq!(migration.version, version);
        }
    }
}
