//! Context, parser and formatter in one program.

#![no_std]
#![no_main]

use core::hint::black_box;

use firmware_probe as _;
use tenancy::{TenantContext, TenantId};

#[cortex_m_rt::entry]
fn main() -> ! {
    loop {
        if let Ok(tenant) = TenantId::parse_ascii(black_box(b"550e8400-e29b-41d4-a716-446655440000")) {
            TenantContext::set(tenant);
        }
        if let Ok(tenant) = TenantContext::get() {
            black_box(tenant.encode(&mut [0; 36]));
        }
        TenantContext::scope(black_box(TenantId::PLATFORM), cortex_m::asm::nop);
        TenantContext::clear();
    }
}
