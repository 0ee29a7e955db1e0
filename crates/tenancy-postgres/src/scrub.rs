//! What a tenant's SQL may have left in a session, and how it is taken out of it.
//!
//! All of it runs inside the transaction, so that behind a transaction pooler it reaches the server's session that the
//! tenant's SQL had. `DISCARD ALL` can't: Postgres refuses it in a transaction. Each statement here is one that
//! Postgres allows there:
//!
//! - deferred constraints and their triggers run first, while the context still stands;
//! - then the context is looked at: what ran before may have left its tenant;
//! - locks of the session, and statements that SQL prepared: not those with which `tokio-postgres` looks up types, for
//!   it would not notice that they are gone;
//! - cursors `WITH HOLD` would be filled by the commit, and outlive it;
//! - a session's user and settings: `RESET ALL` leaves the user and the role as they are;
//! - a `LISTEN` of this transaction takes effect with the commit, unless `UNLISTEN` comes after it;
//! - temporary tables and what sequences gave last.

/// What a kind of context is asked, and ended by.
#[derive(Debug)]
pub(crate) struct Statements {
    /// One row: the tenant's id. An error, or NULL, where there is none.
    pub(crate) held: &'static str,
    /// One message: what fails ends it, so nothing is committed that was not scrubbed. Its first row is that of
    /// `held`.
    pub(crate) scrub_and_commit: &'static str,
    /// A rollback takes back settings, cursors, `LISTEN` and temporary tables, and leaves the rest. One message is one
    /// transaction to a pooler.
    pub(crate) rollback_and_scrub: &'static str,
}

macro_rules! session {
    () => {
        "CLOSE ALL; RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; UNLISTEN *; DISCARD TEMP; \
         DISCARD SEQUENCES"
    };
}

/// What `tenancy.forget()` does, where no function can be installed.
macro_rules! forget {
    () => {
        "SELECT pg_catalog.pg_advisory_unlock_all(); DO $$DECLARE name text; BEGIN \
         FOR name IN SELECT p.name FROM pg_catalog.pg_prepared_statements p WHERE p.from_sql LOOP \
         EXECUTE pg_catalog.format('DEALLOCATE %I', name); END LOOP; END$$"
    };
}

macro_rules! without_functions {
    ($held:literal) => {
        Statements {
            held: concat!("SELECT ", $held),
            scrub_and_commit: concat!(
                "SET CONSTRAINTS ALL IMMEDIATE; SELECT ",
                $held,
                "; ",
                forget!(),
                "; ",
                session!(),
                "; COMMIT"
            ),
            rollback_and_scrub: concat!("ROLLBACK; ", forget!(), "; ", session!()),
        }
    };
}

pub(crate) const SIGNED: Statements = Statements {
    held: "SELECT tenancy.tenant_id()",
    scrub_and_commit: concat!(
        "SET CONSTRAINTS ALL IMMEDIATE; SELECT tenancy.tenant_id(), tenancy.forget(); ",
        session!(),
        "; COMMIT"
    ),
    rollback_and_scrub: concat!("ROLLBACK; ", session!(), "; SELECT tenancy.forget()"),
};

// What is set for a transaction is an empty string after it: `substring` makes NULL of it.
pub(crate) const PLAIN: Statements = without_functions!(
    "pg_catalog.substring(pg_catalog.current_setting('app.tenant_id', true), '.+')::pg_catalog.uuid"
);

pub(crate) const CLAIMS: Statements = without_functions!(
    "(pg_catalog.substring(pg_catalog.current_setting('request.jwt.claims', true), '.+')::pg_catalog.jsonb \
     OPERATOR(pg_catalog.->>) 'tenant_id')::pg_catalog.uuid"
);
