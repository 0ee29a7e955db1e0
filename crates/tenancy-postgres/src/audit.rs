//! The audit of a database: ways around tenant isolation, and how to remove them.

mod check;
mod checks;
mod finding;
mod kind;
mod policy;
mod preamble;
mod releases;
mod session;

use std::time::SystemTime;

use tokio_postgres::types::{Oid, Type};
use tokio_postgres::{Client, Error, IsolationLevel, Transaction};

pub(crate) use self::check::{at, statement};
pub(crate) use self::checks::checks;
pub use self::finding::{Finding, Severity};
pub(crate) use self::finding::{Leaks, critical, keeps_session_state};
pub use self::kind::{FindingKind, ParseFindingKindError};
pub use self::policy::{AuditPolicy, ParseAuditPolicyError};
pub(crate) use self::session::audit_session;
use crate::migrations::{DEFAULTS, Migration, migrations};
use crate::session::Param;

/// Lists the ways around tenant isolation that are open to the client's user, the worst first.
///
/// The audit reads the catalog of the client's database. It reads no table of the application and changes nothing. The
/// user is the login of the session, together with each role that the login is a member of. The audit does not know
/// what a function does, and does not see what other programs do as other users.
///
/// ```no_run
/// # async fn example(service: &mut tokio_postgres::Client) -> Result<(), tokio_postgres::Error> {
/// for finding in tenancy_postgres::audit(service).await? {
///     eprintln!("{finding}");
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Returns the server's error.
pub async fn audit(client: &mut Client) -> Result<Vec<Finding>, Error> {
    audit_with(client, None, &AuditPolicy::new()).await
}

/// Lists the findings for a role, without a login as the role.
///
/// # Errors
///
/// Returns the server's error: `42704` if the role does not exist.
pub async fn audit_role(client: &mut Client, role: &str) -> Result<Vec<Finding>, Error> {
    audit_with(client, Some(role), &AuditPolicy::new()).await
}

/// Lists the findings for a role, or for the client's user, under an [`AuditPolicy`].
///
/// Findings that the policy accepts stay in the list, with the severity [`Severity::Accepted`] and the reason.
///
/// ```no_run
/// # async fn example(operator: &mut tokio_postgres::Client) -> Result<(), tokio_postgres::Error> {
/// use tenancy_postgres::{AuditPolicy, FindingKind, audit_with};
///
/// let policy = AuditPolicy::new().accept(
///     FindingKind::SessionState,
///     "LANGUAGE plperl",
///     "price_list() needs it; each session that ran raw SQL is closed",
/// );
/// let findings = audit_with(operator, Some("notes_service"), &policy).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Returns the server's error: `42704` if the role does not exist.
pub async fn audit_with(
    client: &mut Client,
    role: Option<&str>,
    policy: &AuditPolicy,
) -> Result<Vec<Finding>, Error> {
    run(client, role, &SIGNED, policy).await
}

/// The texts of policies and defaults, as the server prints them.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) is_signed: bool,
    /// `None` accepts each policy that names `tenant_id`.
    pub(crate) policy: Option<&'static str>,
    /// The defaults of the column that are accepted; `None` accepts each.
    pub(crate) default: Option<&'static [&'static str]>,
}

pub(crate) const SIGNED: Form = Form {
    is_signed: true,
    policy: Some("(tenant_id = ( SELECT tenancy.tenant_id() AS tenant_id))"),
    default: Some(&DEFAULTS),
};

const PLAIN: Form = Form {
    is_signed: false,
    policy: Some("(tenant_id = ( SELECT (current_setting('app.tenant_id'::text))::uuid AS current_setting))"),
    default: Some(&["(current_setting('app.tenant_id'::text))::uuid"]),
};

const CLAIMS: Form = Form { is_signed: false, policy: None, default: None };

/// Settings of the audit's transaction: the server prints qualified names, no object of the user replaces one of the
/// catalog, and the role's own settings do not change how the questions are read. The statement is long and runs once,
/// so that compiling it takes longer than running it.
pub(crate) const PATH: &str = "SET LOCAL search_path = pg_catalog, pg_temp; \
     SET LOCAL standard_conforming_strings = on; SET LOCAL quote_all_identifiers = off; SET LOCAL jit = off";

/// The version of the server: the text, and the number.
pub(crate) const VERSION: &str = "SELECT pg_catalog.current_setting('server_version'), \
     pg_catalog.current_setting('server_version_num')::pg_catalog.int4";

async fn run(
    client: &mut Client,
    role: Option<&str>,
    form: &Form,
    policy: &AuditPolicy,
) -> Result<Vec<Finding>, Error> {
    // All questions see the same snapshot.
    let begin = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let transaction = begin.start().await?;
    transaction.batch_execute(PATH).await?;
    // Unnamed statements: a named one would be closed by a message of its own.
    let role: Oid = transaction.query_typed(role_sql(role), &[(&role, Type::TEXT)]).await?[0].get(0);
    let version = transaction.query_typed(VERSION, &[]).await?;
    let (version, number): (String, i32) = (version[0].get(0), version[0].get(1));
    let findings = find(&transaction, number, role, form, policy).await?;
    transaction.rollback().await?;
    Ok(conclude(findings, &version, number, policy))
}

fn role_sql(role: Option<&str>) -> &'static str {
    match role {
        Some(_) => "SELECT pg_catalog.quote_ident($1::text)::regrole::oid",
        None => "SELECT oid FROM pg_catalog.pg_roles WHERE rolname = SESSION_USER AND $1::text IS NULL",
    }
}

async fn find(
    transaction: &Transaction<'_>,
    server: i32,
    role: Oid,
    form: &Form,
    policy: &AuditPolicy,
) -> Result<Vec<Finding>, Error> {
    let checks: Vec<_> = checks(server).collect();
    let bodies = bodies();
    let stateful = policy.stateful();
    let params: [(Param<'_>, Type); 6] = [
        (&role, Type::OID),
        (&bodies, Type::TEXT_ARRAY),
        (&form.is_signed, Type::BOOL),
        (&form.policy, Type::TEXT),
        (&form.default, Type::TEXT_ARRAY),
        (&stateful, Type::TEXT_ARRAY),
    ];
    let rows = transaction.query_typed(&statement(&checks), &params).await?;
    let finding = |row: &tokio_postgres::Row| {
        let check = at(&checks, row.get(0));
        check.finding(row.get(1), row.get(2), row.get(3), row.get(4), row.get(5))
    };
    Ok(rows.iter().map(finding).collect())
}

/// Adds what is known of the server's version, applies the policy, and sorts the findings.
pub(crate) fn conclude(
    mut findings: Vec<Finding>,
    version: &str,
    number: i32,
    policy: &AuditPolicy,
) -> Vec<Finding> {
    findings.extend(releases::findings(version, number, SystemTime::now()));
    policy.apply(&mut findings);
    findings.sort();
    findings.dedup();
    findings
}

/// Returns the bodies of the functions that the migrations create.
pub(crate) fn bodies() -> Vec<&'static str> {
    let quoted = |up: &'static str| up.split("$function$").skip(1).step_by(2);
    let files = |migration: &'static Migration| [migration.up, migration.finish.unwrap_or_default()];
    migrations().iter().flat_map(files).flat_map(quoted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_function_of_the_migrations_has_a_body() {
        let functions: usize = migrations()
            .iter()
            .flat_map(|migration| [Some(migration.up), migration.finish])
            .flatten()
            .map(|sql| sql.matches("CREATE OR REPLACE FUNCTION").count())
            .sum();
        assert_eq!(bodies().len(), functions);
        assert!(bodies().iter().all(|body| body.starts_with('\n')));
    }

    #[test]
    fn each_kind_has_a_check() {
        let other =
            [FindingKind::ServerVersion, FindingKind::VulnerabilityListOld, FindingKind::AcceptanceUnused];
        for kind in FindingKind::ALL {
            let is_checked = checks(i32::MAX).any(|check| check.kind == *kind) || other.contains(kind);
            assert!(is_checked, "{kind:?}");
        }
    }
}
