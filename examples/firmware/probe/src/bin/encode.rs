//! Formats a tenant id.

#![no_std]
#![no_main]

use core::hint::black_box;

use firmware_probe as _;
use tenancy::TenantId;

#[cortex_m_rt::entry]
fn main() -> ! {
    loop {
        black_box(black_box(TenantId::PLATFORM).encode(&mut [0; 36]));
    }
}
