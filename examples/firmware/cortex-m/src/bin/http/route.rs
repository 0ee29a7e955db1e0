//! From a request's line to what it is about.

use tenancy_agents::{AgentId, AgentStatus, Filter, Query};

use crate::refusal::Refusal;

/// As many on a page as fit into an answer, and no more than this.
const PAGE: usize = 50;

/// What a request is about. What is no id is no agent's: its answer is that of an id that nobody has.
pub(crate) enum Route {
    /// Any path but those below: how often the tenant came.
    Counter,
    Agents(Query),
    Agent(Option<AgentId>),
    Heartbeat(Option<AgentId>),
}

impl Route {
    pub(crate) fn of(method: Option<&str>, target: Option<&str>) -> Result<Self, Refusal> {
        let target = target.unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (allowed, route) = match path.strip_prefix("/v1/agents") {
            Some("") => ("GET, HEAD", Self::Agents(page(query)?)),
            Some(rest) if rest.starts_with('/') => match rest[1..].split_once('/') {
                None => ("GET, HEAD", Self::Agent(rest[1..].parse().ok())),
                Some((id, "heartbeat")) => ("POST", Self::Heartbeat(id.parse().ok())),
                Some(_) => return Err(Refusal::NO_PATH),
            },
            _ => ("GET, HEAD", Self::Counter),
        };
        if allowed.split(", ").any(|allowed| method == Some(allowed)) {
            Ok(route)
        } else {
            Err(Refusal::method(allowed))
        }
    }
}

/// `after=ID` and `status=NAME`, each once.
fn page(query: &str) -> Result<Query, Refusal> {
    let mut page = Query::first(Filter::default(), PAGE);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or(Refusal::QUERY)?;
        let is_wrong = match name {
            "after" => page.after.replace(value.parse().map_err(|_| Refusal::QUERY)?).is_some(),
            "status" => {
                let status = AgentStatus::from_name(value).ok_or(Refusal::QUERY)?;
                page.filter.status.replace(status).is_some()
            }
            _ => true,
        };
        if is_wrong {
            return Err(Refusal::QUERY);
        }
    }
    Ok(page)
}
