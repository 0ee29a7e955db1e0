//! The program as a process, and a client that shows what is sent.

pub(crate) mod agents;
pub(crate) mod call;
pub(crate) mod database;
pub(crate) mod h2;
pub(crate) mod process;
pub(crate) mod redis_server;
pub(crate) mod store;

pub(crate) const ACME: &str = "550e8400-e29b-41d4-a716-446655440000";
pub(crate) const GLOBEX: &str = "6ba7b810-9dad-41d1-80b4-00c04fd430c8";
pub(crate) const INITECH: &str = "7d444840-9dc0-41d1-b245-5ffdce74fad2";
pub(crate) const PLATFORM: &str = "00000000-0000-0000-0000-000000000001";
pub(crate) const NOBODY: &str = "11111111-2222-4333-8444-555555555555";

/// One of the demo's principals, in a tenant.
pub(crate) type Who = (&'static str, &'static str);

pub(crate) const ALICE: Who = ("alice", ACME);
pub(crate) const BOB: Who = ("bob", GLOBEX);
pub(crate) const OPERATOR: Who = ("operator", PLATFORM);

/// The deadline of every wait for a state.
pub(crate) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);
