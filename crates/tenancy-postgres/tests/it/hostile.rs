//! Hostile SQL of one tenant, and what it does to another tenant's rows, statements and sessions.

mod audit;
mod context;
#[cfg(feature = "sqlx")]
mod on_sqlx;
mod pooler;
mod random;
mod session;
mod settings;
