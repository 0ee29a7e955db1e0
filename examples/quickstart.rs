//! Shows the core on a host.
//!
//! Run it with `cargo run --example quickstart --features std`.

use std::thread;

use tenancy::{TenantContext, TenantId, tenant_id};

const ACME: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");

/// Reads the tenant from the context. Returns an error if no tenant is set.
fn count_agents() -> Result<usize, tenancy::TenantError> {
    let tenant = TenantContext::get()?;
    println!("counting agents of tenant {tenant}");
    Ok(3)
}

fn main() -> Result<(), tenancy::TenantError> {
    // In a real program this text comes from a header, a topic or a file name.
    let tenant = TenantId::parse("{550E8400-E29B-41D4-A716-446655440000}")?;
    assert_eq!(tenant, ACME);

    // Outside of a scope there is no tenant.
    if let Err(error) = count_agents() {
        println!("outside of a scope: {error}");
    }
    let count = TenantContext::scope(tenant, count_agents)?;
    println!("inside of a scope: {count} agents");

    // A new thread starts without a tenant. `bind` passes the current one on.
    TenantContext::scope(tenant, || {
        let plain = thread::spawn(count_agents).join().expect("the thread does not panic");
        let bound =
            thread::spawn(TenantContext::bind(count_agents)).join().expect("the thread does not panic");
        println!("in a new thread: {}", if plain.is_err() { "no tenant" } else { "a tenant" });
        println!("in a thread with `bind`: {}", if bound.is_ok() { "the same tenant" } else { "no tenant" });
    });

    println!("after the scope: {:?}", TenantContext::get_optional());
    println!("invalid input: {}", TenantId::parse("550e8400-e29b-41d4").unwrap_err());
    Ok(())
}
