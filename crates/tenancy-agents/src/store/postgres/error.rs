//! The meaning of the database's errors.

use tenancy_postgres::{Error, ServerError};

use crate::error::{AgentError, NameConflict, StoreError};

const UNIQUE_VIOLATION: &str = "23505";
/// Raised by the trigger.
const NAME_SHARED: &str = "TA001";
const NAME_HELD: &str = "TA002";

pub(super) fn failed(error: Error) -> AgentError {
    if error.is_transient() {
        return AgentError::Unavailable(Some(StoreError::new(error)));
    }
    meant(&error).unwrap_or_else(|| StoreError::new(error).into())
}

/// Translates an error of the agents' table.
fn meant(error: &Error) -> Option<AgentError> {
    let Error::Postgres(error) = error else { return None };
    match error.code() {
        NAME_SHARED => Some(AgentError::NameShared),
        NAME_HELD => holders(error.message()).map(AgentError::NameHeld),
        _ => is_taken(error).then_some(AgentError::NameTaken),
    }
}

/// Whether the tenant has another agent with the name or the id.
fn is_taken(error: &ServerError) -> bool {
    let table = (error.schema(), error.table());
    error.code() == UNIQUE_VIOLATION && table == (Some("tenancy_agents"), Some("agents"))
}

/// Reads the holders from the trigger's message: the first one, and the number of others.
fn holders(message: &str) -> Option<NameConflict> {
    let (_, holders) = message.rsplit_once(": ")?;
    let (first, others) = holders.split_once(' ')?;
    Some(NameConflict { first: first.parse().ok()?, others: others.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use tenancy::tenant_id;

    use super::*;

    #[test]
    fn holders_are_read_as_the_trigger_writes_them() {
        let first = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
        let read = holders("tenancy_agents: tenants have the name: 550e8400-e29b-41d4-a716-446655440000 2");
        assert_eq!(read, Some(NameConflict { first, others: 2 }));
        for text in
            ["", "550e8400-e29b-41d4-a716-446655440000", "x 1", "00000000-0000-0000-0000-000000000000 1"]
        {
            assert_eq!(holders(text), None, "{text}");
        }
    }
}
