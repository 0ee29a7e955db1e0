//! The basic operations on a device: parse an id; set, get, scope and clear the context; build keys for shared stores.

#![no_std]
#![no_main]

use cortex_m as _;
use cortex_m_rt::entry;
use firmware_kit as _;
use tenancy::{TenantContext, TenantId, TenantKey, TenantTopic, tenant_id};

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
            Err(error) => defmt::info!("rejected: {}", error),
        }
    }
    wrong += TenantContext::scope(ACME, keys);
    firmware_kit::exit(wrong)
}

/// Builds a key for a store in flash and a topic for a message broker. Returns the number of wrong results.
fn keys() -> u32 {
    let mut wrong = 0;
    match TenantKey::<48>::current(b"boot-count") {
        Ok(key) => {
            defmt::info!("{}: {=[u8]:a}", key, key.as_bytes());
            wrong += u32::from(TenantKey::<48>::strip(ACME, key.as_bytes()) != Ok(b"boot-count"));
            let foreign = TenantKey::<48>::strip(TenantId::PLATFORM, key.as_bytes());
            defmt::info!("for another tenant: {}", foreign.err());
            wrong += u32::from(foreign.is_ok());
        }
        Err(_) => wrong += 1,
    }
    match TenantTopic::<48>::current(b"doors/+") {
        Ok(topic) => defmt::info!("topic: {=[u8]:a}", topic.as_bytes()),
        Err(_) => wrong += 1,
    }
    defmt::info!("longer than 48 bytes: {}", TenantKey::<48>::current(b"calibration-of-axis-2").err());
    wrong
}
