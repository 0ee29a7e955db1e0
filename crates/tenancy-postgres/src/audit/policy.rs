//! What an operator decides about findings.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use super::finding::{Finding, Severity};
use super::kind::FindingKind;

/// An operator's decisions about findings: which are accepted, and which extensions keep state in sessions.
///
/// An acceptance names one finding by its kind and its object, and has a reason. It matches the object exactly as
/// [`Finding::object`] shows it. It has no effect if the reason is blank, or if the kind
/// [cannot be accepted](FindingKind::can_be_accepted). An acceptance without a finding is reported as
/// [`FindingKind::AcceptanceUnused`].
///
/// ```
/// use tenancy_postgres::{AuditPolicy, FindingKind};
///
/// let policy = AuditPolicy::new()
///     .accept(FindingKind::TempGranted, "notes", "reports use temporary tables")
///     .stateful_extension("our_cache");
///
/// let text = "\
/// ## The same as a text, for `tenancy-pg audit --policy FILE`.
/// TempGranted:notes=reports use temporary tables
/// stateful-extension our_cache
/// ";
/// assert_eq!(text.parse(), Ok(policy));
/// ```
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct AuditPolicy {
    accepted: Vec<Acceptance>,
    stateful: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Acceptance {
    kind: FindingKind,
    object: String,
    reason: String,
}

impl AuditPolicy {
    /// Returns a policy that accepts nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Accepts the finding of a kind and an object, for a reason.
    #[must_use]
    pub fn accept(mut self, kind: FindingKind, object: impl Into<String>, reason: impl Into<String>) -> Self {
        self.accepted.push(Acceptance { kind, object: object.into(), reason: reason.into() });
        self
    }

    /// Adds an extension to the list of those that keep state in sessions: [`FindingKind::SessionState`].
    #[must_use]
    pub fn stateful_extension(mut self, name: impl Into<String>) -> Self {
        self.stateful.push(name.into());
        self
    }

    /// Adds the decisions of another policy.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.accepted.extend(other.accepted);
        self.stateful.extend(other.stateful);
        self
    }

    pub(crate) fn stateful(&self) -> &[String] {
        &self.stateful
    }

    /// Marks accepted findings, and reports acceptances that match none.
    pub(super) fn apply(&self, findings: &mut Vec<Finding>) {
        for acceptance in &self.accepted {
            let mut is_used = false;
            for finding in findings.iter_mut().filter(|finding| acceptance.matches(finding)) {
                finding.severity = Severity::Accepted;
                finding.accepted = Some(acceptance.reason.trim().to_owned());
                is_used = true;
            }
            if !is_used {
                findings.push(acceptance.unused());
            }
        }
    }
}

impl Acceptance {
    fn matches(&self, finding: &Finding) -> bool {
        self.kind == finding.kind
            && self.object == finding.object
            && self.kind.can_be_accepted()
            && !self.reason.trim().is_empty()
    }

    fn unused(&self) -> Finding {
        Finding {
            severity: Severity::Warning,
            kind: FindingKind::AcceptanceUnused,
            object: format!("{}:{}", self.kind.name(), self.object),
            remedy: "remove the acceptance, or correct its kind, object or reason".to_owned(),
            sql: Vec::new(),
            through: None,
            accepted: None,
        }
    }
}

impl FromStr for AuditPolicy {
    type Err = ParseAuditPolicyError;

    /// Parses one decision on each line: `KIND:OBJECT=REASON` or `stateful-extension NAME`. Blank lines, and lines that
    /// begin with `#`, are skipped.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut policy = Self::new();
        for (index, line) in text.lines().map(str::trim).enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let error = |problem| ParseAuditPolicyError { line: index + 1, problem };
            policy = match line.strip_prefix("stateful-extension ") {
                Some(name) => policy.stateful_extension(name.trim()),
                None => policy.merge(acceptance(line).map_err(error)?),
            };
        }
        Ok(policy)
    }
}

/// Parses `KIND:OBJECT=REASON`. The reason begins after the first `=` that is not part of a quoted name.
fn acceptance(text: &str) -> Result<AuditPolicy, &'static str> {
    let (kind, rest) = text.split_once(':').ok_or("expected KIND:OBJECT=REASON")?;
    let kind: FindingKind = kind.trim().parse().map_err(|_| "unknown kind of finding")?;
    let mut is_quoted = false;
    let at = rest
        .char_indices()
        .find(|&(_, symbol)| {
            is_quoted ^= symbol == '"';
            symbol == '=' && !is_quoted
        })
        .map(|(at, _)| at)
        .ok_or("expected KIND:OBJECT=REASON")?;
    let (object, reason) = (rest[..at].trim(), rest[at + 1..].trim());
    if object.is_empty() {
        return Err("the object is missing");
    }
    if reason.is_empty() {
        return Err("the reason is missing");
    }
    if !kind.can_be_accepted() {
        return Err("findings of this kind cannot be accepted");
    }
    Ok(AuditPolicy::new().accept(kind, object, reason))
}

/// The error for a text that is not an [`AuditPolicy`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseAuditPolicyError {
    line: usize,
    problem: &'static str,
}

impl fmt::Display for ParseAuditPolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid audit policy, line {}: {}", self.line, self.problem)
    }
}

impl Error for ParseAuditPolicyError {}

#[cfg(test)]
mod tests {
    use super::super::finding::keeps_session_state;
    use super::*;

    fn finding(kind: FindingKind, object: &str) -> Finding {
        let (object, remedy) = (object.to_owned(), "fix it".to_owned());
        let (sql, through, accepted) = (Vec::new(), None, None);
        Finding { severity: Severity::Critical, kind, object, remedy, sql, through, accepted }
    }

    #[test]
    fn accepts_only_the_named_finding() {
        let policy = AuditPolicy::new().accept(FindingKind::SessionState, "LANGUAGE plperl", " needed ");
        let mut findings = vec![
            finding(FindingKind::SessionState, "LANGUAGE plperl"),
            finding(FindingKind::SessionState, "LANGUAGE pltcl"),
            finding(FindingKind::View, "LANGUAGE plperl"),
        ];
        assert!(!keeps_session_state(&findings));
        policy.apply(&mut findings);
        let severities: Vec<_> = findings.iter().map(|finding| finding.severity).collect();
        assert_eq!(severities, [Severity::Accepted, Severity::Critical, Severity::Critical]);
        assert_eq!(findings[0].accepted.as_deref(), Some("needed"));
        assert!(keeps_session_state(&findings));
        assert!(!keeps_session_state(&findings[1..]));
    }

    #[test]
    fn does_not_accept_without_a_reason_or_what_the_context_depends_on() {
        for (kind, reason) in
            [(FindingKind::View, " \t"), (FindingKind::Superuser, "why"), (FindingKind::KeysGranted, "why")]
        {
            let mut findings = vec![finding(kind, "x")];
            AuditPolicy::new().accept(kind, "x", reason).apply(&mut findings);
            assert_eq!(findings[0].severity, Severity::Critical, "{kind:?}");
            assert_eq!(findings[1].kind, FindingKind::AcceptanceUnused);
            assert_eq!(findings[1].object, format!("{kind:?}:x"));
        }
    }

    #[test]
    fn parses_quoted_names_and_rejects_incomplete_lines() {
        let policy = "View:public.\"a=b\"=a = reason\n\n# note\n".parse();
        assert_eq!(policy, Ok(AuditPolicy::new().accept(FindingKind::View, "public.\"a=b\"", "a = reason")));
        for (text, problem) in [
            ("View", "line 1: expected KIND:OBJECT=REASON"),
            ("\nView:x", "line 2: expected KIND:OBJECT=REASON"),
            ("View:x=", "line 1: the reason is missing"),
            ("View:=y", "line 1: the object is missing"),
            ("Window:x=y", "line 1: unknown kind of finding"),
            ("Superuser:x=y", "line 1: findings of this kind cannot be accepted"),
        ] {
            let error = text.parse::<AuditPolicy>().expect_err(text).to_string();
            assert!(error.ends_with(problem), "{error}");
        }
    }
}
