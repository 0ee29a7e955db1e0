//! A device has no cards.

/// An agent's card: there is none without the feature `json`, and this has no value.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Card {}
