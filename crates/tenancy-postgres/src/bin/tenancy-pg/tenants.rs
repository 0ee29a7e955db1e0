//! The commands on tenants.

use serde_json::{Value, json};
use tenancy::{TenantId, TenantRecord, TenantSlug, TenantStatus};
use tenancy_postgres::AdminDb;
use uuid::Builder;

use crate::args::{TenantCommand, TenantRef};
use crate::failure::Failure;
use crate::output::Output;

/// The number of tenants that one statement reads.
const PAGE: u32 = 1000;

pub(crate) async fn run(
    admin: &mut AdminDb,
    command: TenantCommand,
    output: &mut Output,
) -> Result<(), Failure> {
    match command {
        TenantCommand::Create { slug, id } => create(admin, slug, id, output).await,
        TenantCommand::List { after, limit } => list(admin, after, limit, output).await,
        TenantCommand::Suspend { tenant } => set(admin, tenant, TenantStatus::Suspended, output).await,
        TenantCommand::Resume { tenant } => set(admin, tenant, TenantStatus::Active, output).await,
        TenantCommand::Delete { tenant } => set(admin, tenant, TenantStatus::Deleted, output).await,
    }
}

async fn create(
    admin: &mut AdminDb,
    slug: TenantSlug,
    id: Option<TenantId>,
    output: &mut Output,
) -> Result<(), Failure> {
    let id = match id {
        Some(id) => id,
        None => random()?,
    };
    let tenant = TenantRecord::new(id, slug, TenantStatus::Active);
    admin.tenants().create(&tenant).await?;
    output.document([id], || document(&tenant))
}

async fn list(
    admin: &mut AdminDb,
    mut after: Option<TenantId>,
    limit: Option<u64>,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut left = limit.unwrap_or(u64::MAX);
    while left > 0 {
        let most = u32::try_from(left).unwrap_or(PAGE).min(PAGE);
        let page = admin.tenants().list(after, most).await?;
        output.each(&page, line, document)?;
        let Some(last) = page.last().filter(|_| page.len() == most as usize) else { break };
        after = Some(last.id());
        left -= page.len() as u64;
    }
    Ok(())
}

async fn set(
    admin: &mut AdminDb,
    tenant: TenantRef,
    status: TenantStatus,
    output: &mut Output,
) -> Result<(), Failure> {
    let found = match tenant {
        TenantRef::Id(id) => admin.tenants().get(id).await?,
        TenantRef::Slug(slug) => admin.tenants().by_slug(slug).await?,
    };
    let found = found.ok_or_else(|| Failure::Server("the tenant does not exist".to_owned()))?;
    admin.tenants().set_status(found.id(), status).await?;
    let tenant = found.with_status(status);
    output.document([line(&tenant)], || document(&tenant))
}

fn random() -> Result<TenantId, Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::Usage(format!("cannot get random bytes: {error}")))?;
    // The version bits exclude the nil UUID and the one of all ones.
    let id = Builder::from_random_bytes(bytes).into_uuid();
    id.try_into().map_err(|_| Failure::Usage("cannot create an id".to_owned()))
}

fn line(tenant: &TenantRecord) -> String {
    format!("{} {} {}", tenant.id(), tenant.slug(), tenant.status().as_str())
}

fn document(tenant: &TenantRecord) -> Value {
    json!({
        "id": tenant.id().to_string(),
        "slug": tenant.slug().as_str(),
        "status": tenant.status().as_str(),
    })
}
