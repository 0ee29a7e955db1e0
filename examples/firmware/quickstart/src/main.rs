//! The core on a device: parse, set, get, scope, clear.

#![no_std]
#![no_main]

use cortex_m as _;
use cortex_m_rt::entry;
use firmware_kit as _;
use tenancy::{TenantContext, TenantId, tenant_id};

const ACME: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");

#[entry]
fn main() -> ! {
    let mut wrong = 0;

    defmt::info!("before: {}", TenantContext::get());
    match TenantId::parse("urn:uuid:550E8400-E29B-41D4-A716-446655440000") {
        Ok(tenant) => {
            wrong += u32::from(tenant != ACME);
            TenantContext::set(tenant);
        }
        Err(_) => wrong += 1,
    }
    defmt::info!("set: {}", TenantContext::get());
    wrong += u32::from(TenantContext::get() != Ok(ACME));

    TenantContext::scope(TenantId::PLATFORM, || {
        defmt::info!("in a scope: {}", TenantContext::get());
        wrong += u32::from(TenantContext::get() != Ok(TenantId::PLATFORM));
    });
    defmt::info!("after the scope: {}", TenantContext::get());
    wrong += u32::from(TenantContext::get() != Ok(ACME));

    TenantContext::clear();
    defmt::info!("cleared: {}", TenantContext::get());
    wrong += u32::from(TenantContext::is_set());

    for text in
        ["", "550e8400", "550e8400-e29b-41d4-a716-44665544000g", "00000000-0000-0000-0000-000000000000"]
    {
        match TenantId::parse(text) {
            Ok(_) => wrong += 1,
            Err(error) => defmt::info!("refused: {}", error),
        }
    }
    firmware_kit::exit(wrong)
}
