#![doc = include_str!("../README.md")]
#![cfg_attr(feature = "document-features", doc = "\n## Features\n")]
#![cfg_attr(feature = "document-features", doc = document_features::document_features!())]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "acl")]
mod acl;
#[cfg(feature = "tokio")]
mod aio;
mod arguments;
#[cfg(feature = "cache")]
pub mod cache;
mod client;
mod errors;
#[cfg(feature = "tokio")]
mod flush;
mod grammar;
#[cfg(any(feature = "lock", feature = "rate-limit"))]
mod internal_script;
#[cfg(feature = "lock")]
pub mod lock;
#[cfg(feature = "tokio")]
mod nodes;
mod packed;
mod policy;
#[cfg(feature = "tokio")]
mod pooled;
mod prefix;
mod pubsub;
#[cfg(feature = "rate-limit")]
pub mod rate_limit;
mod refusal;
mod refused;
mod reply;
mod rewrite;
mod scope;
mod scripts;
mod sync;
mod table;
#[cfg(feature = "tokio")]
mod usage;
mod writer;

#[cfg(feature = "acl")]
pub use acl::TenantAcl;
#[cfg(feature = "cache")]
pub use cache::TenantCache;
pub use client::TenantRedis;
#[cfg(feature = "tokio")]
pub use flush::FlushReport;
pub use policy::RedisPolicy;
#[cfg(feature = "tokio")]
pub use pooled::Pooled;
#[cfg(feature = "tokio")]
pub use pubsub::PushMessages;
pub use pubsub::{TenantMsg, TenantPubSub};
pub use refusal::Refusal;
pub use refused::{RefusedCommand, refusal, refused};
pub use scripts::TrustedScripts;
#[cfg(feature = "tokio")]
pub use usage::Usage;
