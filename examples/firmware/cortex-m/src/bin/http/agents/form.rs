//! Agents as JSON: the form that hosts write and read, member by member.

use core::fmt::{self, Write};

use tenancy_agents::{Agent, AgentId, UnixMillis};

use crate::answer::Body;
use crate::json::Quoted;
use crate::rfc3339::Rfc3339;

/// What ends a page, at its longest: a bracket, the name, an id in quotes, a brace, a line's end.
const END: usize = "],\"next\":\"\"}\n".len() + 36;

/// One agent, on a line.
pub(super) fn write_one(agent: &Agent, body: &mut Body) -> fmt::Result {
    write(agent, body)?;
    body.write_char('\n')
}

/// A page of agents: as many as fit.
pub(super) struct Page<'b> {
    body: &'b mut Body,
    last: Option<AgentId>,
    is_full: bool,
}

impl<'b> Page<'b> {
    pub(super) fn begin(body: &'b mut Body) -> Self {
        let is_full = body.write_str("{\"agents\":[").is_err();
        Self { body, last: None, is_full }
    }

    /// Adds an agent, whole or not at all; behind one that did not fit comes none.
    pub(super) fn push(&mut self, agent: &Agent) {
        if self.is_full {
            return;
        }
        let before = self.body.len();
        let comma = if self.last.is_some() { "," } else { "" };
        let written = self.body.write_str(comma).and_then(|()| write(agent, self.body));
        if written.is_ok() && self.body.len() + END <= self.body.capacity() {
            self.last = Some(agent.id);
        } else {
            self.body.truncate(before);
            self.is_full = true;
        }
    }

    /// `next` is where the next page begins if all of this one did fit. Fails where not even one did.
    pub(super) fn end(self, next: Option<AgentId>) -> fmt::Result {
        let next = if self.is_full { Some(self.last.ok_or(fmt::Error)?) } else { next };
        match next {
            Some(id) => writeln!(self.body, "],\"next\":\"{id}\"}}"),
            None => writeln!(self.body, "],\"next\":null}}"),
        }
    }
}

fn write(agent: &Agent, body: &mut Body) -> fmt::Result {
    let content = &agent.content;
    write!(body, "{{\"id\":\"{}\",\"tenant\":\"{}\",\"name\":\"{}\"", agent.id, agent.tenant, agent.name)?;
    write!(body, ",\"display_name\":{}", Quoted(content.display_name.as_str()))?;
    write!(body, ",\"description\":{}", Quoted(content.description.as_str()))?;
    write!(body, ",\"version\":{}", Quoted(content.version.as_str()))?;
    write!(
        body,
        ",\"tier\":\"{}\",\"visibility\":\"{}\",\"capabilities\":[",
        content.tier, content.visibility
    )?;
    for (at, tag) in content.capabilities.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        write!(body, "{comma}\"{tag}\"")?;
    }
    write!(body, "],\"endpoint\":{}", Quoted(content.endpoint.as_str()))?;
    // A device has no cards.
    write!(body, ",\"owner\":{},\"card\":null", Quoted(content.owner.as_str()))?;
    write!(body, ",\"status\":\"{}\",\"revision\":{}", agent.status, agent.revision)?;
    let (created_at, updated_at) = (Rfc3339(agent.created_at.0), Rfc3339(agent.updated_at.0));
    write!(body, ",\"created_at\":\"{created_at}\",\"updated_at\":\"{updated_at}\"")?;
    match agent.last_seen_at {
        Some(UnixMillis(time)) => write!(body, ",\"last_seen_at\":\"{}\"}}", Rfc3339(time)),
        None => body.write_str(",\"last_seen_at\":null}"),
    }
}
