#![doc = include_str!("../README.md")]
#![cfg_attr(feature = "document-features", doc = "\n## Features\n")]
#![cfg_attr(feature = "document-features", doc = document_features::document_features!())]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod access;
mod config;
mod confine;
mod error;
mod files;
mod folder;
mod migrations;
mod pool;
mod pragmas;
mod session;

pub use access::{TenantReader, TenantTx};
pub use config::Config;
pub use error::Error;
pub use files::TenantFiles;
pub use migrations::Migration;
// Its types are in the interface, and the version is to be the same.
pub use rusqlite;
