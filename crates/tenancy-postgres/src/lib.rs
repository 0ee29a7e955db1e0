#![doc = include_str!("../README.md")]
#![cfg_attr(feature = "document-features", doc = "\n## Features\n")]
#![cfg_attr(feature = "document-features", doc = document_features::document_features!())]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod active;
mod admin;
mod audit;
mod binding;
mod config;
mod db;
#[cfg(feature = "directory")]
mod directory;
mod error;
mod id;
#[cfg(feature = "token")]
mod jobs;
mod marks;
mod migrations;
mod session;
mod sign;
#[cfg(feature = "sqlx")]
mod sqlx;
mod stream;
pub mod table;
mod tenants;
mod tx;
mod wire;

pub use admin::{AdminAccess, AdminDb, InvalidReasonError, KeyInfo};
pub use audit::{
    AuditPolicy, Finding, FindingKind, ParseAuditPolicyError, ParseFindingKindError, Severity, audit,
    audit_role, audit_with,
};
pub use binding::{ContextBinding, Supabase};
pub use config::Config;
pub use db::TenantDb;
#[cfg(feature = "directory")]
pub use directory::{DirectoryConfig, PgDirectory};
pub use error::{Error, Layer};
pub use id::PgTenantId;
#[cfg(feature = "token")]
pub use jobs::{EnqueueError, JOBS_SQL, JobProducer, JobWorker, PgJob};
pub use migrations::{
    EnableTable, Finished, Migration, Progress, add_key, enable_table, finish, migrate, migrations,
    retire_key, revert,
};
pub use sign::{ParseKeyError, ShortSecretError, SigningKey};
#[cfg(feature = "sqlx")]
pub use sqlx::{SqlxConnection, SqlxError, SqlxTenantDb, SqlxTenantTx};
pub use stream::RowStream;
pub use table::{Table, TableError};
pub use tenants::{DirectoryError, TenantsTable};
pub use tx::{Isolation, TenantTx, TxOptions};
pub use wire::{
    ChannelBinding, Column, ColumnError, ConnectOptions, ConnectionError, ParseOptionsError, Row, RowIndex,
    ServerError, Socket, SslMode, TargetSessionAttrs,
};
