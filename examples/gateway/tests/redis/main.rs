//! Instances of the service that share a Redis.

#[path = "../common/mod.rs"]
mod common;

mod instance;
mod limits;
mod notes;
mod outage;
mod quota;
mod start;
