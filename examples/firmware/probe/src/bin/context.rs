//! The context: `set`, `get`, `scope` and `clear`.

#![no_std]
#![no_main]

use core::hint::black_box;

use firmware_probe as _;
use tenancy::{TenantContext, TenantId};

#[cortex_m_rt::entry]
fn main() -> ! {
    loop {
        TenantContext::set(black_box(TenantId::PLATFORM));
        black_box(TenantContext::get().is_ok());
        TenantContext::scope(black_box(TenantId::PLATFORM), cortex_m::asm::nop);
        TenantContext::clear();
    }
}
