//! What the benchmarks of tenancy-postgres need: tables, peers, and a network's latency.

#![allow(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    reason = "a benchmark stops where anything fails"
)]

mod delay;
mod peers;
mod tables;

pub use delay::Delay;
pub use peers::{Guide, INSERT, Plain, SELECT, Separate, UPDATE};
pub use tables::{NOTES, TENANT, key, large, notes, peers_notes};
