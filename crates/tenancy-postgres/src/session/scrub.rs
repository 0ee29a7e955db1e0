//! Resets what SQL of one tenant can leave in a session.
//!
//! The reset runs inside the transaction, so that it reaches the same server session behind a transaction pooler.
//! `DISCARD ALL` cannot be used there. These are the steps, each by a statement that Postgres allows in a transaction:
//!
//! - deferred constraints and their triggers run, while the context is still valid;
//! - the context is checked, because the SQL or a trigger may have changed it;
//! - cursors `WITH HOLD` are closed, because the commit would materialize them and they would outlive it;
//! - the session's user, role and settings are reset: `RESET ALL` does not reset the user and the role;
//! - `UNLISTEN` follows a `LISTEN` of this transaction, which would otherwise take effect with the commit;
//! - temporary tables are dropped, and the last values of sequences forgotten;
//! - session locks and statements that SQL prepared are released, and the random generator is seeded again.
//!
//! A session is closed instead of being reused if SQL prepared a statement or created a temporary object in it: the
//! statement may have replaced one of the driver's, and functions may have been compiled with the temporary object.

use std::io;

use postgres_types::Oid;

use crate::wire::{Connection, Part, Value};

/// Statements that reset a session, in a transaction of their own or in a tenant's.
pub(crate) const CLEAN: &[&str] = &[
    "CLOSE ALL",
    "RESET SESSION AUTHORIZATION",
    "RESET ROLE",
    "RESET ALL",
    "UNLISTEN *",
    "DISCARD TEMP",
    "DISCARD SEQUENCES",
    "SELECT pg_catalog.pg_advisory_unlock_all(), pg_catalog.setseed( \
     pg_catalog.uuid_hash(pg_catalog.gen_random_uuid())::pg_catalog.float8 OPERATOR(pg_catalog./) 2147483648)",
    "DO $$DECLARE name text; BEGIN \
     FOR name IN SELECT p.name FROM pg_catalog.pg_prepared_statements p WHERE p.from_sql LOOP \
     EXECUTE pg_catalog.format('DEALLOCATE %I', name); END LOOP; END$$",
];

/// Runs deferred constraints and their triggers.
pub(crate) const CONSTRAINTS: &str = "SET CONSTRAINTS ALL IMMEDIATE";

/// The check of a signed context that was entered by binding a token.
pub(crate) const VERIFIED: &str = "SELECT tenancy.tenant_id()";

/// The transaction in which a session is scrubbed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum In {
    /// A transaction of a tenant. The scrub requires the tenant's context.
    Tenant,
    /// A transaction after a rollback, without a tenant.
    NoTenant,
}

/// Writes the scrub as a bound parameter. A positive seed requires a tenant's context.
pub(crate) fn write_scrub(connection: &mut Connection, leaving: Oid, place: In) -> io::Result<()> {
    // The function cannot do this: the bound portal is not active yet, so `CLOSE ALL` would free it.
    connection.run(Part::Scrub, "CLOSE ALL")?;
    // A new seed, so that the random numbers do not follow from the seed of another tenant.
    let seed = fastrand::f64().max(f64::MIN_POSITIVE);
    let seed = if place == In::Tenant { seed } else { -seed };
    let seed = seed.to_be_bytes();
    // The statement is unnamed: SQL could replace a named one by a statement that does not scrub.
    connection.parse(Part::Scrub, "", "", [leaving])?;
    connection.bind(Part::Scrub, "", std::iter::once(Value { format: 1, bytes: Some(&seed) }))
}
