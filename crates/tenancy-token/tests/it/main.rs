//! The crate from outside.

mod claims;
#[cfg(feature = "std")]
mod delivery;
#[cfg(feature = "ed25519")]
mod ed25519;
mod envelope;
mod errors;
mod hostile;
#[cfg(feature = "std")]
mod issuer;
#[cfg(feature = "std")]
mod jobs;
mod keys;
mod payload;
mod python;
mod replay;
mod scope;
mod support;
mod time;
