//! Parses a tenant id in any of its four text forms.

#![no_std]
#![no_main]

use core::hint::black_box;

use firmware_probe as _;
use tenancy::TenantId;

#[cortex_m_rt::entry]
fn main() -> ! {
    loop {
        black_box(TenantId::parse_ascii(black_box(b"550e8400-e29b-41d4-a716-446655440000")).is_ok());
    }
}
