#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod cached;

pub use cached::{CachedDirectory, CachedError};
