//! The agents of the current tenant: what `/v1/agents` does.

mod form;
mod seed;
mod source;

use tenancy_agents::{AgentError, AgentId, AgentRegistry, FixedStore, Query, immediate};

use crate::answer::{Body, Served};
use crate::refusal::Refusal;
use form::Page;
use source::Device;

pub(crate) use seed::plant;

/// Of a tenant there are no more than 4. An agent has 1.7 KiB: this is what the other statics and the stack leave.
static AGENTS: FixedStore<8> = FixedStore::with_quota(4);

static REGISTRY: AgentRegistry<&FixedStore<8>, Device> = AgentRegistry::new(&AGENTS, Device);

const TOO_LARGE: Refusal = Refusal::internal("the agent does not fit into an answer");

// None of these three is a part of its caller: an agent, which they have on the stack, is not there for the others.

#[inline(never)]
pub(crate) fn list(query: &Query, body: &mut Body) -> Result<Served, Refusal> {
    let mut page = Page::begin(body);
    let next = immediate(REGISTRY.list(query, |agent| page.push(&agent)))?;
    page.end(next).map_err(|_| TOO_LARGE)?;
    Ok(Served::Json)
}

#[inline(never)]
pub(crate) fn read(id: Option<AgentId>, body: &mut Body) -> Result<Served, Refusal> {
    match immediate(REGISTRY.get(id.ok_or(AgentError::NotFound)?)) {
        Ok(agent) => form::write_one(&agent, body).map_err(|_| TOO_LARGE)?,
        Err(error) => return Err(error.into()),
    }
    Ok(Served::Json)
}

#[inline(never)]
pub(crate) fn heartbeat(id: Option<AgentId>) -> Result<Served, Refusal> {
    immediate(REGISTRY.heartbeat(id.ok_or(AgentError::NotFound)?))?;
    Ok(Served::Silently)
}
