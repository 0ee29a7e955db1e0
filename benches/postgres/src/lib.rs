//! Tables, peers and a slow network for the benchmarks of tenancy-postgres.

#![allow(
    clippy::missing_errors_doc,
    clippy::missing_panics_doc,
    reason = "a benchmark stops at the first failure"
)]

mod delay;
mod peers;
mod tables;

use std::path::Path;

use tokio_postgres::{Client, Config, NoTls};

pub use delay::Delay;
pub use peers::{Guide, INSERT, PAGE, Plain, SELECT, Separate, UPDATE};
pub use tables::{NOTES, TENANT, key, large, notes, peers_notes};

/// The options of a connection to the server whose socket is in this folder.
pub fn config(folder: &Path, user: &str, database: &str) -> Config {
    let mut config = Config::new();
    config.host_path(folder).user(user).dbname(database);
    config
}

/// Connects, and runs the connection in a task of the current runtime.
pub async fn client(config: Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.expect("a connection");
    tokio::spawn(async move {
        // It ends with its client, or with the server.
        let _ = connection.await;
    });
    client
}
