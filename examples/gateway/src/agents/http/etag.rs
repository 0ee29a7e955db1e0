//! An agent's revision as an entity tag, and the conditions on it (RFC 9110, sections 8.8.3 and 13.1).

use axum::http::header::{IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use tenancy_agents::{Agent, AgentId};

use crate::app::App;
use crate::problem::Problem;

/// What no agent has: revisions begin at 1.
pub(super) const NO_REVISION: u64 = 0;

/// The strong tag of an agent's revision.
pub(super) fn of(agent: &Agent) -> HeaderValue {
    HeaderValue::try_from(format!("\"{}\"", agent.revision)).unwrap_or(HeaderValue::from_static("\"0\""))
}

/// The revision that a change is for, where `If-Match` names some: else, and by `*`, it is for whatever there is.
///
/// Of an agent that has none of them it is [`NO_REVISION`]: the registry says what else is against the change, which may
/// not be the caller's to make.
pub(super) async fn only(app: &App, id: AgentId, headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    match Tags::if_match(headers)? {
        None | Some(Tags::Any) => Ok(None),
        Some(tags) => {
            let agent = app.agents.get(id).await?;
            Ok(Some(if tags.allow(&agent) { agent.revision } else { NO_REVISION }))
        }
    }
}

/// What a condition names.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Tags {
    /// Whatever is there.
    Any,
    /// These, each with whether it is a weak one.
    These(Vec<(bool, String)>),
}

impl Tags {
    /// The condition that a change needs.
    pub(super) fn if_match(headers: &HeaderMap) -> Result<Option<Self>, Problem> {
        if !headers.contains_key(IF_MATCH) {
            return Ok(None);
        }
        Self::of_fields(headers, &IF_MATCH).map(Some).ok_or(Problem::IF_MATCH)
    }

    /// Whether the caller has it already. A condition that makes no sense is none: it would only spare an answer.
    pub(super) fn has_already(headers: &HeaderMap, agent: &Agent) -> bool {
        let tags = Self::of_fields(headers, &IF_NONE_MATCH);
        tags.is_some_and(|tags| tags.names(agent, |_is_weak| true))
    }

    /// Whether a change may be made of this agent: by the strong comparison, in which a weak tag is equal to none.
    pub(super) fn allow(&self, agent: &Agent) -> bool {
        self.names(agent, |is_weak| !is_weak)
    }

    fn names(&self, agent: &Agent, counts: impl Fn(bool) -> bool) -> bool {
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

/// One tag or more, with commas between.
fn these(mut list: &[u8]) -> Option<Vec<(bool, String)>> {
    let mut tags = Vec::new();
    loop {
        list = list.trim_ascii_start();
        let (is_weak, rest) = list.strip_prefix(b"W/").map_or((false, list), |rest| (true, rest));
        let rest = rest.strip_prefix(b"\"")?;
        let end = rest.iter().position(|byte| *byte == b'"')?;
        let (tag, rest) = rest.split_at_checked(end)?;
        if tag.iter().any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control()) {
            return None;
        }
        tags.push((is_weak, String::from_utf8_lossy(tag).into_owned()));
        list = rest.get(1..)?.trim_ascii_start();
        match list.strip_prefix(b",") {
            Some(rest) => list = rest,
            None => return list.is_empty().then_some(tags),
        }
    }
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
    }

    #[test]
    fn what_is_no_tag_is_none() {
        for list in [
            "",
            "1",
            "\"1",
            "\"1\" \"2\"",
            "\"1\",",
            ",\"1\"",
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
