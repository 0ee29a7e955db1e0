#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod cached;
mod entries;
mod options;

pub use cached::{CachedDirectory, CachedError};
pub use options::{TenantOptions, TenantOptionsError};
