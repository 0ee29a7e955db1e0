//! An agent as a row.

use std::boxed::Box;
use std::string::{String, ToString};
use std::vec::Vec;

use rusqlite::{OptionalExtension, Row, params};
use tenancy::TenantId;
use tenancy_sqlite::{Error, TenantReader, TenantTx};
use uuid::Uuid;

use super::error::Failed;
use crate::agent::{Agent, AgentContent, AgentName, Capabilities, Tier};
use crate::card::Card;
use crate::clock::UnixMillis;
use crate::error::{AgentError, StoreError};
use crate::id::AgentId;
use crate::status::AgentStatus;
use crate::text::{Endpoint, Text};
use crate::visibility::Visibility;

pub(super) const COLUMNS: &str = "agents.id, tenant, name, display_name, description, version, tier, visibility, \
     capabilities, endpoint, owner, card, status, revision, created_at, updated_at, last_seen_at";

/// The agent of a row of a tenant's file.
pub(super) fn read(row: &Row<'_>, tenant: TenantId) -> Result<Agent, Failed> {
    let read = read_parts(row).map_err(|error| Failed::Answer(StoreError::new(error).into()))?;
    if read.tenant == tenant { Ok(read) } else { Err(Failed::Answer(StoreError::new(FOREIGN).into())) }
}

const FOREIGN: &str = "a tenant's file has an agent of another: it was put under a name that is not its own";

/// No text of the row is in the errors: they are those of a parser, and of SQLite. The places are those of [`COLUMNS`]:
/// to look for a name in each row takes longer than all else.
fn read_parts(row: &Row<'_>) -> Result<Agent, Box<dyn core::error::Error + Send + Sync>> {
    let text = |place: usize| Ok::<_, rusqlite::Error>(row.get_ref(place)?.as_str()?);
    let card = row.get_ref(11)?.as_str_or_null()?;
    let content = AgentContent {
        display_name: Text::parse(text(3)?)?,
        description: Text::parse(text(4)?)?,
        version: Text::parse(text(5)?)?,
        tier: Tier::from_name(text(6)?).ok_or("no such tier")?,
        visibility: Visibility::from_name(text(7)?).ok_or("no such visibility")?,
        capabilities: Capabilities::parse(text(8)?.split_ascii_whitespace())?,
        endpoint: Endpoint::parse(text(9)?)?,
        owner: Text::parse(text(10)?)?,
        card: card.map(Card::stored).transpose()?,
    };
    let time = |place: usize| row.get::<_, i64>(place).map(|millis| UnixMillis(millis.unsigned_abs()));
    let seen = row.get::<_, Option<i64>>(16)?;
    Ok(Agent {
        id: AgentId::from_uuid(Uuid::from_bytes(row.get(0)?)),
        tenant: TenantId::from_bytes(row.get(1)?)?,
        name: AgentName::parse(text(2)?)?,
        content,
        status: AgentStatus::from_name(text(12)?).ok_or("no such status")?,
        revision: row.get::<_, i64>(13)?.unsigned_abs(),
        created_at: time(14)?,
        updated_at: time(15)?,
        last_seen_at: seen.map(|millis| UnixMillis(millis.unsigned_abs())),
    })
}

/// Returns the agent with this id, if there is one.
pub(super) fn get(reader: &TenantReader<'_>, id: AgentId) -> Result<Option<Agent>, Failed> {
    let sql = std::format!("SELECT {COLUMNS} FROM agents WHERE id = ?1");
    let mut statement = reader.prepare_cached(&sql)?;
    let row = statement.query_row([id.as_uuid().as_bytes()], |row| Ok(read(row, reader.tenant())));
    row.optional().map_err(Error::from)?.transpose()
}

/// Returns the name of the agent with this id, if there is one.
pub(super) fn name(reader: &TenantReader<'_>, id: AgentId) -> Result<Option<AgentName>, Failed> {
    const SQL: &str = "SELECT name FROM agents WHERE id = ?1";
    let names: Vec<String> = reader.query(SQL, [id.as_uuid().as_bytes()], |row| row.get(0))?;
    let name = names.first().map(|name| AgentName::parse(name)).transpose();
    name.map_err(|kind| Failed::Answer(StoreError::new(kind).into()))
}

/// Adds an agent.
pub(super) fn write(tx: &TenantTx<'_>, agent: &Agent) -> Result<(), Failed> {
    let content = &agent.content;
    let seen = agent.last_seen_at.map(millis).transpose()?;
    tx.execute(
        "INSERT INTO agents (id, tenant, name, display_name, description, version, tier, visibility, capabilities, \
         endpoint, owner, card, status, revision, created_at, updated_at, last_seen_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
        params![
            agent.id.as_uuid().as_bytes(),
            agent.tenant.as_bytes(),
            agent.name.as_str(),
            content.display_name.as_str(),
            content.description.as_str(),
            content.version.as_str(),
            content.tier.as_str(),
            content.visibility.as_str(),
            words(&content.capabilities),
            content.endpoint.as_str(),
            content.owner.as_str(),
            content.card.as_ref().map(Card::as_str),
            agent.status.as_str(),
            whole(agent.revision)?,
            millis(agent.created_at)?,
            millis(agent.updated_at)?,
            seen,
        ],
    )?;
    write_tags(tx, agent)
}

/// Puts an agent in the place of the one of its id, if that has the revision.
pub(super) fn replace(tx: &TenantTx<'_>, agent: &Agent, revision: i64) -> Result<bool, Failed> {
    let content = &agent.content;
    let replaced = tx.execute(
        "UPDATE agents SET display_name = ?3, description = ?4, version = ?5, tier = ?6, visibility = ?7, \
         capabilities = ?8, endpoint = ?9, owner = ?10, card = ?11, status = ?12, revision = ?13, updated_at = ?14 \
         WHERE id = ?1 AND revision = ?2",
        params![
            agent.id.as_uuid().as_bytes(),
            revision,
            content.display_name.as_str(),
            content.description.as_str(),
            content.version.as_str(),
            content.tier.as_str(),
            content.visibility.as_str(),
            words(&content.capabilities),
            content.endpoint.as_str(),
            content.owner.as_str(),
            content.card.as_ref().map(Card::as_str),
            agent.status.as_str(),
            whole(agent.revision)?,
            millis(agent.updated_at)?,
        ],
    )?;
    if replaced > 0 {
        tx.execute("DELETE FROM agent_capabilities WHERE id = ?1", [agent.id.as_uuid().as_bytes()])?;
        write_tags(tx, agent)?;
    }
    Ok(replaced > 0)
}

fn write_tags(tx: &TenantTx<'_>, agent: &Agent) -> Result<(), Failed> {
    for tag in agent.content.capabilities.iter() {
        tx.execute(
            "INSERT INTO agent_capabilities (tag, id) VALUES (?1, ?2)",
            params![tag.as_str(), agent.id.as_uuid().as_bytes()],
        )?;
    }
    Ok(())
}

/// No tag has a space in it.
fn words(capabilities: &Capabilities) -> String {
    capabilities.iter().map(|tag| tag.as_str().to_string()).collect::<Vec<_>>().join(" ")
}

pub(super) fn millis(time: UnixMillis) -> Result<i64, AgentError> {
    whole(time.0)
}

pub(super) fn whole(number: u64) -> Result<i64, AgentError> {
    i64::try_from(number).map_err(|error| StoreError::new(error).into())
}
