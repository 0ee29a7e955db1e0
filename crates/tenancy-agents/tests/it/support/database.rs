//! Agents in Postgres.

use std::thread;
use std::time::{Duration, Instant};

use tenancy_agents::PgStore;
use tenancy_postgres::{Config, SigningKey, TenantDb};
use tenancy_testkit::{Error, PgServer};
use tokio::time::sleep;
use tokio_postgres::{Client, NoTls};

const TEMPLATE: &str = "with_agents";

/// How long a test waits for something that takes milliseconds on an idle machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// A database that only one test uses. Applications connect as `service`.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) server: PgServer,
    name: String,
}

impl Database {
    /// Creates a database with both schemas and a key, on the server that tests share. The test must not change roles or
    /// settings of the server, and must look only at its own database in `pg_stat_activity` and `pg_locks`.
    pub(crate) fn shared() -> Self {
        let server = PgServer::shared("tenancy-agents", prepare).expect("a server");
        let name = server.create_database(TEMPLATE).expect("a database");
        Self { server, name }
    }

    /// Starts a server that no other test uses, and adds both schemas and a key.
    pub(crate) fn alone() -> Self {
        let database = Self::empty();
        add_schemas(&database.server, &database.name);
        database
    }

    /// Starts a server that no other test uses. The database is `postgres`.
    pub(crate) fn empty() -> Self {
        Self { server: PgServer::start().expect("a server"), name: "postgres".to_owned() }
    }

    /// Returns the database's name, which is an identifier in SQL too.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) async fn client(&self, user: &str) -> Client {
        connect(&self.server, user, &self.name).await
    }

    pub(crate) async fn superuser(&self) -> Client {
        self.client("postgres").await
    }

    /// Connects as the service; the audit of the database has no critical finding.
    pub(crate) async fn connect(&self) -> TenantDb {
        let postgres: tokio_postgres::Config = self.server.url("service", &self.name).parse().expect("a URL");
        let config = Config::new(postgres, key()).acquire_timeout(Duration::from_secs(30));
        TenantDb::connect(config).await.expect("a database that does not leak")
    }

    pub(crate) async fn store(&self) -> PgStore {
        PgStore::new(self.connect().await)
    }
}

fn key() -> SigningKey {
    SigningKey::new(1, b"a secret of the tests, not of others").expect("a key")
}

async fn connect(server: &PgServer, user: &str, database: &str) -> Client {
    let config: tokio_postgres::Config = server.url(user, database).parse().expect("a URL");
    let (client, connection) = config.connect(NoTls).await.expect("a connection");
    tokio::spawn(async move {
        // It ends with its client, or with the server.
        let _ = connection.await;
    });
    client
}

fn prepare(server: &PgServer) -> Result<(), Error> {
    server.execute("postgres", &format!("CREATE DATABASE {TEMPLATE}"))?;
    add_schemas(server, TEMPLATE);
    Ok(())
}

/// Applies both migrations, and adds a key and the role `service`, as an operator does.
fn add_schemas(server: &PgServer, database: &str) {
    let add = async {
        let mut operator = connect(server, "postgres", database).await;
        tenancy_postgres::migrate(&mut operator).await.expect("tenancy's schema");
        tenancy_postgres::add_key(&operator, &key()).await.expect("a key");
        tenancy_agents::store::postgres::migrate(&mut operator).await.expect("the agents' schema");
        let role = "CREATE ROLE service LOGIN IN ROLE tenancy_app";
        operator.batch_execute(role).await.expect("a role");
    };
    // The caller may be in a runtime, which cannot wait for another one on the same thread.
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(add);
    };
    thread::scope(|scope| scope.spawn(run).join()).expect("the schemas were added");
}

/// Waits until a condition holds, and panics if it does not within [`LIMIT`].
pub(crate) async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !condition().await {
        assert!(Instant::now() < end, "not within {LIMIT:?}: {what}");
        sleep(Duration::from_millis(1)).await;
    }
}
