#![doc = include_str!("../README.md")]

pub mod access_log;
pub mod agents;
pub mod app;
pub mod auth;
pub mod caching;
pub mod config;
pub mod database;
pub mod deadline;
pub mod events;
pub mod examples;
mod extract;
pub mod files;
pub mod greeting;
pub mod head;
pub mod host;
pub mod limit;
pub mod logging;
pub mod notes;
mod object;
pub mod openapi;
pub mod own;
pub mod page;
mod places;
pub mod principals;
pub mod problem;
pub mod secret;
pub mod serve;
pub mod shared;
pub mod signal;
pub mod tenants;
pub mod transfer;

/// Compiles the examples of the guides.
#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../../../docs/migrating-from-python.md")]
    struct MigratingFromPython;
}
