//! What is asked for, of one tenant.

use core::fmt::Write;
use std::boxed::Box;
use std::string::String;
use std::vec::Vec;

use tenancy::TenantId;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::agent::{AgentName, Capability};
use crate::id::AgentId;
use crate::query::{Filter, Query};
use crate::status::AgentStatus;

const COLUMNS: &str = "a.tenant_id, a.id, a.name, a.display_name, a.description, a.version, a.tier, a.visibility, \
     a.status, a.capabilities, a.endpoint, a.owner, a.card, a.revision, a.created_at, a.updated_at, a.last_seen_at";

/// The tenant stands beside the count, so that the row is verified as others are.
const COUNT: &str = "a.tenant_id, count(*) AS count";

/// [`Agent::is_shared`](crate::Agent::is_shared): what the column is made of stands in the migration.
const IS_SHARED: &str = " AND a.is_shared";

/// As the index has it, so that this is found by it.
const IS_LIVING: &str = " AND a.status <> 'deleted'";

/// The tenant whose agents are selected.
#[derive(Clone, Copy)]
pub(super) enum TenantFilter {
    /// The tenant's.
    Own(TenantId),
    /// The platform's, and of these what it shares.
    Shared,
}

/// A statement with what stands in it.
pub(super) struct Select {
    pub(super) sql: String,
    pub(super) params: Vec<Box<dyn ToSql + Send + Sync>>,
}

impl Select {
    pub(super) fn by_id(tenants: TenantFilter, id: AgentId) -> Self {
        Self::new(COLUMNS, tenants, None).and("a.id =", id.as_uuid())
    }

    /// Locks the rows until the end of the transaction.
    pub(super) fn locked(self) -> Self {
        self.with(" FOR NO KEY UPDATE")
    }

    pub(super) fn by_name(tenants: TenantFilter, name: &AgentName) -> Self {
        Self::new(COLUMNS, tenants, None).with(IS_LIVING).and("a.name =", String::from(name.as_str()))
    }

    /// Postgres orders UUIDs by their bytes, as Rust does.
    pub(super) fn page(tenants: TenantFilter, Query { filter, after, limit }: &Query) -> Self {
        // Which index it goes along.
        let id = if filter.capability.is_some() { "c.id" } else { "a.id" };
        let mut select = Self::matching(COLUMNS, tenants, filter);
        if let Some(after) = after {
            select = select.with(" AND ").with(id).with(" >").value(after.as_uuid());
        }
        let limit = i64::try_from(*limit).unwrap_or(i64::MAX);
        select.with(" ORDER BY ").with(id).with(" LIMIT").value(limit)
    }

    /// One row, or none where there is nothing.
    pub(super) fn count(tenants: TenantFilter, filter: &Filter) -> Self {
        Self::matching(COUNT, tenants, filter).with(" GROUP BY a.tenant_id")
    }

    /// [`Filter::matches`].
    fn matching(columns: &str, tenants: TenantFilter, filter: &Filter) -> Self {
        let mut select = Self::new(columns, tenants, filter.capability.as_ref());
        select = match filter.status {
            None => select.with(IS_LIVING),
            Some(status) => select.and("a.status =", AgentStatus::as_str(status)),
        };
        if let Some(tier) = filter.tier {
            select = select.and("a.tier =", tier.as_str());
        }
        if let Some(visibility) = filter.visibility {
            select = select.and("a.visibility =", visibility.as_str());
        }
        select
    }

    fn new(columns: &str, tenants: TenantFilter, capability: Option<&Capability>) -> Self {
        let (tenant, is_shared) = match tenants {
            TenantFilter::Own(tenant) => (tenant, ""),
            TenantFilter::Shared => (TenantId::PLATFORM, IS_SHARED),
        };
        let select = Self { sql: String::from("SELECT "), params: Vec::new() };
        let select = select.with(columns).with(" FROM tenancy_agents.agents a");
        let select = match capability {
            None => select.with(" WHERE true"),
            // The tenant twice: neither table is read without.
            Some(tag) => select
                .with(" JOIN tenancy_agents.agent_capabilities c ON c.tenant_id = a.tenant_id AND c.id = a.id WHERE true")
                .and("c.tenant_id =", Uuid::from(tenant))
                .and("c.capability =", String::from(tag.as_str())),
        };
        select.and("a.tenant_id =", Uuid::from(tenant)).with(is_shared)
    }

    fn with(mut self, sql: &str) -> Self {
        self.sql.push_str(sql);
        self
    }

    fn and(self, condition: &str, value: impl ToSql + Send + Sync + 'static) -> Self {
        self.with(" AND ").with(condition).value(value)
    }

    fn value(mut self, value: impl ToSql + Send + Sync + 'static) -> Self {
        self.params.push(Box::new(value));
        // A string takes all that is written to it.
        let _ = write!(self.sql, " ${}", self.params.len());
        self
    }
}
