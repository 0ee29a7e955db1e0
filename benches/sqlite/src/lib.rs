//! A service of notes on the tenants' files, and its peers on one shared file.

pub mod client;
pub mod files;
pub mod service;
pub mod shared;

use tenancy::TenantId;

/// The notes of each tenant before a measurement.
pub const NOTES: i64 = 100;

/// The text of a note.
pub const TEXT: &str = "Order forty anvils, and ask when the next delivery arrives.";

/// A tenant per number. The ids look as random as those of a real service.
pub fn tenant(number: usize) -> TenantId {
    let mixed = (number as u128 + 1).wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645);
    TenantId::from_bytes((mixed ^ mixed >> 64).to_be_bytes()).unwrap_or(TenantId::PLATFORM)
}

/// The bearer token of a tenant.
pub fn token(number: usize) -> String {
    format!("secret-{}", tenant(number).simple())
}
