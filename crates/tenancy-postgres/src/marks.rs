//! How a context is checked by statements.
//!
//! Names and operators are qualified: the search path may be a tenant's.

/// Whether SQL prepared a statement or created a temporary object in the session.
macro_rules! altered {
    () => {
        "(pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.<>) 0::pg_catalog.oid \
          OR EXISTS (SELECT FROM pg_catalog.pg_prepared_statement() p WHERE p.from_sql))"
    };
}

/// The value of a setting, and when the transaction began: no two transactions of a session have the same mark.
/// `EXTRACT` has no setting that changes its text.
macro_rules! mark {
    ($setting:literal) => {
        concat!(
            "pg_catalog.concat(pg_catalog.current_setting('",
            $setting,
            "', true), ' ', EXTRACT(epoch FROM CURRENT_TIMESTAMP))"
        )
    };
}

/// How the context of a kind of binding is checked by explicit statements.
#[derive(Debug)]
pub(crate) struct Marks {
    /// The expression of the mark, for the statement that enters.
    pub(crate) mark: &'static str,
    /// Selects the mark.
    pub(crate) check: &'static str,
    /// Selects the mark, and whether the session has to be closed. For a signed context it fails without one, so that
    /// nothing is committed.
    pub(crate) scrub: &'static str,
}

macro_rules! marks {
    ($setting:literal, $altered:expr) => {
        Marks {
            mark: mark!($setting),
            check: concat!("SELECT ", mark!($setting)),
            scrub: concat!("SELECT ", mark!($setting), ", ", $altered),
        }
    };
}

pub(crate) const SIGNED: Marks = marks!("tenancy.context", concat!(altered!(), ", tenancy.tenant_id()"));
/// As a database without tokens has it.
pub(crate) const SIGNED_V1: Marks = marks!("tenancy.context", "tenancy.leave()");
pub(crate) const PLAIN: Marks = marks!("app.tenant_id", altered!());
pub(crate) const CLAIMS: Marks = marks!("request.jwt.claims", altered!());
