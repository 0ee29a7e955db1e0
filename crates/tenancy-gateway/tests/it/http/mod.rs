//! The API over real connections.

mod agents;
mod closing;
mod connections;
mod events;
mod files;
mod identity;
mod limits;
mod logs;
mod notes;
mod openapi;
mod panics;
mod platform;
mod start;
mod transfer;
mod unset;
