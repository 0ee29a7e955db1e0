#![doc = include_str!("../README.md")]

#[cfg(feature = "acl")]
mod acl;
#[cfg(feature = "tokio")]
mod aio;
#[cfg(feature = "cache")]
pub mod cache;
mod client;
mod confines;
mod errors;
mod grammar;
mod packed;
mod policy;
mod prefix;
mod pubsub;
mod refusal;
mod reply;
mod rewrite;
mod scripts;
mod sync;
mod table;

#[cfg(feature = "acl")]
pub use acl::TenantAcl;
#[cfg(feature = "cache")]
pub use cache::TenantCache;
pub use client::TenantRedis;
pub use policy::RedisPolicy;
pub use pubsub::{TenantMsg, TenantPubSub};
pub use refusal::{Refusal, refusal};
pub use scripts::TrustedScripts;
