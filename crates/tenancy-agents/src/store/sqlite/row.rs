//! An agent as a row.

use std::string::String;
use std::sync::LazyLock;
use std::vec;
use std::vec::Vec;

use rusqlite::types::ToSqlOutput;
use rusqlite::{OptionalExtension, Row, params, params_from_iter};
use tenancy::TenantId;
use tenancy_sqlite::{Error, TenantReader, TenantTx};
use uuid::Uuid;

use super::column::{BoxError, Column};
use super::error::Failed;
use crate::agent::{Agent, AgentContent, AgentName, Capabilities, Tier};
use crate::card::Card;
use crate::clock::UnixMillis;
use crate::error::{AgentError, StoreError};
use crate::fields::content_fields;
use crate::id::AgentId;
use crate::status::AgentStatus;
use crate::text::{Description, Endpoint, Text};
use crate::visibility::Visibility;

macro_rules! columns {
    ($($(#[$doc:meta])* $field:ident: $type:ty,)+) => {
        /// The columns of an agent. Qualified, because the table of tags has an `id` too.
        pub(super) const COLUMNS: &str = concat!(
            "agents.id, tenant, name, status, revision, created_at, updated_at, last_seen_at"
            $(, ", ", stringify!($field))+
        );

        /// The columns of an agent's content, in the order of [`write_content`].
        const CONTENT: &[&str] = &[$(stringify!($field)),+];

        /// Reads the columns from `place` on. They are found by their places, since to search each row for a name takes
        /// longer than all else.
        fn read_content(row: &Row<'_>, mut place: usize) -> Result<AgentContent, BoxError> {
            let mut next = || {
                place += 1;
                row.get_ref(place - 1)
            };
            Ok(AgentContent { $($field: <$type as Column>::read(next()?)?),+ })
        }

        fn write_content(content: &AgentContent) -> Vec<ToSqlOutput<'_>> {
            vec![$(Column::write(&content.$field)),+]
        }
    };
}

content_fields!(columns);

/// The agent of a row of a tenant's file.
pub(super) fn read(row: &Row<'_>, tenant: TenantId) -> Result<Agent, Failed> {
    let read = read_parts(row).map_err(|error| Failed::Answer(StoreError::new(error).into()))?;
    if read.tenant == tenant { Ok(read) } else { Err(Failed::Answer(StoreError::new(FOREIGN).into())) }
}

const FOREIGN: &str = "a tenant's file has an agent of another: it was put under a name that is not its own";

/// No value of the row is in the errors: they are those of a parser, and of SQLite.
fn read_parts(row: &Row<'_>) -> Result<Agent, BoxError> {
    let text = |place: usize| Ok::<_, rusqlite::Error>(row.get_ref(place)?.as_str()?);
    let time = |place: usize| row.get::<_, i64>(place).map(|millis| UnixMillis(millis.unsigned_abs()));
    let seen = row.get::<_, Option<i64>>(7)?;
    Ok(Agent {
        id: AgentId::from_uuid(Uuid::from_bytes(row.get(0)?)),
        tenant: TenantId::from_bytes(row.get(1)?)?,
        name: AgentName::parse(text(2)?)?,
        status: AgentStatus::from_name(text(3)?).ok_or("no such status")?,
        revision: row.get::<_, i64>(4)?.unsigned_abs(),
        created_at: time(5)?,
        updated_at: time(6)?,
        last_seen_at: seen.map(|millis| UnixMillis(millis.unsigned_abs())),
        content: read_content(row, 8)?,
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
    static INSERT: LazyLock<String> = LazyLock::new(|| {
        let content = CONTENT.join(", ");
        let values: Vec<String> = (9..9 + CONTENT.len()).map(|number| std::format!("?{number}")).collect();
        let values = values.join(", ");
        std::format!(
            "INSERT INTO agents (id, tenant, name, status, revision, created_at, updated_at, last_seen_at, {content}) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, {values})"
        )
    });
    let id = agent.id.as_uuid();
    let mut values = vec![
        ToSqlOutput::from(&id.as_bytes()[..]),
        ToSqlOutput::from(&agent.tenant.as_bytes()[..]),
        ToSqlOutput::from(agent.name.as_str()),
        ToSqlOutput::from(agent.status.as_str()),
        ToSqlOutput::from(whole(agent.revision)?),
        ToSqlOutput::from(millis(agent.created_at)?),
        ToSqlOutput::from(millis(agent.updated_at)?),
        ToSqlOutput::Owned(agent.last_seen_at.map(millis).transpose()?.into()),
    ];
    values.extend(write_content(&agent.content));
    tx.execute(&INSERT, params_from_iter(values))?;
    write_tags(tx, agent)
}

/// Replaces the agent with the same id if its revision is `revision`.
pub(super) fn replace(tx: &TenantTx<'_>, agent: &Agent, revision: i64) -> Result<bool, Failed> {
    static UPDATE: LazyLock<String> = LazyLock::new(|| {
        let numbered = CONTENT.iter().zip(6..);
        let content: Vec<String> =
            numbered.map(|(column, number)| std::format!("{column} = ?{number}")).collect();
        let content = content.join(", ");
        std::format!(
            "UPDATE agents SET status = ?3, revision = ?4, updated_at = ?5, {content} WHERE id = ?1 AND revision = ?2"
        )
    });
    let id = agent.id.as_uuid();
    let mut values = vec![
        ToSqlOutput::from(&id.as_bytes()[..]),
        ToSqlOutput::from(revision),
        ToSqlOutput::from(agent.status.as_str()),
        ToSqlOutput::from(whole(agent.revision)?),
        ToSqlOutput::from(millis(agent.updated_at)?),
    ];
    values.extend(write_content(&agent.content));
    let replaced = tx.execute(&UPDATE, params_from_iter(values))?;
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

pub(super) fn millis(time: UnixMillis) -> Result<i64, AgentError> {
    whole(time.0)
}

pub(super) fn whole(number: u64) -> Result<i64, AgentError> {
    i64::try_from(number).map_err(|error| StoreError::new(error).into())
}
