//! Real servers: these tests need the programs that `cargo xtask test` installs.

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
