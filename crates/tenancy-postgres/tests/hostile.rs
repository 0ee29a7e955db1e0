//! Hostile SQL of one tenant, and what it does to another's rows, statements and sessions.

mod common;

#[path = "hostile/audit.rs"]
mod audit;
#[path = "hostile/context.rs"]
mod context;
#[cfg(feature = "sqlx")]
#[path = "hostile/on_sqlx.rs"]
mod on_sqlx;
#[path = "hostile/pooler.rs"]
mod pooler;
#[path = "hostile/random.rs"]
mod random;
#[path = "hostile/session.rs"]
mod session;
#[path = "hostile/settings.rs"]
mod settings;
