//! An agent's revision as an entity tag, and preconditions (RFC 9110, sections 8.8.3 and 13.1).

use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tenancy_agents::{Agent, AgentId};

use crate::problem::Problem;
use crate::state::App;

/// A revision that no agent has: the first one is 1.
const NO_REVISION: u64 = 0;

/// Returns the strong entity tag of an agent's revision.
pub(super) fn of(agent: &Agent) -> HeaderValue {
    HeaderValue::try_from(format!("\"{}\"", agent.revision)).unwrap_or(HeaderValue::from_static("\"0\""))
}

/// Returns the revision that a change must be based on, or `None` if any will do.
///
/// If a precondition fails, returns [`NO_REVISION`], so that the registry reports the more specific error.
pub(super) async fn revision(app: &App, id: AgentId, headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let conditions = Conditions::of(headers)?;
    if conditions.match_any_agent() {
        return Ok(None);
    }
    let agent = app.agents.get(id).await?;
    Ok(Some(if conditions.allow_change_of(&agent) { agent.revision } else { NO_REVISION }))
}

/// The preconditions of a request.
pub(super) struct Conditions {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
}

impl Conditions {
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let [if_match, if_none_match] =
            [&IF_MATCH, &IF_NONE_MATCH].map(|name| Tags::of_fields(headers, name));
        if if_match.is_none() && headers.contains_key(IF_MATCH) {
            return Err(Problem::IF_MATCH);
        }
        // A malformed `If-None-Match` is ignored: it would only save a response body.
        Ok(Self { if_match, if_none_match })
    }

    /// Returns whether the request has `If-Match`.
    pub(super) fn name_a_revision(&self) -> bool {
        self.if_match.is_some()
    }

    /// Returns whether every agent meets the preconditions.
    pub(super) fn match_any_agent(&self) -> bool {
        matches!(self.if_match, None | Some(Tags::Any)) && self.if_none_match.is_none()
    }

    /// Returns whether `If-Match` is met, by strong comparison: weak tags never match.
    pub(super) fn allow(&self, agent: &Agent) -> bool {
        self.if_match.as_ref().is_none_or(|tags| tags.contain(agent, |is_weak| !is_weak))
    }

    /// Returns whether `If-None-Match` names the agent's revision, by weak comparison.
    pub(super) fn exclude(&self, agent: &Agent) -> bool {
        self.if_none_match.as_ref().is_some_and(|tags| tags.contain(agent, |_is_weak| true))
    }

    /// Returns whether both preconditions are met.
    pub(super) fn allow_change_of(&self, agent: &Agent) -> bool {
        self.allow(agent) && !self.exclude(agent)
    }
}

/// The value of a precondition.
#[derive(PartialEq, Eq, Debug)]
enum Tags {
    /// `*`.
    Any,
    /// Tags, each with whether it is weak.
    These(Vec<(bool, String)>),
}

impl Tags {
    fn contain(&self, agent: &Agent, counts: impl Fn(bool) -> bool) -> bool {
        let revision = agent.revision.to_string();
        match self {
            Self::Any => true,
            Self::These(tags) => tags.iter().any(|(is_weak, tag)| counts(*is_weak) && *tag == revision),
        }
    }

    /// Reads all fields of a name as one list.
    fn of_fields(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let fields: Vec<_> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        let list = fields.join(&b", "[..]);
        if list.trim_ascii() == b"*" { Some(Self::Any) } else { these(&list).map(Self::These) }
    }
}

/// Reads a list of tags. Empty elements are allowed (RFC 9110, section 5.6.1.2).
fn these(mut list: &[u8]) -> Option<Vec<(bool, String)>> {
    let mut tags = Vec::new();
    loop {
        list = without_commas(list);
        if list.is_empty() {
            return Some(tags).filter(|tags| !tags.is_empty());
        }
        let (is_weak, rest) = list.strip_prefix(b"W/").map_or((false, list), |rest| (true, rest));
        let rest = rest.strip_prefix(b"\"")?;
        let end = rest.iter().position(|byte| *byte == b'"')?;
        let (tag, rest) = rest.split_at_checked(end)?;
        if tag.iter().any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control()) {
            return None;
        }
        tags.push((is_weak, String::from_utf8_lossy(tag).into_owned()));
        list = rest.get(1..)?.trim_ascii_start();
        if !matches!(list, [] | [b',', ..]) {
            return None;
        }
    }
}

fn without_commas(list: &[u8]) -> &[u8] {
    let begin = list.iter().position(|byte| !byte.is_ascii_whitespace() && *byte != b',');
    list.get(begin.unwrap_or(list.len())..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(list: &str) -> Option<Tags> {
        let mut headers = HeaderMap::new();
        for field in list.split('|') {
            headers.append(IF_MATCH, HeaderValue::from_str(field).expect("a field"));
        }
        Tags::of_fields(&headers, &IF_MATCH)
    }

    #[test]
    fn reads_a_list_over_several_fields() {
        let tag = |is_weak, tag: &str| (is_weak, tag.to_owned());
        assert_eq!(read("*"), Some(Tags::Any));
        assert_eq!(read(" \"1\" "), Some(Tags::These(vec![tag(false, "1")])));
        let all = vec![tag(false, "1"), tag(true, "a,b"), tag(false, "")];
        assert_eq!(read("\"1\" , W/\"a,b\"|\"\""), Some(Tags::These(all)));
        for empty in [",\"1\"", "\"1\",", " , ,\"1\" ,, ", "|\"1\"|"] {
            assert_eq!(read(empty), Some(Tags::These(vec![tag(false, "1")])), "{empty}");
        }
    }

    #[test]
    fn rejects_malformed_tags() {
        for list in [
            "",
            "1",
            "\"1",
            "\"1\" \"2\"",
            ",",
            " ,, ",
            "\"1\"\"2\"",
            "w/\"1\"",
            "*, \"1\"",
            "\"1 2\"",
            "'1'",
            "W/*",
        ] {
            assert_eq!(read(list), None, "{list}");
        }
    }
}
