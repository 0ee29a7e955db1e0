//! The registry of agents over HTTP.

mod absent;
mod bodies;
mod cards;
mod conditions;
mod pages;
mod peers;
mod platform;
mod script;
