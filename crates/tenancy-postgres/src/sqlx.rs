//! Transactions of tenants for applications that already use sqlx.
//!
//! They have layers 1 and 3: no transaction without a tenant, and row-level security in the database. Results are not
//! verified, and there is no table API.
//!
//! The guard of sqlx does not suffice: a `begin` that is cancelled leaves a transaction open in the pool
//! (transact-rs/sqlx#4385), and a transaction that is dropped rolls back only when its connection is used again. So a
//! connection is returned to the pool only after the server confirmed the end of its transaction.

mod connection;
mod db;
mod error;
mod id;
mod shared;
mod tx;

pub use self::connection::SqlxConnection;
pub use self::db::SqlxTenantDb;
pub use self::error::SqlxError;
pub use self::tx::SqlxTenantTx;
