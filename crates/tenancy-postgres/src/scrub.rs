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
    /// One text of the context and of when the transaction began: no two transactions of a session have the same, and
    /// one without a context has another.
    pub(crate) mark: &'static str,
    /// Asks for it.
    pub(crate) look: &'static str,
    /// One message: what fails ends it, so nothing is committed that was not scrubbed. Its first row is the mark, and
    /// where there is a second column, whether the session is to be closed.
    pub(crate) scrub_and_commit: &'static str,
    /// A rollback takes back settings, cursors, `LISTEN` and temporary tables, and leaves the rest. One message is one
    /// transaction to a pooler.
    pub(crate) rollback_and_scrub: &'static str,
}

/// Without operators: the search path may be the tenant's. `EXTRACT` has no setting that changes how it reads.
macro_rules! mark {
    ($setting:literal) => {
        concat!(
            "pg_catalog.concat(pg_catalog.current_setting('",
            $setting,
            "', true), ' ', EXTRACT(epoch FROM CURRENT_TIMESTAMP))"
        )
    };
}

macro_rules! session {
    () => {
        "CLOSE ALL; RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; UNLISTEN *; DISCARD TEMP; \
         DISCARD SEQUENCES"
    };
}

/// What `tenancy.leave()` does, without a tenant or where no function can be installed.
macro_rules! forget {
    () => {
        "SELECT pg_catalog.pg_advisory_unlock_all(), pg_catalog.setseed( \
         pg_catalog.uuid_hash(pg_catalog.gen_random_uuid())::pg_catalog.float8 OPERATOR(pg_catalog./) 2147483648); DO $$DECLARE name text; BEGIN \
         FOR name IN SELECT p.name FROM pg_catalog.pg_prepared_statements p WHERE p.from_sql LOOP \
         EXECUTE pg_catalog.format('DEALLOCATE %I', name); END LOOP; END$$"
    };
}

macro_rules! clean {
    () => {
        concat!(session!(), "; ", forget!())
    };
}

/// What cleans a session inside a transaction, for what has a beginning and an end of its own.
#[allow(dead_code, reason = "sqlx's transactions have")]
pub(crate) const CLEAN: &str = clean!();

/// Behind a pooler SQL that commits gives the session away before it is scrubbed: who gets it scrubs it first, and
/// begins by nothing that another left.
pub(crate) const BEGIN_CLEAN: &str =
    concat!("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE, NOT DEFERRABLE; ", clean!());
pub(crate) const BEGIN_CLEAN_READ_ONLY: &str =
    concat!("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY, NOT DEFERRABLE; ", clean!());

macro_rules! without_functions {
    ($setting:literal) => {
        Statements {
            mark: mark!($setting),
            look: concat!("SELECT ", mark!($setting)),
            scrub_and_commit: concat!(
                "SET CONSTRAINTS ALL IMMEDIATE; SELECT ",
                mark!($setting),
                "; ",
                forget!(),
                "; ",
                session!(),
                "; COMMIT"
            ),
            rollback_and_scrub: concat!("ROLLBACK; ", clean!()),
        }
    };
}

pub(crate) const SIGNED: Statements = Statements {
    mark: mark!("tenancy.context"),
    look: concat!("SELECT ", mark!("tenancy.context")),
    scrub_and_commit: concat!(
        "SET CONSTRAINTS ALL IMMEDIATE; SELECT ",
        mark!("tenancy.context"),
        ", tenancy.leave(); ",
        session!(),
        "; COMMIT"
    ),
    rollback_and_scrub: concat!("ROLLBACK; ", clean!()),
};

pub(crate) const PLAIN: Statements = without_functions!("app.tenant_id");

pub(crate) const CLAIMS: Statements = without_functions!("request.jwt.claims");
