//! Tenants' transactions for who stays on sqlx.
//!
//! Of the four layers these have the first and the third: no transaction without a tenant, and the database's check.
//! What a statement returns is not looked at, and there is no table API.
//!
//! sqlx's own guard is not trusted: a `begin` that is cancelled leaves a transaction open in the pool
//! (transact-rs/sqlx#4385), and a transaction that is dropped rolls back when its connection is next used. So a
//! connection goes back to the pool by an acknowledged end of its transaction alone.

mod connection;
mod db;
mod error;
mod id;
mod tx;

pub use self::connection::SqlxConnection;
pub use self::db::SqlxTenantDb;
pub use self::error::SqlxError;
pub use self::tx::SqlxTenantTx;
