//! The results of the audit.

use std::fmt;

use super::kind::FindingKind;

/// The severity of a finding.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum Severity {
    /// Another tenant can read or change a tenant's data. `TenantDb::connect` refuses the database.
    Critical,
    /// A tenant can learn that a row exists, or one of several protections is missing.
    Warning,
    /// An operator accepted the finding; [`Finding::accepted`] is the reason.
    Accepted,
}

impl Severity {
    /// Returns `critical`, `warning` or `accepted`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Warning => "warning",
            Self::Accepted => "accepted",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One result of the audit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub struct Finding {
    /// The severity.
    pub severity: Severity,
    /// What is wrong.
    pub kind: FindingKind,
    /// The object that has the problem, as SQL names it.
    pub object: String,
    /// How to remove the finding: the statements of [`sql`](Self::sql), or a text if a person has to decide.
    pub remedy: String,
    /// The statements that remove the finding. Empty if a person has to decide.
    pub sql: Vec<String>,
    /// How a tenant reaches the object, if not by a privilege on the object itself.
    pub through: Option<String>,
    /// The operator's reason, if the [`AuditPolicy`](crate::AuditPolicy) accepts the finding.
    pub accepted: Option<String>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, kind, object, remedy, .. } = self;
        write!(f, "{severity}: {object}: {kind}")?;
        if let Some(through) = &self.through {
            write!(f, " (through {through})")?;
        }
        match &self.accepted {
            Some(reason) => write!(f, "; reason: {reason}"),
            None => write!(f, "; remedy: {remedy}"),
        }
    }
}

/// The findings for which a database is refused, one on each line.
pub(crate) struct Leaks<'a>(pub(crate) &'a [Finding]);

impl fmt::Display for Leaks<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the database does not isolate tenants")?;
        self.0.iter().try_for_each(|finding| write!(f, "\n- {finding}"))
    }
}

/// Returns the findings for which a database is refused.
pub(crate) fn critical(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.retain(|finding| finding.severity == Severity::Critical);
    findings
}

/// Returns whether an operator accepted state in sessions that no scrub resets.
///
/// A session that ran raw SQL must then be closed instead of returned to the pool.
#[allow(dead_code, reason = "the pool will ask it")]
pub(crate) fn keeps_session_state(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.kind == FindingKind::SessionState && finding.accepted.is_some())
}
