//! Routes: from the request line to the requested operation.

use tenancy_agents::{AgentId, AgentStatus, Filter, Query};

use crate::rejection::Rejection;

/// The largest number of agents on a page. A page has fewer if they do not fit into a response.
const PAGE: usize = 50;

/// The requested operation. An invalid agent id is `None` and is treated like the id of an unknown agent.
pub(crate) enum Route {
    /// Any path except those below: the number of the tenant's requests.
    Counter,
    Agents(Query),
    Agent(Option<AgentId>),
    Heartbeat(Option<AgentId>),
}

impl Route {
    pub(crate) fn find(method: Option<&str>, target: Option<&str>) -> Result<Self, Rejection> {
        let target = target.unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (allowed, route) = match path.strip_prefix("/v1/agents") {
            Some("") => ("GET, HEAD", Self::Agents(parse_query(query)?)),
            Some(rest) if rest.starts_with('/') => match rest[1..].split_once('/') {
                None => ("GET, HEAD", Self::Agent(rest[1..].parse().ok())),
                Some((id, "heartbeat")) => ("POST", Self::Heartbeat(id.parse().ok())),
                Some(_) => return Err(Rejection::UNKNOWN_PATH),
            },
            _ => ("GET, HEAD", Self::Counter),
        };
        if allowed.split(", ").any(|allowed| method == Some(allowed)) {
            Ok(route)
        } else {
            Err(Rejection::method(allowed))
        }
    }
}

/// Parses the parameters `after=ID` and `status=NAME`; each of them may occur once.
fn parse_query(query: &str) -> Result<Query, Rejection> {
    let mut page = Query::first(Filter::default(), PAGE);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').ok_or(Rejection::INVALID_QUERY)?;
        let is_invalid = match name {
            "after" => page.after.replace(value.parse().map_err(|_| Rejection::INVALID_QUERY)?).is_some(),
            "status" => {
                let status = AgentStatus::from_name(value).ok_or(Rejection::INVALID_QUERY)?;
                page.filter.status.replace(status).is_some()
            }
            _ => true,
        };
        if is_invalid {
            return Err(Rejection::INVALID_QUERY);
        }
    }
    Ok(page)
}
