//! The API over real connections.

mod agents;
mod closing;
mod configuration;
mod connections;
mod events;
mod files;
mod identity;
mod limits;
mod logs;
mod messages;
mod notes;
mod openapi;
mod operations;
mod panics;
mod platform;
mod start;
mod transfer;
mod unset;
