//! Out.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use tenancy::{TenantFutureExt, TenantId};
use tenancy_agents::{Agent, AgentId, AgentStatus, Filter, Query};

use super::file::File;
use super::progress::Progress;
use super::{STANDARD, check, create};
use crate::app::Kept;
use crate::notes::Note;

/// How many are read at once.
const PAGE: usize = 100;

/// Writes a tenant's own agents, with their tombstones, and its notes. What is changed meanwhile is in it as it was or as
/// it is.
///
/// # Errors
///
/// Where there is no such tenant, or what it is kept in fails, or the file can't be written.
pub async fn export(kept: &Kept, tenant: TenantId, to: &Path) -> Result<()> {
    check(kept, tenant).await?;
    let mut progress = Progress::new("read", None);
    let (agents, notes) = async {
        let agents = agents(kept, tenant, &mut progress).await?;
        Ok::<_, anyhow::Error>((agents, notes(kept, &mut progress).await?))
    }
    .in_tenant(tenant)
    .await?;
    let file = File { tenant, agents, notes };
    write(to, &file.to_text()?).with_context(|| format!("can't write {}", to.display()))?;
    progress.end(&format!("exported {} agents and {} notes", file.agents.len(), file.notes.len()));
    Ok(())
}

/// By their ids: an agent that is deleted between the two lists is there once, as it was last.
async fn agents(kept: &Kept, tenant: TenantId, progress: &mut Progress) -> Result<Vec<Agent>> {
    let mut agents: BTreeMap<AgentId, Agent> = BTreeMap::new();
    for status in [None, Some(AgentStatus::Deleted)] {
        let mut query = Query::first(Filter { status, ..Filter::default() }, PAGE);
        loop {
            let each = |agent: Agent| {
                // What the platform shares is the platform's.
                if agent.tenant == tenant {
                    progress.step();
                    agents.insert(agent.id, agent);
                }
            };
            query.after = kept.agents.list(&query, each).await?;
            if query.after.is_none() {
                break;
            }
        }
    }
    Ok(agents.into_values().collect())
}

async fn notes(kept: &Kept, progress: &mut Progress) -> Result<Vec<Note>> {
    let mut notes: Vec<Note> = Vec::new();
    loop {
        let page = kept.notes.list(notes.last().map(|note| note.id), PAGE).await?;
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
    let mut file = create::new(to)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        // The first error says more than one of the cleaning up.
        let _ = std::fs::remove_file(to);
    }
    written
}
