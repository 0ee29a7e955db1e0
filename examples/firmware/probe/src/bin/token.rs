//! Minting and verifying a token.

#![no_std]
#![no_main]

use core::hint::black_box;

use firmware_probe as _;
use tenancy::TenantId;
use tenancy_token::{Claims, MAX_TOKEN, TokenKey, UnixSeconds, Verifier};

#[cortex_m_rt::entry]
fn main() -> ! {
    loop {
        let Ok(key) = TokenKey::hmac(black_box(b"k1"), black_box(&[7; 32])) else { continue };
        let claims = Claims::new(black_box(TenantId::PLATFORM), black_box("jobs"), UnixSeconds(black_box(1)))
            .subject(black_box("device"))
            .id(black_box(b"12345678"));
        let mut buffer = [0; MAX_TOKEN];
        let Ok(token) = key.mint(&claims, &mut buffer) else { continue };
        let Ok(verifier) = Verifier::<1>::new("jobs").key(key) else { continue };
        black_box(
            verifier.verify(token, UnixSeconds(black_box(0))).map(|verified| verified.tenant()).is_ok(),
        );
    }
}
