//! Instances of the service that share a Postgres. What it answers is tested with the memory's, in `tests/http`.

mod instances;
mod migrate;
mod outage;
mod shared;
mod start;
