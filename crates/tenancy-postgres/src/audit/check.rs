//! One question to the catalog, and the finding for each row of its answer.

use super::finding::{Finding, Severity};
use super::kind::FindingKind;
use super::preamble::PREAMBLE;

/// One question to the catalog.
#[derive(Debug)]
pub(crate) struct Check {
    pub(super) kind: FindingKind,
    /// The lowest server version that has the catalogs of the question.
    pub(super) since: i32,
    pub(super) remedy: Remedy,
    /// Follows [`PREAMBLE`]. Each row has the object's name and whether the finding is critical; for
    /// [`Remedy::Row`] also how the object is reached, and the SQL that removes the finding.
    pub(super) sql: &'static str,
}

/// How the findings of a question are removed.
///
/// Templates contain `{}` for the object, `{literal}` for the object as a string literal, and `{roles}` for PUBLIC and
/// the roles of the user.
#[derive(Clone, Copy, Debug)]
pub(super) enum Remedy {
    /// A template of one statement.
    Sql(&'static str),
    /// A template of a text for a person.
    Text(&'static str),
    /// The statement is in the row; this template of a text is used if it is NULL.
    Row(&'static str),
}

/// The oldest supported server version.
pub(super) const ANY: i32 = 0;

/// Returns one statement with all questions.
///
/// Each row of its answer has the place of the check in the list, the arguments of [`Check::finding`] and, for `{roles}`,
/// the list of roles. One statement takes one round trip, and the server evaluates what the questions share once.
pub(crate) fn statement(checks: &[&Check]) -> String {
    let questions: Vec<_> = checks.iter().enumerate().map(|(place, check)| check.question(place)).collect();
    format!(
        "{PREAMBLE} SELECT each.*, roles.list FROM ({}) AS each CROSS JOIN roles",
        questions.join(" UNION ALL ")
    )
}

/// Returns the check at a place that the statement has put into its answer.
pub(crate) fn at<'a>(checks: &[&'a Check], place: i32) -> &'a Check {
    usize::try_from(place).ok().and_then(|place| checks.get(place)).expect("the statement numbers the checks")
}

impl Check {
    fn question(&self, place: usize) -> String {
        let padding = match self.remedy {
            Remedy::Row(_) => "",
            Remedy::Sql(_) | Remedy::Text(_) => ", NULL::text, NULL::text",
        };
        format!("SELECT {place}::int4 AS place, found.*{padding} FROM ({}) AS found", self.sql)
    }

    /// Returns the finding for a row of the answer.
    pub(crate) fn finding(
        &self,
        object: String,
        is_critical: bool,
        through: Option<String>,
        statement: Option<String>,
        roles: &str,
    ) -> Finding {
        let severity = if is_critical { Severity::Critical } else { Severity::Warning };
        let fill = |template| fill(template, &object, roles);
        let (remedy, sql) = match (self.remedy, statement) {
            (Remedy::Text(template) | Remedy::Row(template), None) => (fill(template), Vec::new()),
            (Remedy::Sql(template), _) => (fill(template), vec![fill(template)]),
            (_, Some(statement)) => (statement.clone(), vec![statement]),
        };
        Finding { severity, kind: self.kind, object, remedy, sql, through, accepted: None }
    }
}

/// Returns a string literal of SQL, regardless of `standard_conforming_strings`.
fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') { format!("E'{}'", quoted.replace('\\', "\\\\")) } else { format!("'{quoted}'") }
}

/// Replaces the markers of a template, and nothing in what replaces them.
fn fill(template: &str, object: &str, roles: &str) -> String {
    let mut filled = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        let markers = [("{}", object), ("{roles}", roles), ("{literal}", object)];
        match markers.iter().find(|(marker, _)| rest.starts_with(marker)) {
            Some((marker @ "{literal}", value)) => {
                filled.push_str(&literal(value));
                rest = &rest[marker.len()..];
            }
            Some((marker, value)) => {
                filled.push_str(value);
                rest = &rest[marker.len()..];
            }
            None => {
                filled.push('{');
                rest = &rest[1..];
            }
        }
    }
    filled + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_markers_once() {
        let filled =
            fill("REVOKE x ON {} FROM {roles}; {literal} {other}", "public.\"{roles}'\"", "a, \"{}\"");
        assert_eq!(filled, "REVOKE x ON public.\"{roles}'\" FROM a, \"{}\"; 'public.\"{roles}''\"' {other}");
    }
}
