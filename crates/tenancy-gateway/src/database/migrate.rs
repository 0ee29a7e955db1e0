//! `gateway migrate`, which prepares a database before the first start and after each update.

use anyhow::{Context, Result, bail};
use tenancy::{TenantRecord, TenantSlug};
use tenancy_postgres::{DirectoryError, SigningKey, TenantsTable, add_key};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

use super::{brief, url};
use crate::secret::Secret;

const NOTES: &str = include_str!("../../sql/notes.sql");

/// Creates the schema `tenancy`, its key, the tables of agents and notes, and missing tenants. Reports each step. Safe to
/// run repeatedly.
///
/// # Errors
///
/// If the server refuses a statement, or if the id of the key or the slug of a tenant is in use.
pub async fn migrate(
    admin_url: &Secret,
    key: &SigningKey,
    tenants: &[TenantRecord],
    mut tell: impl FnMut(String),
) -> Result<()> {
    let config = url::parse(admin_url)?;
    let (mut client, connection) = config
        .connect(NoTls)
        .await
        .map_err(brief)
        .with_context(|| format!("cannot use the database at {}", url::address(&config)))?;
    tokio::spawn(connection);
    let applied = tenancy_postgres::migrate(&mut client).await.map_err(brief).context("schema tenancy")?;
    tell(match &*applied {
        [] => "schema tenancy: up to date".to_owned(),
        applied => format!("schema tenancy: applied {}", list(applied.iter())),
    });
    give_key(&client, key).await?;
    tell(format!("key {}: registered", key.id()));
    tenancy_agents::store::postgres::migrate(&mut client)
        .await
        .map_err(brief)
        .context("schema tenancy_agents")?;
    tell("tables of agents: up to date".to_owned());
    make_tables(&mut client).await.map_err(brief).context("schema gateway")?;
    tell("tables gateway.notes and gateway.store: up to date".to_owned());
    let added = add_tenants(&client, tenants).await?;
    tell(match &*added {
        [] => "tenants: up to date".to_owned(),
        added => format!("tenants: added {}", list(added.iter())),
    });
    Ok(())
}

async fn give_key(client: &Client, key: &SigningKey) -> Result<()> {
    match add_key(client, key).await {
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
            bail!("the database has another key with the id {}: a new key needs a new id", key.id())
        }
        added => added.map_err(brief).context("the key"),
    }
}

async fn make_tables(client: &mut Client) -> Result<(), tokio_postgres::Error> {
    let transaction = client.transaction().await?;
    // Objects that others create in `public` must not replace those that the SQL names.
    transaction.batch_execute("SET LOCAL search_path = pg_catalog, pg_temp").await?;
    transaction.batch_execute(NOTES).await?;
    transaction.commit().await
}

/// Adds tenants that do not exist. Existing ones are not changed.
async fn add_tenants(client: &Client, tenants: &[TenantRecord]) -> Result<Vec<TenantSlug>> {
    let (mut table, mut added) = (TenantsTable::new(client), Vec::new());
    for record in tenants {
        let (id, slug) = (record.id(), record.slug());
        if table.get(id).await.context("tenants")?.is_some() {
            continue;
        }
        match table.create(record).await {
            Ok(()) => added.push(slug),
            // Another process added the tenant.
            Err(DirectoryError::IdTaken) => {}
            Err(error) => return Err(error).with_context(|| format!("the tenant {id}, {slug}")),
        }
    }
    Ok(added)
}

fn list(items: impl Iterator<Item = impl ToString>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}
