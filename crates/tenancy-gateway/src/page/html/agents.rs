//! The list of agents.

use jiff::Timestamp;
use maud::{Markup, html};
use tenancy_agents::{AgentStatus, UnixMillis};

use super::super::model::{Home, Row, Sharing, words};
use super::super::paths::HOME;
use super::super::query::ListQuery;

/// Returns the numbers by status, which are links that filter, and a table.
pub(super) fn list(home: &Home) -> Markup {
    let first = ListQuery { after: None, ..home.wanted };
    html! {
        (filter(home))
        @if home.agents.is_empty() { p.empty { (nothing(home)) } } @else { (table(home)) }
        @if home.wanted.after.is_some() || home.next.is_some() {
            nav.pages aria-label="Pages of agents" {
                @if home.wanted.after.is_some() { a #first-agents href={ (HOME) (first) } { "First page" } }
                @if let Some(next) = home.next {
                    a #next-agents href={ (HOME) (ListQuery { after: Some(next), ..home.wanted }) } { "Next page" }
                }
            }
        }
    }
}

fn filter(home: &Home) -> Markup {
    let link = |status: Option<AgentStatus>, count: u64| {
        let wanted = ListQuery { status, after: None, ..home.wanted };
        let is_current = (home.wanted.status == status).then_some("page");
        let name = status.map_or("all", words);
        let id = status.map_or("all", AgentStatus::as_str);
        html! {
            li {
                a id={ "filter-" (id) } href={ (HOME) (wanted) } aria-current=[is_current] {
                    (name) " " span.count { (count) }
                }
            }
        }
    };
    html! {
        nav aria-label="Agents by status" {
            ul.filter {
                (link(None, home.counts.present()))
                @for (status, count) in home.counts.each() { (link(Some(status), count)) }
            }
        }
    }
}

fn nothing(home: &Home) -> &'static str {
    match (home.wanted.after, home.wanted.status) {
        (Some(_), _) => "There are no more.",
        (None, Some(_)) => "No agent is in this state.",
        (None, None) => "There are no agents yet: POST /v1/agents registers one.",
    }
}

fn table(home: &Home) -> Markup {
    html! {
        div.scroll role="region" aria-labelledby="agents-caption" tabindex="0" {
            table {
                caption #agents-caption {
                    @if home.tenant.is_platform() { "Own agents" }
                    @else { "Own agents, and shared ones" }
                }
                thead {
                    tr {
                        @for column in ["Agent", "Status", "Tier", "Can do", "Endpoint", "Last seen"] {
                            th scope="col" { (column) }
                        }
                    }
                }
                tbody { @for agent in &home.agents { (row(agent)) } }
            }
        }
    }
}

/// Returns a row. The endpoint is not a link: a tenant could make users open any site, or run a script.
fn row(agent: &Row) -> Markup {
    html! {
        tr {
            th scope="row" {
                span.name { (agent.name) }
                @if let Some(sharing) = sharing(agent.sharing) { " " span.mark { (sharing) } }
                @if !agent.display_name.is_empty() || !agent.version.is_empty() {
                    span.more { (agent.display_name) " " (agent.version) }
                }
                @if !agent.description.is_empty() { span.more.description { (agent.description) } }
            }
            td { span class={ "status " (agent.status.as_str()) } { (words(agent.status)) } }
            td { (agent.tier) }
            td.tags { @for tag in &agent.capabilities { span.tag { (tag) } " " } }
            td.endpoint { @if !agent.endpoint.is_empty() { code { (agent.endpoint) } } }
            td.seen { (moment(agent.last_seen_at)) }
        }
    }
}

fn sharing(sharing: Sharing) -> Option<&'static str> {
    match sharing {
        Sharing::Own => None,
        Sharing::OwnShared => Some("shared with all"),
        Sharing::Platform => Some("shared by the platform"),
    }
}

fn moment(at: Option<UnixMillis>) -> Markup {
    let at = at.and_then(|UnixMillis(at)| Timestamp::from_millisecond(i64::try_from(at).ok()?).ok());
    html! {
        @match at {
            Some(at) => time datetime={ (at) } { (at.strftime("%Y-%m-%d %H:%M:%S UTC")) },
            None => span.hint { "never" },
        }
    }
}
