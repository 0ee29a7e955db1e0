//! Which rows are wanted, as SQL.

use std::string::{String, ToString};
use std::vec::Vec;

use rusqlite::types::Value;

use super::row::COLUMNS;
use crate::id::AgentId;
use crate::query::Filter;

/// [`Agent::is_shared`](crate::Agent::is_shared), of the rows in the platform's file. The suite holds it against that, in
/// every combination.
pub(super) const SHARED: &str = "status = 'active' AND visibility = 'shared'";

/// A question, and its parameters.
pub(super) struct Select {
    from: &'static str,
    conditions: Vec<String>,
    params: Vec<Value>,
    limit: Option<usize>,
}

impl Select {
    /// Those that are wanted, of a tenant's own or of what the platform shares.
    pub(super) fn of(filter: &Filter, is_shared: bool) -> Self {
        let mut select = Self { from: "agents", conditions: Vec::new(), params: Vec::new(), limit: None };
        if is_shared {
            select.conditions.push(SHARED.to_string());
        }
        match filter.status {
            None => select.conditions.push("status <> 'deleted'".to_string()),
            Some(status) => select.equal("status", status.as_str()),
        }
        if let Some(tier) = filter.tier {
            select.equal("tier", tier.as_str());
        }
        if let Some(visibility) = filter.visibility {
            select.equal("visibility", visibility.as_str());
        }
        if let Some(tag) = &filter.capability {
            // A cross join keeps this order: by the tag's index first, which is in the order of ids too.
            select.from = "agent_capabilities AS tags CROSS JOIN agents ON agents.id = tags.id";
            select.equal("tags.tag", tag.as_str());
        }
        select
    }

    pub(super) fn behind(mut self, after: Option<AgentId>) -> Self {
        if let Some(after) = after {
            self.params.push(Value::Blob(after.as_uuid().as_bytes().to_vec()));
            let (id, number) = (self.id(), self.params.len());
            self.conditions.push(std::format!("{id} > ?{number}"));
        }
        self
    }

    pub(super) fn limited(self, limit: usize) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// By their ids.
    pub(super) fn agents(&self) -> String {
        let (id, limit) =
            (self.id(), self.limit.map_or(i64::MAX, |limit| i64::try_from(limit).unwrap_or(i64::MAX)));
        std::format!("SELECT {COLUMNS} {} ORDER BY {id} LIMIT {limit}", self.rest())
    }

    pub(super) fn count(&self) -> String {
        std::format!("SELECT count(*) {}", self.rest())
    }

    pub(super) fn params(&self) -> impl rusqlite::Params + '_ {
        rusqlite::params_from_iter(self.params.iter())
    }

    fn rest(&self) -> String {
        std::format!("FROM {} WHERE {}", self.from, self.conditions.join(" AND "))
    }

    fn id(&self) -> &'static str {
        if self.from == "agents" { "agents.id" } else { "tags.id" }
    }

    fn equal(&mut self, column: &str, value: &str) {
        self.params.push(Value::Text(value.to_string()));
        let number = self.params.len();
        self.conditions.push(std::format!("{column} = ?{number}"));
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;
    use crate::agent::Tier;
    use crate::clock::UnixMillis;
    use crate::status::AgentStatus;
    use crate::visibility::Visibility;

    /// How SQLite finds what is asked for: each page is read in the order of an index, with nothing sorted.
    fn plan(select: &Select) -> String {
        let connection = Connection::open_in_memory().expect("memory");
        connection.execute_batch(include_str!("../../../sql/sqlite.sql")).expect("the schema");
        let sql = std::format!("EXPLAIN QUERY PLAN {}", select.agents());
        let mut statement = connection.prepare(&sql).expect("a statement");
        let rows =
            statement.query_map(select.params(), |row| row.get::<_, String>("detail")).expect("a plan");
        rows.collect::<Result<Vec<_>, _>>().expect("a plan").join("; ")
    }

    #[test]
    fn a_page_is_read_in_the_order_of_an_index() {
        let after = Some(AgentId::v7(UnixMillis(1), [0; 10]));
        let tag = Some("chat".parse().expect("a tag"));
        let others = [(None, None), (Some(Tier::Basic), Some(Visibility::Shared))];
        for (tier, visibility) in others {
            for status in [None, Some(AgentStatus::Active)] {
                for capability in [&None, &tag] {
                    for is_shared in [false, true] {
                        let filter = Filter { status, capability: capability.clone(), tier, visibility };
                        let plan = plan(&Select::of(&filter, is_shared).behind(after).limited(10));
                        assert!(plan.starts_with("SEARCH") && !plan.contains("SCAN"), "{filter:?}: {plan}");
                        assert!(!plan.contains("TEMP B-TREE"), "{filter:?}: {plan}");
                        let index =
                            if capability.is_some() { "PRIMARY KEY (tag=? AND id>?)" } else { "id>?" };
                        assert!(plan.contains(index), "{filter:?}: {plan}");
                    }
                }
            }
        }
    }
}
