//! What the database's errors are here.

use tenancy_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use crate::error::{AgentError, NameHolders, StoreError};

/// The trigger's own.
const NAME_SHARED: &str = "TA001";
const NAME_HELD: &str = "TA002";

pub(super) fn failed(error: Error) -> AgentError {
    if error.is_transient() {
        return AgentError::Unavailable(Some(StoreError::new(error)));
    }
    meant(&error).unwrap_or_else(|| StoreError::new(error).into())
}

/// What an agent's table says by an error.
fn meant(error: &Error) -> Option<AgentError> {
    let Error::Postgres(error) = error else { return None };
    let error = error.as_db_error()?;
    match error.code().code() {
        NAME_SHARED => Some(AgentError::NameShared),
        NAME_HELD => error.detail().and_then(holders).map(AgentError::NameHeld),
        _ => is_taken(error).then_some(AgentError::NameTaken),
    }
}

/// The tenant itself has one of the name, or of the id.
fn is_taken(error: &DbError) -> bool {
    let table = (error.schema(), error.table());
    *error.code() == SqlState::UNIQUE_VIOLATION && table == (Some("tenancy_agents"), Some("agents"))
}

/// As the trigger writes them: the first, and how many more.
fn holders(detail: &str) -> Option<NameHolders> {
    let (first, others) = detail.split_once(' ')?;
    Some(NameHolders { first: first.parse().ok()?, others: others.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use tenancy::tenant_id;

    use super::*;

    #[test]
    fn holders_are_read_as_the_trigger_writes_them() {
        let first = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
        let read = holders("550e8400-e29b-41d4-a716-446655440000 2");
        assert_eq!(read, Some(NameHolders { first, others: 2 }));
        for detail in
            ["", "550e8400-e29b-41d4-a716-446655440000", "x 1", "00000000-0000-0000-0000-000000000000 1"]
        {
            assert_eq!(holders(detail), None, "{detail}");
        }
    }
}
