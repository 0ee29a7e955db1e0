#![doc = include_str!("../README.md")]

pub mod agents;
pub mod app;
pub mod backends;
pub mod config;
pub mod database;
pub mod events;
pub mod examples;
mod extract;
pub mod files;
pub mod greeting;
mod json;
pub mod logging;
pub mod metrics;
pub mod middleware;
pub mod notes;
mod openapi;
pub mod operations;
pub mod page;
pub mod paths;
pub mod principals;
pub mod problem;
pub mod routes;
pub mod secret;
pub mod security;
mod semaphores;
pub mod serve;
pub mod service;
pub mod shared;
pub mod signal;
pub mod state;
pub mod system;
pub mod tenants;
pub mod transfer;

/// Compiles the examples of the guides.
#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../../../docs/migrating-from-python.md")]
    struct MigratingFromPython;
}
