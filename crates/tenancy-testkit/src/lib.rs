#![cfg_attr(
    all(feature = "postgres", feature = "redis", feature = "tenants"),
    doc = include_str!("../README.md")
)]
#![cfg_attr(
    not(all(feature = "postgres", feature = "redis", feature = "tenants")),
    doc = "Test support for multi-tenant programs. The features `postgres`, `redis` and `tenants` add servers and fixtures."
)]
#![cfg_attr(feature = "document-features", doc = "\n## Features\n")]
#![cfg_attr(feature = "document-features", doc = document_features::document_features!())]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod allocations;
#[cfg(any(feature = "nats", feature = "postgres", feature = "redis"))]
mod error;
pub mod header_cases;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "postgres")]
mod postgres;
pub mod process;
#[cfg(any(feature = "nats", feature = "postgres", feature = "redis"))]
mod programs;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "nats", feature = "postgres", feature = "redis"))]
mod start;
#[cfg(feature = "tenants")]
mod tenants;

#[cfg(any(feature = "nats", feature = "postgres", feature = "redis"))]
pub use error::Error;
#[cfg(feature = "nats")]
pub use nats::NatsServer;
#[cfg(feature = "postgres")]
pub use postgres::{PgOptions, PgServer, pgbouncer::PgBouncer};
#[cfg(feature = "redis")]
pub use redis::{
    RedisOptions, RedisServer,
    cluster::{ClusterNode, RedisCluster},
};
#[cfg(feature = "tenants")]
pub use tenants::{TestTenant, TwoTenants, census};
