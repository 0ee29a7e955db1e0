//! What a tenant's SQL may have left in a session, and how it is taken out of it.
//!
//! All of it runs inside the transaction, so that behind a transaction pooler it reaches the server's session that the
//! tenant's SQL had. `DISCARD ALL` can't: Postgres refuses it in a transaction. Each statement here is one that
//! Postgres allows there:
//!
//! - deferred constraints and their triggers run while the context still stands;
//! - cursors `WITH HOLD` would be filled by the commit, and outlive it;
//! - a session's user and settings: `RESET ALL` leaves the user and the role as they are;
//! - a `LISTEN` of this transaction takes effect with the commit, unless `UNLISTEN` comes after it;
//! - locks of the session, temporary tables and what sequences gave last;
//! - statements that SQL prepared, and not those with which `tokio-postgres` looks up types: it would not notice that
//!   they are gone.

/// Before anything else, in a message of its own: what it runs may still fail, and may still leave the tenant.
pub(crate) const CONSTRAINTS: &str = "SET CONSTRAINTS ALL IMMEDIATE";

macro_rules! session {
    () => {
        "CLOSE ALL; RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; UNLISTEN *; \
         SELECT pg_catalog.pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES; \
         DO $$DECLARE name text; BEGIN \
         FOR name IN SELECT p.name FROM pg_catalog.pg_prepared_statements p WHERE p.from_sql LOOP \
         EXECUTE pg_catalog.format('DEALLOCATE %I', name); END LOOP; END$$"
    };
}

/// One message: what fails ends it, so nothing is committed that was not scrubbed.
pub(crate) const SCRUB_AND_COMMIT: &str = concat!(session!(), "; COMMIT");

/// A rollback takes back settings, cursors, `LISTEN` and temporary tables, and leaves the rest. One message is one
/// transaction to a pooler.
pub(crate) const ROLLBACK_AND_SCRUB: &str = concat!("ROLLBACK; ", session!());
