//! Integration tests of the crate, in one program.

mod backup;
mod beside;
#[cfg(target_os = "linux")]
mod descriptors;
mod hostile;
mod isolation;
mod limits;
mod migrations;
mod model;
mod pool;
mod process;
mod support;
#[cfg(feature = "tokio")]
mod tasks;
