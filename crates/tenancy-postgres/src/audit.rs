//! What in a database would let a role pass by its tenant.

mod checks;
mod kind;

use std::fmt;

use tokio_postgres::types::{Oid, Type};
use tokio_postgres::{Client, Error, IsolationLevel, Transaction};

pub(crate) use self::checks::CHECKS;
use self::checks::Check;
pub use self::kind::FindingKind;
use crate::binding::{Binding, ContextBinding};
use crate::migrations::{DEFAULTS, Migration, migrations};
use crate::params::Param;

/// How bad a finding is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Severity {
    /// A tenant's rows can be read or changed by another.
    Critical,
    /// A tenant can learn that a row exists, or a layer is missing behind one that holds.
    Warning,
}

/// One thing that leaks, or could.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong.
    pub kind: FindingKind,
    /// What it is wrong with: a name as SQL has it.
    pub object: String,
    /// How to mend it: SQL where SQL does it.
    pub remedy: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Critical => "critical",
            Severity::Warning => "warning",
        };
        write!(f, "{severity}: {}: {}; to mend it: {}", self.object, self.kind, self.remedy)
    }
}

/// The findings for which a database is refused, a line each.
pub(crate) struct Leaks<'a>(pub(crate) &'a [Finding]);

impl fmt::Display for Leaks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the database would leak")?;
        self.0.iter().try_for_each(|finding| write!(f, "\n- {finding}"))
    }
}

/// Lists what would let the client's user pass by its tenant, the critical first.
///
/// It looks at the catalog of the client's database alone, reads no table, and changes nothing. The user is the one
/// who connected, with each role that it is a member of. It can't see what a function does, nor what another program
/// does as another user.
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
/// The server's.
pub async fn audit(client: &mut Client) -> Result<Vec<Finding>, Error> {
    run(client, None, &SIGNED).await
}

/// Lists the same of another user, for who may not connect as it.
///
/// # Errors
///
/// The server's: `42704` where there is no such role.
pub async fn audit_role(client: &mut Client, role: &str) -> Result<Vec<Finding>, Error> {
    run(client, Some(role), &SIGNED).await
}

/// Those for which a database is refused.
pub(crate) fn critical(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.retain(|finding| finding.severity == Severity::Critical);
    findings
}

/// Of the client's user, where policies trust in this binding.
pub(crate) async fn audit_as(client: &mut Client, binding: &Binding) -> Result<Vec<Finding>, Error> {
    let form = match binding.context {
        ContextBinding::Signed(_) => &SIGNED,
        ContextBinding::Plain => &PLAIN,
        ContextBinding::SupabaseClaims => &CLAIMS,
    };
    run(client, None, form).await
}

/// How policies and defaults read, as the server writes them out.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) is_signed: bool,
    /// None: whatever names `tenant_id`.
    pub(crate) policy: Option<&'static str>,
    /// None: any.
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

/// So that expressions are written out by their qualified names, and nothing replaces the catalog's.
/// The role's own settings don't change how its questions read.
pub(crate) const PATH: &str = "SET LOCAL search_path = pg_catalog, pg_temp; \
     SET LOCAL standard_conforming_strings = on; SET LOCAL quote_all_identifiers = off";

async fn run(client: &mut Client, role: Option<&str>, form: &Form) -> Result<Vec<Finding>, Error> {
    // One snapshot for all.
    let begin = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let transaction = begin.start().await?;
    transaction.batch_execute(PATH).await?;
    let role: Oid = transaction.query_one(role_sql(role), &[&role]).await?.get(0);
    let mut findings = Vec::new();
    for check in CHECKS {
        findings.extend(find(&transaction, check, role, form).await?);
    }
    transaction.rollback().await?;
    findings.sort();
    Ok(findings)
}

fn role_sql(role: Option<&str>) -> &'static str {
    match role {
        Some(_) => "SELECT pg_catalog.quote_ident($1::text)::regrole::oid",
        None => "SELECT oid FROM pg_catalog.pg_roles WHERE rolname = SESSION_USER AND $1::text IS NULL",
    }
}

async fn find(
    transaction: &Transaction<'_>,
    check: &Check,
    role: Oid,
    form: &Form,
) -> Result<Vec<Finding>, Error> {
    let bodies = bodies();
    let params: [(Param<'_>, Type); 5] = [
        (&role, Type::OID),
        (&bodies, Type::TEXT_ARRAY),
        (&form.is_signed, Type::BOOL),
        (&form.policy, Type::TEXT),
        (&form.default, Type::TEXT_ARRAY),
    ];
    let rows = transaction.query_typed(&check.sql(), &params).await?;
    Ok(rows.iter().map(|row| check.finding(row.get(0), row.get(1))).collect())
}

/// The functions of the schema as the migrations have them.
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
        for kind in FindingKind::ALL {
            assert!(CHECKS.iter().any(|check| check.kind == *kind), "{kind:?}");
        }
    }
}
