//! Integration tests of the crate, on real servers.

mod jobs;
mod messages;
mod support;
