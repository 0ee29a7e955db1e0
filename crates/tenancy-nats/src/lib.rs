#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod header;
mod publisher;
mod subscriber;
mod worker;

pub use header::TOKEN_HEADER;
pub use publisher::{PublishError, TenantPublisher};
pub use subscriber::TenantSubscriber;
pub use worker::{Job, JobWorker, WorkerError, create_token_bucket};
