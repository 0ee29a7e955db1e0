//! Instances of the service that share a Redis server.

mod instance;
mod limits;
mod notes;
mod outage;
mod quota;
mod start;
