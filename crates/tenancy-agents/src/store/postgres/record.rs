//! An agent as parameters of statements, and as a row.

use core::fmt;
use std::boxed::Box;
use std::error::Error;
use std::string::String;
use std::sync::LazyLock;
use std::vec;
use std::vec::Vec;

use tenancy::TenantId;
use tenancy_postgres::Row;
use tokio_postgres::types::{FromSql, ToSql};
use uuid::Uuid;

use super::column::Column;
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
        /// The columns of an agent in a table with the alias `a`.
        pub(super) const COLUMNS: &str = concat!(
            "a.id, a.name, a.status, a.revision, a.created_at, a.updated_at, a.last_seen_at"
            $(, ", a.", stringify!($field))+
        );

        /// The columns of an agent's content, in the order of [`write_content`].
        const CONTENT: &[&str] = &[$(stringify!($field)),+];

        fn read_content(row: &Row) -> Result<AgentContent, AgentError> {
            Ok(AgentContent { $($field: parsed(row, stringify!($field), <$type as Column>::read)?),+ })
        }

        fn write_content(content: &AgentContent) -> Vec<Parameter<'_>> {
            vec![$(Box::new(Column::write(&content.$field))),+]
        }
    };
}

content_fields!(columns);

/// A parameter that a statement borrows from an agent.
type Parameter<'a> = Box<dyn ToSql + Sync + Send + 'a>;

/// The parameters of a statement.
pub(super) struct Record<'a>(Vec<Parameter<'a>>);

/// Replaces an agent at a revision, except for its last heartbeat.
pub(super) static REPLACE: LazyLock<String> = LazyLock::new(|| {
    let numbered = CONTENT.iter().zip(7..);
    let content: Vec<String> =
        numbered.map(|(column, number)| std::format!("{column} = ${number}")).collect();
    let content = content.join(", ");
    std::format!(
        "UPDATE tenancy_agents.agents SET status = $4, revision = $5, updated_at = $6, {content} \
         WHERE tenant_id = $1 AND id = $2 AND revision = $3"
    )
});

pub(super) static INSERT: LazyLock<String> = LazyLock::new(|| {
    let content = CONTENT.join(", ");
    let values: Vec<String> = (9..9 + CONTENT.len()).map(|number| std::format!("${number}")).collect();
    let values = values.join(", ");
    std::format!(
        "INSERT INTO tenancy_agents.agents \
         (tenant_id, id, name, status, revision, created_at, updated_at, last_seen_at, {content}) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, {values})"
    )
});

impl<'a> Record<'a> {
    /// Returns the parameters of [`INSERT`].
    pub(super) fn inserted(tenant: TenantId, agent: &'a Agent) -> Result<Self, AgentError> {
        let mut parameters: Vec<Parameter<'a>> = vec![
            Box::new(Uuid::from(tenant)),
            Box::new(agent.id.as_uuid()),
            Box::new(agent.name.as_str()),
            Box::new(agent.status.as_str()),
            Box::new(bigint(agent.revision)?),
            Box::new(bigint(agent.created_at.0)?),
            Box::new(bigint(agent.updated_at.0)?),
            Box::new(agent.last_seen_at.map(|at| bigint(at.0)).transpose()?),
        ];
        parameters.extend(write_content(&agent.content));
        Ok(Self(parameters))
    }

    /// Returns the parameters of [`REPLACE`].
    pub(super) fn replaced(tenant: TenantId, agent: &'a Agent, revision: u64) -> Result<Self, AgentError> {
        let mut parameters: Vec<Parameter<'a>> = vec![
            Box::new(Uuid::from(tenant)),
            Box::new(agent.id.as_uuid()),
            Box::new(bigint(revision)?),
            Box::new(agent.status.as_str()),
            Box::new(bigint(agent.revision)?),
            Box::new(bigint(agent.updated_at.0)?),
        ];
        parameters.extend(write_content(&agent.content));
        Ok(Self(parameters))
    }

    pub(super) fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.0.iter().map(|parameter| &**parameter as _).collect()
    }
}

/// Returns the agent of a row.
pub(super) fn agent(row: &Row) -> Result<Agent, AgentError> {
    Ok(Agent {
        id: AgentId::from_uuid(parsed(row, "id", Some)?),
        tenant: if parsed(row, "of_platform", Some)? {
            TenantId::PLATFORM
        } else {
            parsed(row, "tenant_id", |id: Uuid| TenantId::try_from(id).ok())?
        },
        name: parsed(row, "name", |text| AgentName::parse(text).ok())?,
        content: read_content(row)?,
        status: parsed(row, "status", AgentStatus::from_name)?,
        revision: parsed(row, "revision", unsigned)?,
        created_at: parsed(row, "created_at", millis)?,
        updated_at: parsed(row, "updated_at", millis)?,
        last_seen_at: parsed(row, "last_seen_at", |at: Option<i64>| match at {
            None => Some(None),
            Some(at) => millis(at).map(Some),
        })?,
    })
}

/// Returns the number in a row that counts others.
pub(super) fn count(row: &Row) -> Result<u64, AgentError> {
    parsed(row, "count", unsigned)
}

/// Converts a number to the type of Postgres.
pub(super) fn bigint(number: u64) -> Result<i64, AgentError> {
    i64::try_from(number).map_err(|_| StoreError::new("number exceeds the range of bigint").into())
}

fn unsigned(number: i64) -> Option<u64> {
    number.try_into().ok()
}

fn millis(number: i64) -> Option<UnixMillis> {
    unsigned(number).map(UnixMillis)
}

fn parsed<'r, F: FromSql<'r>, T>(
    row: &'r Row,
    column: &'static str,
    parse: impl Fn(F) -> Option<T>,
) -> Result<T, AgentError> {
    let invalid = || AgentError::Store(StoreError::new(InvalidRow { column }));
    row.try_get(column).ok().and_then(parse).ok_or_else(invalid)
}

/// A row that is not an agent. The error contains no value of the row.
#[derive(Debug)]
struct InvalidRow {
    column: &'static str,
}

impl fmt::Display for InvalidRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid agent row: column `{}`", self.column)
    }
}

impl Error for InvalidRow {}
