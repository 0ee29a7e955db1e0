//! The command `import`.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result};
use tenancy::{TenantContext, TenantError, TenantFutureExt, TenantId};
use tenancy_agents::{Agent, AgentError, Approval};

use super::file::File;
use super::progress::Progress;
use super::{STANDARD, check};
use crate::backends::Stores;
use crate::notes::Note;

/// The numbers of imported records, and of those that existed.
#[derive(Clone, Copy, Default)]
struct Sum {
    agents: usize,
    notes: usize,
    existing: usize,
}

/// Imports an export of a tenant. The whole file is checked first. Records that exist with the same content are kept.
///
/// # Errors
///
/// If the tenant does not exist, if the file is not a complete export of it, or if the store rejects a record: the line,
/// and the number of records that were imported before.
pub async fn import(stores: &Stores, tenant: TenantId, from: &Path) -> Result<()> {
    check(stores, tenant).await?;
    let text = read(from).with_context(|| format!("cannot read {}", from.display()))?;
    let file = File::read(&text, tenant).with_context(|| from.display().to_string())?;
    drop(text);
    let mut progress = Progress::new("imported", Some(file.agents.len() + file.notes.len()));
    let mut sum = Sum::default();
    let done = put(stores, &file, &mut sum, &mut progress).await;
    done.with_context(|| format!("not all was imported: {}", sum.to_text()))?;
    progress.end(&format!("imported {}", sum.to_text()));
    Ok(())
}

async fn put(stores: &Stores, file: &File, sum: &mut Sum, progress: &mut Progress) -> Result<()> {
    for (place, agent) in file.agents.iter().enumerate() {
        let is_new = import_agent(stores, file.tenant, agent).await;
        let is_new = is_new.with_context(|| format!("line {}", File::line_of_agent(place)))?;
        *if is_new { &mut sum.agents } else { &mut sum.existing } += 1;
        progress.step();
    }
    for (place, note) in file.notes.iter().enumerate() {
        let is_new = import_note(stores, file.tenant, note).await;
        let is_new = is_new.with_context(|| format!("line {}", file.line_of_note(place)))?;
        *if is_new { &mut sum.notes } else { &mut sum.existing } += 1;
        progress.step();
    }
    Ok(())
}

/// Imports an agent. Its status may be a decision of the platform. The operator who runs this command acts for the
/// platform.
async fn import_agent(stores: &Stores, tenant: TenantId, agent: &Agent) -> Result<bool> {
    let approval: Result<Approval, TenantError> =
        TenantContext::scope(TenantId::PLATFORM, || Approval::grant(tenant, agent.id));
    let restored = stores.agents.restore(agent, &approval?).in_tenant(tenant).await;
    restored.map_err(|error| match error {
        AgentError::NameTaken => anyhow::anyhow!("the tenant has another agent with this id or name"),
        error => error.into(),
    })
}

async fn import_note(stores: &Stores, tenant: TenantId, note: &Note) -> Result<bool> {
    let restored = async { stores.notes.restore(note.clone()).await }.in_tenant(tenant).await;
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
    fn to_text(self) -> String {
        let Self { agents, notes, existing } = self;
        format!("{agents} agents and {notes} notes; {existing} were there already")
    }
}
