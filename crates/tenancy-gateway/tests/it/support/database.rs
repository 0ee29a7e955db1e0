//! A database of the test's own, on a Postgres server that the tests share.

use std::process::Command;

use tenancy_testkit::{Error, PgServer};
use tokio_postgres::{Client, NoTls};

use super::process::{Gateway, command, run};

pub(crate) const KEY: &str = "1:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

/// A database that `gateway migrate` has prepared with the demo's tenants, to be copied.
const TEMPLATE: &str = "gateway_template";

/// The logins of all tests. Roles belong to the server, so tests that run at the same time cannot create them.
const LOGINS: &str = "CREATE ROLE gateway LOGIN IN ROLE tenancy_app;
    CREATE ROLE secretive LOGIN PASSWORD 's3cret' IN ROLE tenancy_app;
    CREATE ROLE listener LOGIN";

#[derive(Debug)]
pub(crate) struct Database {
    server: PgServer,
    name: String,
}

fn prepare(server: &PgServer) -> Result<(), Error> {
    server.execute("postgres", &format!("CREATE DATABASE {TEMPLATE} TEMPLATE template0"))?;
    let (code, _, stderr) = run(migration(server, TEMPLATE, &[]));
    assert_eq!(code, Some(0), "{stderr}");
    server.execute("postgres", LOGINS)
}

fn migration(server: &PgServer, database: &str, arguments: &[&str]) -> Command {
    let mut command = command(&[&["migrate"], arguments].concat());
    command.env("DATABASE_ADMIN_URL", server.url("postgres", database)).env("TENANCY_KEY", KEY);
    command
}

impl Database {
    /// Creates an empty database.
    pub(crate) fn empty() -> Self {
        Self::copy_of("template0")
    }

    /// Creates a database as `gateway migrate` leaves it. Every copy has the same store id.
    pub(crate) fn migrated() -> Self {
        Self::copy_of(TEMPLATE)
    }

    fn copy_of(template: &str) -> Self {
        let server = PgServer::shared("gateway", prepare).expect("a server");
        let name = server.create_database(template).expect("a database");
        Self { server, name }
    }

    /// Creates a database and runs `gateway migrate` on it with these arguments.
    pub(crate) fn migrated_with(arguments: &[&str]) -> Self {
        let database = Self::empty();
        // Two migrations at the same time would change the same roles, and one of them would fail.
        database.within("postgres", async |client| {
            client.batch_execute("SELECT pg_advisory_lock(1)").await.expect("a lock");
            let (code, _, stderr) = run(database.migration(arguments));
            assert_eq!(code, Some(0), "{stderr}");
        });
        database
    }

    /// Creates a migrated database on a server that no other test uses.
    pub(crate) fn on_a_server_of_its_own() -> Self {
        let server = PgServer::start().expect("a server");
        prepare(&server).expect("a template");
        Self { server, name: TEMPLATE.to_owned() }
    }

    pub(crate) fn migration(&self, arguments: &[&str]) -> Command {
        migration(&self.server, &self.name, arguments)
    }

    pub(crate) fn url(&self, user: &str) -> String {
        self.server.url(user, &self.name)
    }

    /// Returns the command of a gateway that uses this database.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(arguments);
        command.env("DATABASE_URL", self.url("gateway")).env("TENANCY_KEY", KEY);
        command
    }

    /// Starts a gateway that uses this database.
    pub(crate) fn gateway(&self, arguments: &[&str]) -> Gateway {
        let mut command = self.command(arguments);
        command.args(["--listen", "127.0.0.1:0"]);
        Gateway::of(command)
    }

    /// Runs a query as the superuser and returns the columns of the first row, which are texts.
    pub(crate) fn ask(&self, sql: &str) -> Vec<String> {
        self.within(&self.name, async |client| {
            let rows = client.query(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
            rows.first().map_or(Vec::new(), |row| (0..row.len()).map(|at| row.get(at)).collect())
        })
    }

    /// Runs statements as the superuser.
    pub(crate) fn operate(&self, sql: &str) {
        self.server.execute(&self.name, sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// Calls `work` while a transaction of the superuser has executed `sql` and is still open.
    pub(crate) fn while_in(&self, sql: &str, work: impl FnOnce()) {
        self.within(&self.name, async |client| {
            client.batch_execute(&format!("BEGIN; {sql}")).await.expect("a transaction");
            work();
        });
    }

    fn within<T>(&self, database: &str, work: impl AsyncFnOnce(&Client) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        runtime.unwrap().block_on(async {
            let url = self.server.url("postgres", database);
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await.expect("a connection");
            // The connection ends with its client, or with the server.
            tokio::spawn(connection);
            work(&client).await
        })
    }

    /// Ends the server as a power cut would, and starts it again.
    pub(crate) fn crash_and_restart(&mut self) {
        self.server.crash_and_restart().expect("it starts again");
    }
}
