//! Integration tests of `tenancy-agents`.

#[cfg(feature = "json")]
mod a2a_sdk;
#[cfg(feature = "json")]
mod card;
#[cfg(feature = "std")]
mod fixed;
#[cfg(feature = "json")]
mod layers;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "json")]
mod stores;
#[cfg(feature = "json")]
mod suite;
#[cfg(feature = "std")]
mod support;
