//! `gateway migrate`: what an operator does to a database, before it is served and after each new version.

use anyhow::{Context, Result, bail};
use tenancy::{TenantRecord, TenantSlug};
use tenancy_postgres::{DirectoryError, SigningKey, TenantsTable, add_key};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

use super::{brief, url};
use crate::secret::Secret;

const NOTES: &str = include_str!("../../sql/notes.sql");

/// Makes the schema `tenancy`, its key, the tables of agents and of notes, and the tenants that are not there yet. It is safe to run
/// again, and tells each step that was done.
///
/// # Errors
///
/// What the server refuses; where the id of the key is another's, or the slug of a tenant.
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
        .with_context(|| format!("can't use the database at {}", url::address(&config)))?;
    tokio::spawn(connection);
    let applied = tenancy_postgres::migrate(&mut client).await.map_err(brief).context("schema tenancy")?;
    tell(match &*applied {
        [] => "schema tenancy: up to date".to_owned(),
        applied => format!("schema tenancy: applied {}", list(applied.iter())),
    });
    give_key(&client, key).await?;
    tell(format!("key {}: known", key.id()));
    tenancy_agents::store::postgres::migrate(&mut client)
        .await
        .map_err(brief)
        .context("schema tenancy_agents")?;
    tell("tables of agents: made, or there".to_owned());
    make_tables(&mut client).await.map_err(brief).context("schema gateway")?;
    tell("tables gateway.notes, each tenant's own, and gateway.store: made, or there".to_owned());
    let added = add_tenants(&client, tenants).await?;
    tell(match &*added {
        [] => "tenants: all there".to_owned(),
        added => format!("tenants: added {}", list(added.iter())),
    });
    Ok(())
}

async fn give_key(client: &Client, key: &SigningKey) -> Result<()> {
    match add_key(client, key).await {
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => {
            bail!("the database knows another key by the id {}: a new key gets a new id", key.id())
        }
        added => added.map_err(brief).context("the key"),
    }
}

async fn make_tables(client: &mut Client) -> Result<(), tokio_postgres::Error> {
    let transaction = client.transaction().await?;
    // Nothing that others may create in `public` stands in for what the SQL names.
    transaction.batch_execute("SET LOCAL search_path = pg_catalog, pg_temp").await?;
    transaction.batch_execute(NOTES).await?;
    transaction.commit().await
}

/// Those that are there stay as they are.
async fn add_tenants(client: &Client, tenants: &[TenantRecord]) -> Result<Vec<TenantSlug>> {
    let (mut table, mut added) = (TenantsTable::new(client), Vec::new());
    for record in tenants {
        let (id, slug) = (record.id(), record.slug());
        if table.get(id).await.context("tenants")?.is_some() {
            continue;
        }
        match table.create(record).await {
            Ok(()) => added.push(slug),
            // Another program was quicker.
            Err(DirectoryError::IdTaken) => {}
            Err(error) => return Err(error).with_context(|| format!("the tenant {id}, {slug}")),
        }
    }
    Ok(added)
}

fn list(items: impl Iterator<Item = impl ToString>) -> String {
    items.map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}
