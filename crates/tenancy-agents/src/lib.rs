#![doc = include_str!("../README.md")]
#![cfg_attr(feature = "document-features", doc = "\n## Features\n")]
#![cfg_attr(feature = "document-features", doc = document_features::document_features!())]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![no_std]

#[cfg(feature = "std")]
extern crate std;

mod agent;
mod approval;
mod card;
mod clock;
mod error;
mod id;
#[cfg(feature = "json")]
mod json;
mod lock;
mod query;
mod registry;
mod status;
pub mod store;
mod text;
mod visibility;

pub use agent::{Agent, AgentContent, AgentName, Capabilities, Capability, Tier};
pub use approval::Approval;
pub use card::Card;
#[cfg(feature = "json")]
pub use card::{A2aCard, A2aInterface, A2aSkill};
#[cfg(feature = "std")]
pub use clock::SystemClock;
pub use clock::{Clock, UnixMillis};
pub use error::{AgentError, Field, InvalidAgentError, InvalidAgentKind, NameConflict, StoreError};
#[cfg(feature = "std")]
pub use id::RandomIds;
pub use id::{AgentId, IdGenerator};
pub use query::{Filter, Query};
pub use registry::{AgentRegistry, Registered, block_on_ready};
pub use status::{AgentStatus, InvalidTransitionError, Transition};
pub use store::Store;
pub use store::fixed::FixedStore;
#[cfg(feature = "postgres")]
pub use store::postgres::PgStore;
#[cfg(feature = "sqlite")]
pub use store::sqlite::SqliteStore;
pub use text::{Endpoint, Text};
pub use visibility::Visibility;
