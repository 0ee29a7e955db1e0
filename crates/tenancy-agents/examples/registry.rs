//! A tenant registers an agent, the platform approves it, and another tenant cannot see it:
//! `cargo run --example registry --features std`.

use std::error::Error;

use tenancy::{TenantContext, TenantId, tenant_id};
use tenancy_agents::{
    AgentContent, AgentName, AgentRegistry, Approval, Capabilities, Filter, FixedStore, Query, RandomIds,
    SystemClock, block_on_ready,
};

const ACME: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
const GLOBEX: TenantId = tenant_id!("6ba7b810-9dad-41d1-80b4-00c04fd430c8");

/// Up to 16 agents in fixed memory, at most 4 of them of one tenant. `SqliteStore` and `PgStore` follow the same
/// rules.
static STORE: FixedStore<16> = FixedStore::with_quota(4);

fn main() -> Result<(), Box<dyn Error>> {
    let registry = AgentRegistry::new(&STORE, SystemClock, RandomIds);

    // `block_on_ready` polls a future once: `FixedStore` never waits.
    let id = TenantContext::scope(ACME, || -> Result<_, Box<dyn Error>> {
        let content =
            AgentContent { capabilities: Capabilities::parse(["chat"])?, ..AgentContent::default() };
        let agent = block_on_ready(registry.register(AgentName::parse("support")?, content))?.agent;
        println!("registered: {:?}", agent.status);
        let agent = block_on_ready(registry.submit(agent.id))?;
        println!("submitted: {:?}", agent.status);
        Ok(agent.id)
    })?;

    // A tenant cannot approve its own agent: only the platform's context creates an `Approval`.
    let own = TenantContext::scope(ACME, || Approval::grant(ACME, id));
    println!("approval by acme: {}", own.err().map_or("granted".into(), |error| error.to_string()));
    let approval = TenantContext::scope(TenantId::PLATFORM, || Approval::grant(ACME, id))?;
    let agent = TenantContext::scope(ACME, || block_on_ready(registry.approve(id, &approval)))?;
    println!("approved: {:?}", agent.status);

    // Other tenants get the same error as for an id that does not exist.
    let seen = TenantContext::scope(GLOBEX, || block_on_ready(registry.get(id)));
    println!("read by globex: {}", seen.err().map_or("found".into(), |error| error.to_string()));

    for (name, tenant) in [("acme", ACME), ("globex", GLOBEX)] {
        let query = Query::first(Filter::default(), 10);
        let count = TenantContext::scope(tenant, || block_on_ready(registry.count(&query.filter)))?;
        println!("{name} lists {count} agents");
    }
    Ok(())
}
