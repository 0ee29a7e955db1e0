//! An agent's card, and its A2A form.

#[cfg(feature = "json")]
mod a2a;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "json")]
mod schema;

#[cfg(feature = "json")]
pub(crate) use a2a::drop_stale_signatures;
#[cfg(feature = "json")]
pub use a2a::{A2aCard, A2aInterface, A2aSkill};
#[cfg(feature = "json")]
pub use json::Card;

/// An agent's card. Without the feature `json` there are no cards, and this type has no value.
#[cfg(not(feature = "json"))]
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Card {}

/// There is no card whose signatures could be stale.
#[cfg(not(feature = "json"))]
pub(crate) fn drop_stale_signatures(_old: Option<&Card>, _new: &mut Option<Card>) {}
