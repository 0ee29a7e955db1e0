//! In.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result};
use tenancy::{TenantContext, TenantError, TenantFutureExt, TenantId};
use tenancy_agents::{Agent, AgentError, Approval};

use super::file::File;
use super::progress::Progress;
use super::{STANDARD, check};
use crate::app::Kept;
use crate::notes::Note;

/// How many were put back, and how many were there.
#[derive(Clone, Copy, Default)]
struct Sum {
    agents: usize,
    notes: usize,
    were_there: usize,
}

/// Puts back what was exported of a tenant. The whole file is checked first. What is there already, and the same, stays.
///
/// # Errors
///
/// Where there is no such tenant, or the file is not one of its own and whole, or what it is kept in does not take a
/// line of it: then which, and how much was put back before it.
pub async fn import(kept: &Kept, tenant: TenantId, from: &Path) -> Result<()> {
    check(kept, tenant).await?;
    let text = read(from).with_context(|| format!("can't read {}", from.display()))?;
    let file = File::read(&text, tenant).with_context(|| from.display().to_string())?;
    drop(text);
    let mut progress = Progress::new("imported", Some(file.agents.len() + file.notes.len()));
    let mut sum = Sum::default();
    let done = put(kept, &file, &mut sum, &mut progress).await;
    done.with_context(|| format!("not all was imported: {}", sum.told()))?;
    progress.end(&format!("imported {}", sum.told()));
    Ok(())
}

async fn put(kept: &Kept, file: &File, sum: &mut Sum, progress: &mut Progress) -> Result<()> {
    for (place, agent) in file.agents.iter().enumerate() {
        let is_new = agent_back(kept, file.tenant, agent).await;
        let is_new = is_new.with_context(|| format!("line {}", File::line_of_agent(place)))?;
        *if is_new { &mut sum.agents } else { &mut sum.were_there } += 1;
        progress.step();
    }
    for (place, note) in file.notes.iter().enumerate() {
        let is_new = note_back(kept, file.tenant, note).await;
        let is_new = is_new.with_context(|| format!("line {}", file.line_of_note(place)))?;
        *if is_new { &mut sum.notes } else { &mut sum.were_there } += 1;
        progress.step();
    }
    Ok(())
}

/// The state that it comes in may be one that the platform gave: who can run this program on what it keeps is the
/// platform.
async fn agent_back(kept: &Kept, tenant: TenantId, agent: &Agent) -> Result<bool> {
    let approval: Result<Approval, TenantError> =
        TenantContext::scope(TenantId::PLATFORM, || Approval::grant(tenant, agent.id));
    let restored = kept.agents.restore(agent, &approval?).in_tenant(tenant).await;
    restored.map_err(|error| match error {
        AgentError::NameTaken => anyhow::anyhow!("the tenant has another agent of this id, or of this name"),
        error => error.into(),
    })
}

async fn note_back(kept: &Kept, tenant: TenantId, note: &Note) -> Result<bool> {
    let restored = async { kept.notes.restore(note.clone()).await }.in_tenant(tenant).await;
    Ok(restored?)
}

fn read(from: &Path) -> io::Result<String> {
    if from == Path::new(STANDARD) {
        let mut text = String::new();
        return io::stdin().lock().read_to_string(&mut text).map(|_| text);
    }
    fs::read_to_string(from)
}

impl Sum {
    fn told(self) -> String {
        let Self { agents, notes, were_there } = self;
        format!("{agents} agents and {notes} notes; {were_there} were there already")
    }
}
