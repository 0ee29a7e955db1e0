//! Stores with many agents, and peers, for the benchmarks of tenancy-agents.

#![allow(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    reason = "a benchmark stops at the first failure"
)]

mod files;
mod map;
mod postgres;

use std::sync::atomic::{AtomicU64, Ordering};

use tenancy::{TenantId, tenant_id};
use tenancy_agents::AgentId;
use uuid::Uuid;

pub use files::{ByHand, empty_files, files, fill};
pub use map::Map;
pub use postgres::{PlainPostgres, client, connect, fill_postgres, set_up};

/// The tenant whose agents are used.
pub const TENANT: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");

/// One of many tenants.
pub fn tenant(number: u64) -> TenantId {
    let id = 0x5eed_0000_0000_4000_8000_0000_0000_0000_u128 | u128::from(number);
    TenantId::from_bytes(id.to_be_bytes()).expect("neither nil nor max")
}

/// The id of the agent with this number in a filled store.
pub fn id(number: u64) -> AgentId {
    AgentId::from_uuid(Uuid::from_u128(u128::from(number)))
}

/// A number below `end`, which differs from call to call and looks random (Knuth's multiplicative hash): the data of
/// the previous calls is not in the caches.
pub fn scattered(end: u64) -> u64 {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    (call.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) % end
}
