//! The statements that read.

use core::fmt::Write;
use std::boxed::Box;
use std::string::{String, ToString};
use std::vec::Vec;

use tenancy::TenantId;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::record::COLUMNS;
use crate::agent::{AgentName, Capability};
use crate::id::AgentId;
use crate::query::{Filter, Query};
use crate::status::AgentStatus;

/// The condition of an index, so that the planner uses it.
const IS_LIVING: &str = " AND a.status <> 'deleted'";

/// The table that a part of a statement reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TenantFilter {
    /// The agents of the tenant.
    Own,
    /// The copies of the agents that the platform shares.
    Shared,
}

/// A statement and its parameters.
pub(super) struct Select {
    pub(super) sql: String,
    pub(super) params: Vec<Box<dyn ToSql + Send + Sync>>,
}

impl Select {
    pub(super) fn by_id(tenant: TenantId, id: AgentId) -> Self {
        Self::visible(tenant, |select, table| select.agents(tenant, table, None).and("a.id =", id.as_uuid()))
    }

    /// Selects the tenant's own agent, and locks it until the end of the transaction.
    pub(super) fn locked(tenant: TenantId, id: AgentId) -> Self {
        Self::empty()
            .agents(tenant, TenantFilter::Own, None)
            .and("a.id =", id.as_uuid())
            .with(" FOR NO KEY UPDATE")
    }

    pub(super) fn by_name(tenant: TenantId, name: &AgentName) -> Self {
        Self::visible(tenant, |select, table| {
            let select = select.agents(tenant, table, None).with(IS_LIVING);
            select.and("a.name =", String::from(name.as_str()))
        })
    }

    /// Selects up to `limit` of the tenant's own agents and as many shared ones. Postgres orders UUIDs by their bytes, as
    /// Rust does.
    pub(super) fn page(tenant: TenantId, Query { filter, after, limit }: &Query) -> Self {
        Self::visible(tenant, |select, table| {
            // The column of the index that has the order.
            let has_tags = filter.capability.is_some() && table == TenantFilter::Own;
            let id = if has_tags { "c.id" } else { "a.id" };
            let mut select = select.agents(tenant, table, filter.capability.as_ref()).matching(filter);
            if let Some(after) = after {
                select = select.with(" AND ").with(id).with(" >").value(after.as_uuid());
            }
            // In the text and not a parameter: otherwise the server expects a tenth of all rows, and plans each call anew.
            let limit = i64::try_from(*limit).unwrap_or(i64::MAX);
            select.with(" ORDER BY ").with(id).with(" LIMIT ").with(&limit.to_string())
        })
    }

    /// Selects the number of the tenant's own agents and of the shared ones, in up to two rows.
    pub(super) fn count(tenant: TenantId, filter: &Filter) -> Self {
        Self::visible(tenant, |select, table| {
            let capability = filter.capability.as_ref();
            let select = select.from(tenant, table, "count(*) AS count", capability).matching(filter);
            // Without a group there would be a row without a tenant if there is no agent.
            if table == TenantFilter::Own { select.with(" GROUP BY a.tenant_id") } else { select }
        })
    }

    /// Selects from what a tenant sees: its own agents, and those that the platform shares with it.
    fn visible(tenant: TenantId, part: impl Fn(Self, TenantFilter) -> Self) -> Self {
        let select = part(Self::empty().with("("), TenantFilter::Own).with(")");
        if tenant.is_platform() {
            return select;
        }
        part(select.with(" UNION ALL ("), TenantFilter::Shared).with(")")
    }

    fn empty() -> Self {
        Self { sql: String::new(), params: Vec::new() }
    }

    fn agents(self, tenant: TenantId, table: TenantFilter, capability: Option<&Capability>) -> Self {
        self.from(tenant, table, COLUMNS, capability)
    }

    /// Begins a part. Its first columns are the tenant that reads, for the check of each row, and whether the platform
    /// owns the agent.
    fn from(
        self,
        tenant: TenantId,
        table: TenantFilter,
        columns: &str,
        capability: Option<&Capability>,
    ) -> Self {
        let tag = || capability.map(|tag| String::from(tag.as_str()));
        match table {
            TenantFilter::Shared => {
                let select = self
                    .with("SELECT")
                    .value(Uuid::from(tenant))
                    .with("::uuid AS tenant_id, true AS of_platform, ");
                let select = select.with(columns).with(" FROM tenancy_agents.shared_agents a WHERE true");
                match tag() {
                    None => select,
                    Some(tag) => select.with(" AND a.capabilities @> ARRAY[").value(tag).with("::text]"),
                }
            }
            TenantFilter::Own => {
                let select = self.with("SELECT a.tenant_id, false AS of_platform, ").with(columns);
                let select = select.with(" FROM tenancy_agents.agents a");
                let select = match tag() {
                    None => select.with(" WHERE true"),
                    // Both tables are read with the tenant.
                    Some(tag) => select
                        .with(" JOIN tenancy_agents.agent_capabilities c ON c.tenant_id = a.tenant_id AND c.id = a.id")
                        .with(" WHERE true")
                        .and("c.tenant_id =", Uuid::from(tenant))
                        .and("c.capability =", tag),
                };
                select.and("a.tenant_id =", Uuid::from(tenant))
            }
        }
    }

    /// [`Filter::matches`], except for the capability.
    fn matching(self, filter: &Filter) -> Self {
        let mut select = match filter.status {
            None => self.with(IS_LIVING),
            Some(status) => self.and("a.status =", AgentStatus::as_str(status)),
        };
        if let Some(tier) = filter.tier {
            select = select.and("a.tier =", tier.as_str());
        }
        if let Some(visibility) = filter.visibility {
            select = select.and("a.visibility =", visibility.as_str());
        }
        select
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
        // A string accepts all that is written to it.
        let _ = write!(self.sql, " ${}", self.params.len());
        self
    }
}
