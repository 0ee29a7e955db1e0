#![doc = include_str!("../README.md")]
#![cfg_attr(feature = "document-features", doc = "\n## Features\n")]
#![cfg_attr(feature = "document-features", doc = document_features::document_features!())]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
mod builder;
#[cfg(feature = "axum")]
mod extract;
mod future;
mod head;
mod layer;
mod policy;
mod propagate;
mod refusal;
mod snapshot;
mod source;
#[cfg_attr(feature = "tracing", path = "trace/tracing.rs")]
#[cfg_attr(not(feature = "tracing"), path = "trace/none.rs")]
mod trace;

pub use body::TenantBody;
pub use builder::{NoDirectory, NoPolicy, TenantLayerBuilder};
#[cfg(feature = "axum")]
pub use extract::CurrentTenant;
pub use future::ResponseFuture;
pub use head::RequestHead;
pub use layer::{TenantLayer, TenantService};
pub use policy::{Access, ClaimEquals, MemberOf, Policy, PolicyError, TrustHeader, claim_equals, member_of};
pub use propagate::{PropagateTenant, PropagateTenantLayer};
pub use refusal::Refusal;
pub use snapshot::Snapshot;
pub use source::Source;
pub use tenancy::Directory;
pub use tenancy_directory::{CachedDirectory, CachedError};
