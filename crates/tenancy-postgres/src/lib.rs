#![doc = include_str!("../README.md")]
#![cfg_attr(feature = "document-features", doc = "\n## Features\n")]
#![cfg_attr(feature = "document-features", doc = document_features::document_features!())]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod admin;
mod audit;
mod binding;
mod config;
mod db;
#[cfg(feature = "directory")]
mod directory;
mod error;
mod id;
mod migrations;
mod params;
mod pool;
mod scrub;
mod session;
mod sign;
#[cfg(feature = "sqlx")]
mod sqlx;
pub mod table;
mod tenants;
mod tx;
mod verify;

pub use admin::{AdminAccess, AdminDb, InvalidReasonError, KeyInfo};
pub use audit::{Finding, FindingKind, Severity, audit, audit_role};
pub use binding::{ContextBinding, Supabase};
pub use config::Config;
pub use db::TenantDb;
#[cfg(feature = "directory")]
pub use directory::{DirectoryConfig, PgDirectory};
pub use error::{Error, Layer};
pub use id::PgTenantId;
pub use migrations::{
    EnableTable, Finished, Migration, Progress, add_key, enable_table, finish, migrate, migrations,
    retire_key, revert,
};
pub use sign::{ParseKeyError, ShortSecretError, SigningKey};
#[cfg(feature = "sqlx")]
pub use sqlx::{SqlxConnection, SqlxError, SqlxTenantDb, SqlxTenantTx};
pub use table::{Table, TableError};
pub use tenants::{DirectoryError, create_tenant, set_tenant_status, tenant, tenant_by_slug, tenants};
pub use tx::TenantTx;
