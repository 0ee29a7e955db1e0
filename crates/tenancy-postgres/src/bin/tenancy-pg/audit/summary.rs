//! The findings in few lines.

use tenancy_postgres::{Finding, Severity};

/// The number of lines that a summary has at most.
const LINES: usize = 20;

/// The number of objects that a line of several findings names.
const OBJECTS: usize = 3;

/// Returns the findings in at most [`LINES`] lines, the worst first.
///
/// If there are too many, warnings of one kind share a line, and then critical findings of one kind.
pub(super) fn summary(findings: &[Finding]) -> Vec<String> {
    let budget = LINES - 2;
    let groups = |findings: &[Finding]| -> Vec<String> {
        findings.chunk_by(|a, b| (a.severity, a.kind) == (b.severity, b.kind)).map(group).collect()
    };
    let critical = findings.iter().take_while(|finding| finding.severity == Severity::Critical).count();
    let (worst, others) = findings.split_at(critical);
    let each = |findings: &[Finding]| findings.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut lines = [each(worst), each(others)].concat();
    if lines.len() > budget {
        lines = [each(worst), groups(others)].concat();
    }
    if lines.len() > budget {
        lines = [groups(worst), groups(others)].concat();
    }
    let left = lines.len().saturating_sub(budget);
    lines.truncate(budget);
    if left > 0 {
        lines.push(format!("and {left} more kinds of findings"));
    }
    let is_short = lines.len() < findings.len() || left > 0;
    lines.extend(total(findings).map(|total| {
        if is_short { format!("{total}; --all shows each finding with its remedy") } else { total }
    }));
    lines
}

/// Returns the number of findings of each severity, or `None` if there are none.
pub(super) fn total(findings: &[Finding]) -> Option<String> {
    let count = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let (critical, warnings) = (count(Severity::Critical), count(Severity::Warning));
    let accepted = count(Severity::Accepted);
    (!findings.is_empty()).then(|| format!("{critical} critical, {warnings} warnings, {accepted} accepted"))
}

fn group(findings: &[Finding]) -> String {
    let [finding, ..] = findings else { return String::new() };
    if findings.len() == 1 {
        return finding.to_string();
    }
    let objects: Vec<_> = findings.iter().take(OBJECTS).map(|finding| finding.object.as_str()).collect();
    let more = findings.len().saturating_sub(OBJECTS);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}: {} ({}): {}{more}", finding.severity, finding.kind, findings.len(), objects.join(", "))
}
