#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod layer;
mod seal;
mod signer;

pub use layer::{TokenLayer, TokenService};
pub use seal::TASK_TOKEN;
pub use signer::{PushError, SignError, TaskSigner};
