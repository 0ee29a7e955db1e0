//! Integration tests of the crate, in one program.
//!
//! They run without features, with `std`, and with `tokio`, `serde`, `stream` and `tracing`.

mod cell_model;
mod directory;
mod executor;
#[cfg(feature = "std")]
mod future_drops;
#[cfg(feature = "std")]
mod key;
#[cfg(feature = "tracing")]
mod logs;
mod parity_context;
mod parity_id;
mod parse_properties;
#[cfg(feature = "std")]
mod peers_bugs;
mod quota;
mod resolve;
#[cfg(feature = "serde")]
mod serde_formats;
#[cfg(all(feature = "std", feature = "stream"))]
mod streams;
mod support;
#[cfg(feature = "tokio")]
mod task_scopes;
#[cfg(feature = "tokio")]
mod tasks;
#[cfg(all(feature = "tokio", feature = "stream"))]
mod tasks_model;
