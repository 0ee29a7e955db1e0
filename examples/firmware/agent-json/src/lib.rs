//! The JSON form of an agent, written into fixed memory without an allocator.
//!
//! The output equals, byte for byte, what servers write with the `json` feature of `tenancy-agents`. `cargo xtask`
//! tests this on the host for every character and for times across the whole range.

#![no_std]

mod agent;
mod page;
mod quoted;
mod rfc3339;

pub use agent::write_agent;
pub use page::Page;
pub use quoted::Quoted;
pub use rfc3339::Rfc3339;
