#![doc = include_str!("../README.md")]

#[cfg(feature = "tokio")]
mod aio;
mod client;
mod grammar;
mod packed;
mod refusal;
mod reply;
mod rewrite;
mod sync;
mod table;

pub use client::TenantRedis;
pub use refusal::{Refusal, refusal};
