//! The test of the device's agents: which tenant sees which agents, and that their JSON form is that of servers.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tenancy_agents::{Agent, AgentStatus};

use super::client::{body, field, request, status};
use super::fixtures::{ACTIVE, SUSPENDED, UNKNOWN};

/// An id that no agent has.
const ABSENT: &str = "0192f0c1-2345-7abc-8def-0123456789ab";

/// The agents that a tenant sees, and the number of pages that they came on.
struct Seen {
    agents: Vec<Agent>,
    pages: usize,
}

impl Seen {
    fn agent(&self, name: &str) -> Result<&Agent> {
        self.agents
            .iter()
            .find(|agent| agent.name.as_str() == name)
            .with_context(|| format!("no agent `{name}`"))
    }

    fn id(&self, name: &str) -> Result<String> {
        Ok(self.agent(name)?.id.to_string())
    }

    fn names(&self) -> Vec<&str> {
        self.agents.iter().map(|agent| agent.name.as_str()).collect()
    }
}

pub(crate) fn test(port: u16) -> Result<()> {
    let [acme, globex] = ACTIVE;
    let seen = list(port, acme, "")?;
    let other = list(port, globex, "")?;
    let deleted = list(port, acme, "status=deleted")?;
    ensure!(seen.names() == ["translator", "support", "triage"], "the first tenant sees {:?}", seen.names());
    ensure!(
        other.names() == ["translator", "support", "dispatch"],
        "the second tenant sees {:?}",
        other.names()
    );
    ensure!(deleted.names() == ["retired"], "the deleted agents are {:?}", deleted.names());
    ensure!(seen.pages > 1, "all agents fit on one page, so paging was not tested");
    println!(
        "    the agents of two tenants have the form of servers, on {} and {} pages",
        seen.pages, other.pages
    );

    let [own, foreign] = [seen.id("support")?, other.id("support")?];
    let (shared, retired) = (seen.id("translator")?, deleted.id("retired")?);
    statuses(port, &[&own, &foreign, &shared, &retired])?;
    absent_is_foreign(port, &foreign)?;
    heartbeats(port, seen.agent("support")?, other.agent("support")?)
}

/// Checks the status of every method and path, for the first tenant.
fn statuses(port: u16, [own, foreign, shared, retired]: &[&str; 4]) -> Result<()> {
    let cases = [
        (200, "GET", format!("/{own}")),
        (200, "HEAD", format!("/{own}")),
        (200, "GET", format!("/{}", own.replace('-', "").to_uppercase())),
        (200, "GET", format!("/{shared}")),
        (200, "GET", format!("/{retired}")),
        (200, "GET", format!("?after={own}")),
        (200, "GET", format!("?status=draft&after={ABSENT}")),
        (404, "GET", format!("/{foreign}")),
        (404, "GET", format!("/{ABSENT}")),
        (404, "GET", "/no-id".into()),
        (404, "GET", "/".into()),
        (404, "GET", format!("/{own}/")),
        (404, "GET", format!("/{own}/heartbeat/")),
        (400, "GET", "?after=no-id".into()),
        (400, "GET", format!("?after={own}&after={own}")),
        (400, "GET", "?status=alive".into()),
        (400, "GET", "?tenant=6ba7b810-9dad-41d1-80b4-00c04fd430c8".into()),
        (405, "POST", String::new()),
        (405, "DELETE", format!("/{own}")),
        (405, "GET", format!("/{own}/heartbeat")),
        (403, "POST", format!("/{shared}/heartbeat")),
        (404, "POST", format!("/{foreign}/heartbeat")),
        (404, "POST", format!("/{ABSENT}/heartbeat")),
        (404, "POST", "/no-id/heartbeat".into()),
        (410, "POST", format!("/{retired}/heartbeat")),
    ];
    for (expected, method, path) in &cases {
        let response = send(port, ACTIVE[0], method, path)?;
        let got = status(&response);
        ensure!(got == Some(*expected), "{method} {path} got {got:?}, not {expected}");
        let allowed = field(&response, "Allow");
        ensure!(allowed.is_some() == (*expected == 405), "{method} {path} allows {allowed:?}");
        ensure!(*method != "HEAD" || body(&response) == Some(b""), "{method} {path} has a body");
    }
    for (expected, fields) in [(400, String::new()), (403, tenant(SUSPENDED)), (404, tenant(UNKNOWN))] {
        for line in ["GET /v1/agents".to_owned(), format!("POST /v1/agents/{own}/heartbeat")] {
            let got = status(&request(port, &line, fields.as_bytes())?);
            ensure!(got == Some(expected), "{line} for {fields:?} got {got:?}, not {expected}");
        }
    }
    println!("    {} requests for agents, each with its status", cases.len() + 6);
    Ok(())
}

/// Checks that the response for another tenant's agent is the same, byte for byte, as for an id that no agent has
/// (open-mercato/open-mercato#1428: the status revealed that the agent exists).
fn absent_is_foreign(port: u16, foreign: &str) -> Result<()> {
    for (method, end) in [("GET", ""), ("POST", "/heartbeat")] {
        let of = |id: &str| send(port, ACTIVE[0], method, &format!("/{id}{end}"));
        let (other, absent, malformed) = (of(foreign)?, of(ABSENT)?, of("no-id")?);
        ensure!(status(&other) == Some(404), "the agent of another tenant: {}", other.escape_ascii());
        ensure!(other == absent, "{method}: {} is not {}", other.escape_ascii(), absent.escape_ascii());
        ensure!(other == malformed, "{method}: {} is not {}", other.escape_ascii(), malformed.escape_ascii());
    }
    println!("    same bytes for another tenant's agent, an unused id and a malformed id");
    Ok(())
}

/// Checks that a heartbeat changes only the time of its agent, that the time increases, and that a heartbeat for another
/// tenant's agent has no effect.
fn heartbeats(port: u16, own: &Agent, foreign: &Agent) -> Result<()> {
    let [acme, globex] = ACTIVE;
    let read = |tenant, agent: &Agent| one(port, tenant, &agent.id.to_string());
    let beat = |agent: &Agent| send(port, acme, "POST", &format!("/{}/heartbeat", agent.id));
    ensure!(own.last_seen_at.is_none(), "last_seen_at is set before the first heartbeat");
    let mut last = *own.last_seen_at.as_ref().unwrap_or(&own.created_at);
    for _ in 0..2 {
        let response = beat(own)?;
        ensure!(status(&response) == Some(204), "a heartbeat got {}", response.escape_ascii());
        ensure!(body(&response) == Some(b""), "the response to a heartbeat has a body");
        let now = read(acme, own)?;
        let seen_at = now.last_seen_at.context("the heartbeat was not stored")?;
        ensure!(seen_at > last, "a heartbeat at {seen_at:?}, which is not after {last:?}");
        ensure!(Agent { last_seen_at: None, ..now } == *own, "a heartbeat changed more than last_seen_at");
        last = seen_at;
        // The clock of the device counts milliseconds.
        thread::sleep(Duration::from_millis(5));
    }
    beat(foreign)?;
    ensure!(read(globex, foreign)? == *foreign, "a heartbeat for another tenant's agent was stored");
    println!("    heartbeats change the time of their tenant's agent, and nothing else");
    Ok(())
}

/// Returns the agents on all pages of a list.
fn list(port: u16, tenant: &str, query: &str) -> Result<Seen> {
    let mut seen = Seen { agents: Vec::new(), pages: 0 };
    let mut path = format!("?{query}");
    loop {
        let response = send(port, tenant, "GET", &path)?;
        ensure!(status(&response) == Some(200), "{path} got {}", response.escape_ascii());
        let page: Value = serde_json::from_slice(body(&response).unwrap_or_default())?;
        ensure!(page.as_object().is_some_and(|page| page.len() == 2), "unexpected members: {page}");
        for agent in page["agents"].as_array().context("no agents")? {
            let agent: Agent = serde_json::from_value(agent.clone())?;
            ensure!(seen.agents.last().is_none_or(|last| last.id < agent.id), "out of order: {page}");
            ensure!(
                one(port, tenant, &agent.id.to_string())? == agent,
                "differs from the agent at its own path: {page}"
            );
            ensure!(
                (agent.status == AgentStatus::Deleted) == query.contains("deleted"),
                "wrong status for this list: {page}"
            );
            seen.agents.push(agent);
        }
        seen.pages += 1;
        match &page["next"] {
            Value::Null => return Ok(seen),
            Value::String(next) if seen.pages < 20 => path = format!("?{query}&after={next}"),
            next => bail!("invalid start of the next page: {next}"),
        }
    }
}

/// Returns an agent, and checks that its bytes are those that a server writes.
fn one(port: u16, tenant: &str, id: &str) -> Result<Agent> {
    let response = send(port, tenant, "GET", &format!("/{id}"))?;
    let text = body(&response).and_then(|body| body.strip_suffix(b"\n")).unwrap_or_default();
    let agent: Agent =
        serde_json::from_slice(text).with_context(|| format!("not an agent: {}", response.escape_ascii()))?;
    let ours = serde_json::to_vec(&agent)?;
    ensure!(ours == text, "a server writes {}, the device {}", ours.escape_ascii(), text.escape_ascii());
    Ok(agent)
}

/// Sends a request as a tenant. Repeats it while the tenant is over its limit, which another test covers.
fn send(port: u16, of: &str, method: &str, path: &str) -> Result<Vec<u8>> {
    let line = format!("{method} /v1/agents{path}");
    for _ in 0..5 {
        let response = request(port, &line, tenant(of).as_bytes())?;
        if status(&response) != Some(429) {
            return Ok(response);
        }
        thread::sleep(Duration::from_secs(1));
    }
    bail!("{line}: still over the limit after 5 s")
}

fn tenant(id: &str) -> String {
    format!("X-Tenant-ID: {id}\r\n")
}

/// Returns curl commands to try, with ids of the device's agents.
pub(crate) fn curl_lines(port: u16) -> Result<Vec<String>> {
    let [acme, globex] = ACTIVE;
    let (own, other) = (list(port, acme, "")?, list(port, globex, "")?);
    let (support, shared, foreign) = (own.id("support")?, own.id("translator")?, other.id("support")?);
    let deleted = list(port, acme, "status=deleted")?.id("retired")?;
    let line = |options: &str, path: &str, why: &str| {
        let url = format!("'http://127.0.0.1:{port}/v1/agents{path}'");
        format!("curl {options} -H 'X-Tenant-ID: {acme}' {url}   # {why}")
    };
    Ok(vec![
        line("", "", "a page of its agents and those shared by the platform"),
        line("", &format!("?after={support}"), "the agents after this one"),
        line("", &format!("/{support}"), "one agent"),
        line("-i -X POST", &format!("/{support}/heartbeat"), "204: last_seen_at changes"),
        line("-i", &format!("/{foreign}"), "404: the agent of another tenant"),
        line("-i", &format!("/{ABSENT}"), "404: an unused id gets the same response"),
        line("-i -X POST", &format!("/{shared}/heartbeat"), "403: shared by the platform"),
        line("-i -X POST", &format!("/{deleted}/heartbeat"), "410: deleted"),
        line("-i -X DELETE", &format!("/{support}"), "405: no such method"),
    ])
}
