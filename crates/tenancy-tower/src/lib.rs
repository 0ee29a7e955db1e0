#![doc = include_str!("../README.md")]
#![cfg_attr(feature = "document-features", doc = "\n## Features\n")]
#![cfg_attr(feature = "document-features", doc = document_features::document_features!())]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
mod builder;
mod exempt;
#[cfg(feature = "axum")]
mod extract;
mod future;
mod head;
mod layer;
mod policy;
#[cfg(feature = "propagate")]
mod propagate;
mod rejection;
#[cfg(feature = "snapshot")]
mod snapshot;
mod source;
mod trace;

pub use body::TenantBody;
pub use builder::{NoDirectory, NoPolicy, TenantLayerBuilder};
#[cfg(feature = "axum")]
pub use extract::CurrentTenant;
pub use future::ResponseFuture;
pub use head::RequestHead;
pub use layer::{TenantLayer, TenantService};
pub use policy::{
    Access, ClaimEquals, MemberOf, PendingAccess, Policy, PolicyError, TrustHeader, claim_equals, member_of,
};
#[cfg(feature = "propagate")]
pub use propagate::{PropagateTenant, PropagateTenantLayer};
pub use rejection::Rejection;
#[cfg(feature = "snapshot")]
pub use snapshot::SnapshotDirectory;
pub use source::TenantSource;
pub use tenancy::Directory;
#[cfg(feature = "cache")]
pub use tenancy_directory::{CachedDirectory, CachedError};
#[cfg(feature = "options")]
pub use tenancy_directory::{TenantOptions, TenantOptionsError};
