//! Integration tests of the crate, in one program.

mod directories;
mod grpc;
mod heads;
mod jwt;
mod layer;
mod propagate;
#[cfg(feature = "axum")]
mod routers;
mod server;
mod sources;
#[cfg(feature = "tracing")]
mod spans;
#[cfg(all(feature = "axum", feature = "snapshot"))]
mod stacks;
mod streams;
mod support;
#[cfg(feature = "token")]
mod tokens;
