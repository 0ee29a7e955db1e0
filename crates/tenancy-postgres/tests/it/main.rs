//! Integration tests of `tenancy-postgres`.

mod support;

mod admin;
mod attacks;
mod attacks_from_docs;
mod audit;
mod audit_calls;
#[cfg(feature = "cli")]
mod audit_cli;
mod audit_pgrls;
mod audit_privileges;
mod audit_state;
mod binding;
mod cancel;
#[cfg(feature = "cli")]
mod cli;
mod context_v2;
mod db;
#[cfg(feature = "directory")]
mod directory;
mod faults;
mod hostile;
#[cfg(feature = "token")]
mod jobs;
mod layers;
mod pgbouncer;
mod pool;
#[cfg(feature = "cli")]
mod readme;
mod sql;
#[cfg(feature = "sqlx")]
mod sqlx;
mod table;
mod transactions;
mod upgrade;
