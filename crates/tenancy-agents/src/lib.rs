#![doc = include_str!("../README.md")]
#![cfg_attr(feature = "document-features", doc = "\n## Features\n")]
#![cfg_attr(feature = "document-features", doc = document_features::document_features!())]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![no_std]

#[cfg(feature = "std")]
extern crate std;

mod agent;
mod approval;
#[cfg_attr(feature = "json", path = "card/host.rs")]
#[cfg_attr(not(feature = "json"), path = "card/none.rs")]
mod card;
mod error;
#[cfg(feature = "json")]
mod json;
#[cfg_attr(feature = "std", path = "lock/std.rs")]
#[cfg_attr(not(feature = "std"), path = "lock/bare.rs")]
mod lock;
mod query;
mod registry;
mod source;
mod status;
pub mod store;
mod text;
mod visibility;

pub use agent::{Agent, AgentContent, AgentId, AgentName, Capabilities, Capability, Tier, UnixMillis};
pub use approval::Approval;
pub use card::Card;
#[cfg(feature = "json")]
pub use card::{A2aCard, A2aInterface, A2aSkill};
pub use error::{AgentError, Field, InvalidAgentError, InvalidAgentKind, NameHolders, StoreError};
pub use query::{Filter, Query};
pub use registry::{AgentRegistry, Registered, immediate};
pub use source::Source;
#[cfg(feature = "std")]
pub use source::SystemSource;
pub use status::{AgentStatus, InvalidTransitionError, Transition};
pub use store::Store;
pub use store::fixed::FixedStore;
#[cfg(feature = "postgres")]
pub use store::postgres::PgStore;
#[cfg(feature = "sqlite")]
pub use store::sqlite::SqliteStore;
pub use text::{Endpoint, Text};
pub use visibility::Visibility;
