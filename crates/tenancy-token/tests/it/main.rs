//! The crate from outside.

mod claims;
#[cfg(feature = "ed25519")]
mod ed25519;
mod envelope;
mod errors;
mod hostile;
mod keys;
mod payload;
mod python;
mod replay;
mod scope;
mod support;
mod time;
