//! Integration tests of the crate, in one program.

#[cfg(feature = "acl")]
mod acl;
#[cfg(all(feature = "acl", feature = "tokio"))]
mod acl_aio;
#[cfg(feature = "tokio")]
mod aio;
#[cfg(feature = "cache")]
mod cache;
#[cfg(feature = "tokio")]
mod cancel;
#[cfg(feature = "cluster")]
mod cluster;
mod confines;
#[cfg(feature = "tokio")]
mod flush;
#[cfg(feature = "tokio")]
mod hostile;
mod isolation;
#[cfg(feature = "lock")]
mod lock;
#[cfg(feature = "tokio")]
mod model;
#[cfg(feature = "tokio")]
mod pooled;
mod pubsub;
#[cfg(feature = "tokio")]
mod pubsub_aio;
#[cfg(feature = "tokio")]
mod pubsub_push;
#[cfg(feature = "rate-limit")]
mod rate_limit;
#[cfg(feature = "tokio")]
mod readme;
#[cfg(feature = "tokio")]
mod restart;
mod support;
mod table;
