//! An agent's card, and its A2A form.

#[cfg(feature = "json")]
mod a2a;
#[cfg(feature = "json")]
mod json;

#[cfg(feature = "json")]
pub use a2a::{A2aCard, A2aInterface, A2aSkill};
#[cfg(feature = "json")]
pub use json::Card;

/// An agent's card. Without the feature `json` there are no cards, and this type has no value.
#[cfg(not(feature = "json"))]
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Card {}
