//! A single agent.

use core::fmt::{self, Write};

use tenancy_agents::{Agent, UnixMillis};

use crate::quoted::Quoted;
use crate::rfc3339::Rfc3339;

/// Writes an agent as a JSON object, with its members in the order in which servers write them.
///
/// # Errors
///
/// Fails if `output` does, or if one of the agent's times is after 9999-12-30T22:00:00Z. A part of the object may have
/// been written in this case.
pub fn write_agent(agent: &Agent, output: &mut impl Write) -> fmt::Result {
    let content = &agent.content;
    write!(output, "{{\"id\":\"{}\",\"tenant\":\"{}\",\"name\":\"{}\"", agent.id, agent.tenant, agent.name)?;
    write!(output, ",\"display_name\":{}", Quoted(content.display_name.as_str()))?;
    write!(output, ",\"description\":{}", Quoted(content.description.as_str()))?;
    write!(output, ",\"version\":{}", Quoted(content.version.as_str()))?;
    write!(output, ",\"tier\":\"{}\",\"visibility\":\"{}\"", content.tier, content.visibility)?;
    output.write_str(",\"capabilities\":[")?;
    for (index, capability) in content.capabilities.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        write!(output, "{comma}\"{capability}\"")?;
    }
    write!(output, "],\"endpoint\":{}", Quoted(content.endpoint.as_str()))?;
    // Without the `json` feature of `tenancy-agents`, an agent cannot have a card.
    write!(output, ",\"owner\":{},\"card\":null", Quoted(content.owner.as_str()))?;
    write!(output, ",\"status\":\"{}\",\"revision\":{}", agent.status, agent.revision)?;
    let (created_at, updated_at) = (Rfc3339(agent.created_at.0), Rfc3339(agent.updated_at.0));
    write!(output, ",\"created_at\":\"{created_at}\",\"updated_at\":\"{updated_at}\"")?;
    match agent.last_seen_at {
        Some(UnixMillis(time)) => write!(output, ",\"last_seen_at\":\"{}\"}}", Rfc3339(time)),
        None => output.write_str(",\"last_seen_at\":null}"),
    }
}
