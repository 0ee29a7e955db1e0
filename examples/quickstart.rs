//! The core on a host: `cargo run --example quickstart --features std`.

use std::thread;

use tenancy::{TenantContext, TenantId, tenant_id};

const ACME: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");

/// Needs no tenant among its arguments, and does nothing without one.
fn count_agents() -> Result<usize, tenancy::TenantError> {
    let tenant = TenantContext::get()?;
    println!("counting the agents of {tenant}");
    Ok(3)
}

fn main() -> Result<(), tenancy::TenantError> {
    // The text comes from outside: a header, a topic, a file name.
    let tenant = TenantId::parse("{550E8400-E29B-41D4-A716-446655440000}")?;
    assert_eq!(tenant, ACME);

    if let Err(error) = count_agents() {
        println!("outside: {error}");
    }
    TenantContext::scope(tenant, count_agents)?;

    // A thread starts unset; carrying the tenant over is explicit.
    TenantContext::scope(tenant, || {
        let bare = thread::spawn(count_agents).join().expect("no panic");
        let bound = thread::spawn(TenantContext::bind(count_agents)).join().expect("no panic");
        println!("a thread sees {}", if bare.is_err() { "none" } else { "a tenant" });
        println!("a bound one sees {}", if bound.is_ok() { "the same tenant" } else { "none" });
    });

    println!("afterwards: {:?}", TenantContext::get_optional());
    println!("bad input: {}", TenantId::parse("550e8400-e29b-41d4").unwrap_err());
    Ok(())
}
