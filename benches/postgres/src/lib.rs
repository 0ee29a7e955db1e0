//! What the benchmarks of tenancy-postgres need: tables, peers, and a network's latency.

mod delay;
mod peers;
mod tables;

pub use delay::Delay;
pub use peers::{Guide, Plain, Separate};
pub use tables::{LARGE, NOTES, TENANT, key, large, notes, peers_notes};
