//! The operations of `/v1/agents` on the agents of the current tenant.

mod device;
mod registry;
mod seed;

use core::fmt::Write;

use firmware_agent_json::{Page, write_agent};
use tenancy_agents::{AgentError, AgentId, Query, block_on_ready};

use crate::rejection::Rejection;
use crate::response::{Body, Outcome};
use registry::REGISTRY;

pub(crate) use seed::register_all;

const TOO_LARGE: Rejection = Rejection::internal("the agent does not fit into a response");

// The functions are not inlined: otherwise the agents that each of them has on the stack would add up in their caller.

#[inline(never)]
pub(crate) fn list(query: &Query, body: &mut Body) -> Result<Outcome, Rejection> {
    let mut page = Page::begin(body);
    let next = block_on_ready(REGISTRY.list(query, |agent| page.push(&agent)))?;
    page.end(next).map_err(|_| TOO_LARGE)?;
    Ok(Outcome::Json)
}

#[inline(never)]
pub(crate) fn read(id: Option<AgentId>, body: &mut Body) -> Result<Outcome, Rejection> {
    match block_on_ready(REGISTRY.get(id.ok_or(AgentError::NotFound)?)) {
        Ok(agent) => write_agent(&agent, body).and_then(|()| body.write_char('\n')).map_err(|_| TOO_LARGE)?,
        Err(error) => return Err(error.into()),
    }
    Ok(Outcome::Json)
}

#[inline(never)]
pub(crate) fn heartbeat(id: Option<AgentId>) -> Result<Outcome, Rejection> {
    block_on_ready(REGISTRY.heartbeat(id.ok_or(AgentError::NotFound)?))?;
    Ok(Outcome::NoContent)
}
