//! The command `export`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use tenancy::{TenantFutureExt, TenantId};
use tenancy_agents::{Agent, AgentId, AgentStatus, Filter, Query};

use super::file::File;
use super::progress::Progress;
use super::{STANDARD, check};
use crate::backends::Stores;
use crate::notes::Note;

/// The number of records per query.
const PAGE: usize = 100;

/// Writes a tenant's own agents, including deleted ones, and its notes. Concurrent changes may or may not be included.
///
/// # Errors
///
/// If the tenant does not exist, the store fails, or the file cannot be written.
pub async fn export(stores: &Stores, tenant: TenantId, to: &Path) -> Result<()> {
    check(stores, tenant).await?;
    let mut progress = Progress::new("read", None);
    let (agents, notes) = async {
        let agents = agents(stores, tenant, &mut progress).await?;
        Ok::<_, anyhow::Error>((agents, notes(stores, &mut progress).await?))
    }
    .in_tenant(tenant)
    .await?;
    let file = File { tenant, agents, notes };
    write(to, &file.to_text()?).with_context(|| format!("cannot write {}", to.display()))?;
    progress.end(&format!("exported {} agents and {} notes", file.agents.len(), file.notes.len()));
    Ok(())
}

/// Returns agents by id, so that an agent that is deleted between the two queries is included once.
async fn agents(stores: &Stores, tenant: TenantId, progress: &mut Progress) -> Result<Vec<Agent>> {
    let mut agents: BTreeMap<AgentId, Agent> = BTreeMap::new();
    for status in [None, Some(AgentStatus::Deleted)] {
        let mut query = Query::first(Filter { status, ..Filter::default() }, PAGE);
        loop {
            let each = |agent: Agent| {
                // Shared agents belong to the platform.
                if agent.tenant == tenant {
                    progress.step();
                    agents.insert(agent.id, agent);
                }
            };
            query.after = stores.agents.list(&query, each).await?;
            if query.after.is_none() {
                break;
            }
        }
    }
    Ok(agents.into_values().collect())
}

async fn notes(stores: &Stores, progress: &mut Progress) -> Result<Vec<Note>> {
    let mut notes: Vec<Note> = Vec::new();
    loop {
        let page = stores.notes.list(notes.last().map(|note| note.id), PAGE).await?;
        let is_last = page.len() < PAGE;
        for _ in &page {
            progress.step();
        }
        notes.extend(page);
        if is_last {
            return Ok(notes);
        }
    }
}

fn write(to: &Path, text: &str) -> io::Result<()> {
    if to == Path::new(STANDARD) {
        let mut stdout = io::stdout().lock();
        return stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    }
    let mut file = create(to)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        // The first error is more useful than one of the removal.
        let _ = std::fs::remove_file(to);
    }
    written
}

/// Creates a file that only the current user can read. An existing file, which may be a tenant's, is not overwritten.
fn create(path: &Path) -> io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
