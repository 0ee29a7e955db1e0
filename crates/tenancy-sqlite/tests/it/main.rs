//! Integration tests of the crate, in one program.

mod backup;
#[cfg(target_os = "linux")]
mod descriptors;
mod hostile;
mod isolation;
mod migrations;
mod model;
mod pool;
mod process;
mod support;
#[cfg(feature = "tokio")]
mod tasks;
