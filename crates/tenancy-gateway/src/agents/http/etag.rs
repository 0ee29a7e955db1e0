//! An agent's revision as an entity tag, and the conditions on it (RFC 9110, sections 8.8.3 and 13.1).

use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tenancy_agents::{Agent, AgentId};

use crate::app::App;
use crate::problem::Problem;

/// What no agent has: revisions begin at 1.
const NO_REVISION: u64 = 0;

/// The strong tag of an agent's revision.
pub(super) fn of(agent: &Agent) -> HeaderValue {
    HeaderValue::try_from(format!("\"{}\"", agent.revision)).unwrap_or(HeaderValue::from_static("\"0\""))
}

/// The revision that a change is for, where the conditions are about some: else, and by `If-Match: *`, it is for
/// whatever there is.
///
/// Of an agent that does not meet them it is [`NO_REVISION`]: the registry says what else is against the change, which
/// may not be the caller's to make.
pub(super) async fn only(app: &App, id: AgentId, headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let conditions = Conditions::of(headers)?;
    if conditions.are_met_by_all() {
        return Ok(None);
    }
    let agent = app.agents.get(id).await?;
    Ok(Some(if conditions.allow_change_of(&agent) { agent.revision } else { NO_REVISION }))
}

/// What a request names by `If-Match` and by `If-None-Match`.
pub(super) struct Conditions {
    only: Option<Tags>,
    not: Option<Tags>,
}

impl Conditions {
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let [only, not] = [&IF_MATCH, &IF_NONE_MATCH].map(|name| Tags::of_fields(headers, name));
        if only.is_none() && headers.contains_key(IF_MATCH) {
            return Err(Problem::IF_MATCH);
        }
        // Of the other one that makes no sense is none: it would only spare an answer.
        Ok(Self { only, not })
    }

    /// Whether the request says from which revision it was made, or that it is for any.
    pub(super) fn name_a_revision(&self) -> bool {
        self.only.is_some()
    }

    /// Whether it is for any.
    pub(super) fn are_met_by_all(&self) -> bool {
        matches!(self.only, None | Some(Tags::Any)) && self.not.is_none()
    }

    /// Whether `If-Match` allows it: by the strong comparison, in which a weak tag is equal to none.
    pub(super) fn allow(&self, agent: &Agent) -> bool {
        self.only.as_ref().is_none_or(|tags| tags.name(agent, |is_weak| !is_weak))
    }

    /// Whether the caller has it already: by the weak comparison.
    pub(super) fn are_of_who_has(&self, agent: &Agent) -> bool {
        self.not.as_ref().is_some_and(|tags| tags.name(agent, |_is_weak| true))
    }

    /// Whether both allow it.
    pub(super) fn allow_change_of(&self, agent: &Agent) -> bool {
        self.allow(agent) && !self.are_of_who_has(agent)
    }
}

/// What a condition names.
#[derive(PartialEq, Eq, Debug)]
enum Tags {
    /// Whatever is there.
    Any,
    /// These, each with whether it is a weak one.
    These(Vec<(bool, String)>),
}

impl Tags {
    fn name(&self, agent: &Agent, counts: impl Fn(bool) -> bool) -> bool {
        let revision = agent.revision.to_string();
        match self {
            Self::Any => true,
            Self::These(tags) => tags.iter().any(|(is_weak, tag)| counts(*is_weak) && *tag == revision),
        }
    }

    /// Of all fields of a name, as if they were one.
    fn of_fields(headers: &HeaderMap, name: &HeaderName) -> Option<Self> {
        let fields: Vec<_> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
        let list = fields.join(&b", "[..]);
        if list.trim_ascii() == b"*" { Some(Self::Any) } else { these(&list).map(Self::These) }
    }
}

/// One tag or more, with commas between, of which there may be too many (RFC 9110, section 5.6.1.2).
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
    fn a_list_is_read_over_several_fields() {
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
    fn what_is_no_tag_is_none() {
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
