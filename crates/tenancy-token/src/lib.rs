#![doc = include_str!("../README.md")]
//!
//! # Features
//!
//! All features are off by default.
//!
#![cfg_attr(feature = "document-features", doc = document_features::document_features!())]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![no_std]

#[cfg(feature = "std")]
extern crate std;

mod cbor;
mod claims;
mod cose;
#[cfg(feature = "std")]
mod delivery;
mod error;
mod floor;
#[cfg(feature = "std")]
mod issuer;
#[cfg(feature = "std")]
mod job;
mod key;
mod mint;
mod received;
mod replay;
mod text;
mod time;
#[cfg(test)]
mod vectors;
mod verifier;

pub use claims::Claims;
pub use cose::MAX_TOKEN;
#[cfg(feature = "std")]
pub use delivery::DeliveryGuard;
pub use error::{TokenError, TokenErrorKind};
pub use floor::TimeFloor;
#[cfg(feature = "std")]
pub use issuer::Issuer;
#[cfg(feature = "std")]
pub use job::{JobOutcome, JobPanicked, JobVerifier};
pub use key::TokenKey;
pub use replay::ReplayGuard;
pub use text::{MAX_TEXT, decode_text, encode_text};
pub use time::UnixSeconds;
pub use verifier::{Verified, Verifier};
