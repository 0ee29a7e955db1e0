//! What the tests share.

#![allow(dead_code, unused_imports, reason = "each test file uses its part")]

pub(crate) mod drops;
pub(crate) mod leavings;
pub(crate) mod pgbouncer;
pub(crate) mod proxy;
pub(crate) mod schema;
pub(crate) mod server;
pub(crate) mod tenants;

pub(crate) use server::Server;
