#![doc = include_str!("../README.md")]
#![cfg_attr(feature = "document-features", doc = "\n## Features\n")]
#![cfg_attr(feature = "document-features", doc = document_features::document_features!())]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod access;
mod config;
mod confine;
mod descriptors;
mod error;
mod files;
mod folder;
mod migration;
mod nesting;
mod pool;
mod pragmas;
mod session;
#[cfg(feature = "tokio")]
mod tasks;

pub use access::{TenantReader, TenantTx};
pub use config::Config;
pub use error::Error;
pub use files::TenantFiles;
pub use migration::Migration;
#[cfg(feature = "tokio")]
pub use tasks::AsyncTenantFiles;
// Its types are in the interface, so that users need the same version.
pub use rusqlite;
