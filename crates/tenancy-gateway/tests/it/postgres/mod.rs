//! Instances of the service that share a Postgres database. The module `http` tests their responses, on each store.

mod instances;
mod migrate;
mod outage;
mod shared;
mod start;
