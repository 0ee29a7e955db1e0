//! Finds how transactions enter their tenant on a server.

use super::scrub::{In, write_scrub};
use super::shared::{Domains, Entry};
use crate::binding::{Binding, ContextBinding};
use crate::error::Error;
use crate::wire::{Connection, ConnectionError, Part, Value};

/// By the catalog: a look-up by name fails for a role that may not use the schema.
const DOMAINS: &str = "SELECT t.oid FROM pg_catalog.pg_type t \
     JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace \
     WHERE n.nspname OPERATOR(pg_catalog.=) 'tenancy' AND t.typtype OPERATOR(pg_catalog.=) 'd' \
     AND t.typname OPERATOR(pg_catalog.=) ANY ('{entering, leaving}') ORDER BY t.typname";

/// Changes a setting of the session, which the scrub has to reset.
const SOIL: &str = "SELECT pg_catalog.set_config('tenancy.probe', 'soiled', false)";
const LOOK: &str = "SELECT pg_catalog.current_setting('tenancy.probe', true)";

/// A token that no key has signed.
const FORGED: [u8; 60] = [0; 60];

/// Returns how to enter. `uses_statements` is the configuration's choice of explicit statements.
///
/// Postgres checks a domain whenever a value of it is bound. That is not documented as a place for functions that act,
/// so it is tried on the server: a forged token must be refused, and the scrub must reset a setting.
pub(crate) async fn find(
    connection: &mut Connection,
    binding: &Binding,
    uses_statements: bool,
) -> Result<Entry, Error> {
    let explicit = |has_tokens| Entry::Explicit { sql: binding.explicit_sql(has_tokens), has_tokens };
    if !matches!(binding.context, ContextBinding::Signed(_)) {
        return Ok(explicit(false));
    }
    let rows = connection.query(DOMAINS, &[]).await??;
    let [entering, leaving] = &rows[..] else { return Ok(explicit(false)) };
    let domains = Domains { entering: entering.try_get(0)?, leaving: leaving.try_get(0)? };
    if uses_statements {
        return Ok(explicit(true));
    }
    if is_forgery_refused(connection, domains).await? && is_scrubbed(connection, domains).await? {
        Ok(Entry::Bound(domains))
    } else {
        Err(Error::Config("the server does not check bound parameters: use Config::explicit_statements"))
    }
}

async fn is_forgery_refused(connection: &mut Connection, domains: Domains) -> Result<bool, ConnectionError> {
    connection.run(Part::Begin, "BEGIN")?;
    connection.parse(Part::Enter, "", "", [domains.entering])?;
    connection.bind(Part::Enter, "", std::iter::once(Value { format: 1, bytes: Some(&FORGED) }))?;
    let refused = connection.exchange(None, |_| None).await?.failure;
    roll_back(connection).await?;
    Ok(matches!(refused, Some((Part::Enter, error)) if error.code() == "42501"))
}

async fn is_scrubbed(connection: &mut Connection, domains: Domains) -> Result<bool, ConnectionError> {
    connection.run(Part::Begin, "BEGIN")?;
    connection.run(Part::Begin, SOIL)?;
    write_scrub(connection, domains.leaving, In::NoTenant)?;
    connection.run(Part::Check, LOOK)?;
    let replies = connection.exchange(None, |_| None).await?;
    roll_back(connection).await?;
    let is_reset = replies.check.is_some_and(|check| check.get(0).is_none_or(<[u8]>::is_empty));
    Ok(replies.failure.is_none() && is_reset)
}

async fn roll_back(connection: &mut Connection) -> Result<(), ConnectionError> {
    connection.run(Part::End, "ROLLBACK")?;
    connection.exchange(None, |_| None).await?;
    Ok(())
}
