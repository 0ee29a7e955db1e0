//! An agent as a row.

use core::fmt;
use std::error::Error;
use std::vec::Vec;

use tenancy::TenantId;
use tenancy_postgres::Row;
use tokio_postgres::types::{FromSql, ToSql};
use uuid::Uuid;

use crate::agent::{Agent, AgentContent, AgentName, Capabilities, Capability, Tier};
use crate::card::Card;
use crate::clock::UnixMillis;
use crate::error::{AgentError, StoreError};
use crate::id::AgentId;
use crate::status::AgentStatus;
use crate::text::{Endpoint, Text};
use crate::visibility::Visibility;

/// An agent, as parameters.
pub(super) struct Record<'a> {
    tenant: Uuid,
    id: Uuid,
    name: &'a str,
    texts: [&'a str; 8],
    capabilities: Vec<&'a str>,
    card: Option<&'a str>,
    revision: i64,
    created_at: i64,
    updated_at: i64,
    last_seen_at: Option<i64>,
}

impl<'a> Record<'a> {
    pub(super) fn of(tenant: TenantId, agent: &'a Agent) -> Result<Self, AgentError> {
        let content = &agent.content;
        Ok(Self {
            tenant: tenant.into(),
            id: agent.id.as_uuid(),
            name: agent.name.as_str(),
            texts: [
                content.display_name.as_str(),
                content.description.as_str(),
                content.version.as_str(),
                content.tier.as_str(),
                content.visibility.as_str(),
                agent.status.as_str(),
                content.endpoint.as_str(),
                content.owner.as_str(),
            ],
            capabilities: content.capabilities.iter().map(Capability::as_str).collect(),
            card: content.card.as_ref().map(Card::as_str),
            revision: bigint(agent.revision)?,
            created_at: bigint(agent.created_at.0)?,
            updated_at: bigint(agent.updated_at.0)?,
            last_seen_at: agent.last_seen_at.map(|at| bigint(at.0)).transpose()?,
        })
    }

    /// As the statement that replaces has them: `$1` to `$14`, and the revision that the agent has now.
    pub(super) fn replaced<'r>(&'r self, now: &'r i64) -> Vec<&'r (dyn ToSql + Sync)> {
        let mut params = self.changing().to_vec();
        params.push(now);
        params
    }

    /// As the one that inserts has them: the same 14, and what does not change after it.
    pub(super) fn inserted(&self) -> Vec<&(dyn ToSql + Sync)> {
        let mut params = self.changing().to_vec();
        params.extend([&self.name as &(dyn ToSql + Sync), &self.created_at, &self.last_seen_at]);
        params
    }

    fn changing(&self) -> [&(dyn ToSql + Sync); 14] {
        let [display_name, description, version, tier, visibility, status, endpoint, owner] = &self.texts;
        let Self { tenant, id, capabilities, card, revision, updated_at, .. } = self;
        [
            tenant,
            id,
            display_name,
            description,
            version,
            tier,
            visibility,
            status,
            capabilities,
            endpoint,
            owner,
            card,
            revision,
            updated_at,
        ]
    }
}

/// The agent of a row.
pub(super) fn agent(row: &Row) -> Result<Agent, AgentError> {
    let content = AgentContent {
        display_name: parsed(row, "display_name", |text| Text::parse(text).ok())?,
        description: parsed(row, "description", |text| Text::parse(text).ok())?,
        version: parsed(row, "version", |text| Text::parse(text).ok())?,
        tier: parsed(row, "tier", Tier::from_name)?,
        visibility: parsed(row, "visibility", Visibility::from_name)?,
        capabilities: parsed(row, "capabilities", |tags: Vec<&str>| Capabilities::parse(tags).ok())?,
        endpoint: parsed(row, "endpoint", |text| Endpoint::parse(text).ok())?,
        owner: parsed(row, "owner", |text| Text::parse(text).ok())?,
        card: optional(row, "card", |text| Card::stored(text).ok())?,
    };
    Ok(Agent {
        id: AgentId::from_uuid(parsed(row, "id", Some)?),
        tenant: parsed(row, "tenant_id", |id: Uuid| TenantId::try_from(id).ok())?,
        name: parsed(row, "name", |text| AgentName::parse(text).ok())?,
        content,
        status: parsed(row, "status", AgentStatus::from_name)?,
        revision: parsed(row, "revision", unsigned)?,
        created_at: parsed(row, "created_at", millis)?,
        updated_at: parsed(row, "updated_at", millis)?,
        last_seen_at: optional(row, "last_seen_at", millis)?,
    })
}

/// The number of a row that counts others.
pub(super) fn count(row: &Row) -> Result<u64, AgentError> {
    parsed(row, "count", unsigned)
}

/// A number as Postgres has it.
pub(super) fn bigint(number: u64) -> Result<i64, AgentError> {
    i64::try_from(number).map_err(|_| StoreError::new("a number that Postgres does not hold").into())
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
    let broken = || AgentError::Store(StoreError::new(BrokenRow { column }));
    row.try_get(column).ok().and_then(parse).ok_or_else(broken)
}

fn optional<'r, F: FromSql<'r>, T>(
    row: &'r Row,
    column: &'static str,
    parse: impl Fn(F) -> Option<T>,
) -> Result<Option<T>, AgentError> {
    parsed(row, column, |value: Option<F>| match value {
        None => Some(None),
        Some(value) => parse(value).map(Some),
    })
}

/// A row that is no agent. Nothing of it is in the error.
#[derive(Debug)]
struct BrokenRow {
    column: &'static str,
}

impl fmt::Display for BrokenRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a row is no agent: its {} is not one", self.column)
    }
}

impl Error for BrokenRow {}
