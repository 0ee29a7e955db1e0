//! Databases of a test's own, on a server that tests share or on a server of the test's own.

use std::path::Path;
use std::thread;

use tenancy_postgres::{add_key, migrate, migrations};
use tenancy_testkit::{Error, PgServer};
use tokio_postgres::{Client, NoTls};

use super::{A, B, key};

/// What is in a database when a test begins.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Contents {
    /// Nothing, not even the schema `tenancy`.
    Nothing,
    /// The schema `tenancy` with key 1.
    Schema,
    /// The schema, and the tables `notes` and `plain`. `notes` belongs to tenants. `plain` belongs to no tenant; it is
    /// granted once a test has connected, because the audit rejects it.
    Notes,
    /// The schema, and the table `orders` with the rows 1, 11 of A and 2, 22 of B, by their id and amount.
    Orders,
}

/// Roles belong to a whole server. Applications connect as `service`.
const ROLES: &str = "CREATE ROLE service LOGIN IN ROLE tenancy_app";

/// Further roles of the shared server, where no test may create any.
const SHARED_ROLES: &str = "
CREATE ROLE listener LOGIN;
CREATE ROLE keeper LOGIN IN ROLE tenancy_owner;
CREATE ROLE reader LOGIN IN ROLE pg_read_all_data;
CREATE ROLE outsider LOGIN;
CREATE ROLE view_owner;
CREATE ROLE app_view_owner IN ROLE tenancy_app;
";

impl Contents {
    fn template(self) -> &'static str {
        match self {
            Self::Nothing => "template0",
            Self::Schema => "with_schema",
            Self::Notes => "with_notes",
            Self::Orders => "with_orders",
        }
    }

    fn tables(self) -> String {
        match self {
            Self::Nothing | Self::Schema => String::new(),
            Self::Notes => "
                CREATE TABLE public.notes (id bigserial PRIMARY KEY, title text NOT NULL);
                CREATE TABLE public.plain (id bigserial PRIMARY KEY, title text NOT NULL);
                SELECT tenancy.enable_table('public.notes');
                GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO tenancy_app;"
                .to_owned(),
            Self::Orders => format!(
                "REVOKE CREATE ON SCHEMA public FROM PUBLIC;
                CREATE TABLE orders (id bigint PRIMARY KEY, amount integer);
                SELECT tenancy.enable_table('orders');
                INSERT INTO orders VALUES (1, 11, '{A}'), (2, 22, '{B}');"
            ),
        }
    }
}

/// A database that only one test uses.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) server: PgServer,
    pub(crate) name: String,
}

impl Database {
    /// Creates a database on the server that tests share. The test must not change roles or settings of the server, and
    /// must look only at its own database in `pg_stat_activity` and `pg_locks`.
    pub(crate) fn shared(contents: Contents) -> Self {
        let server = PgServer::shared("tenancy-postgres", prepare).expect("a server");
        let name = server.create_database(contents.template()).expect("a database");
        let database = Self { server, name };
        database.grant_temporary(contents);
        database
    }

    /// Starts a server that no other test uses. The database is `postgres`.
    pub(crate) fn alone(contents: Contents) -> Self {
        let server = PgServer::start().expect("a server");
        let database = Self { server, name: "postgres".to_owned() };
        if contents != Contents::Nothing {
            add_schema(&database.server, &database.name);
            database.execute(ROLES);
            database.execute(&contents.tables());
            database.grant_temporary(contents);
        }
        database
    }

    /// Tests leave temporary objects in sessions. A privilege on a database is not copied from its template.
    fn grant_temporary(&self, contents: Contents) {
        if contents == Contents::Notes {
            self.execute(&format!("GRANT TEMPORARY ON DATABASE {} TO tenancy_app", self.name));
        }
    }

    #[track_caller]
    fn execute(&self, sql: &str) {
        self.server.execute(&self.name, sql).expect("the superuser's SQL");
    }

    /// Returns the folder of the server's socket.
    pub(crate) fn folder(&self) -> &Path {
        self.server.folder()
    }

    pub(crate) fn config(&self, user: &str) -> tokio_postgres::Config {
        config(&self.server.url(user, &self.name))
    }

    pub(crate) async fn client(&self, user: &str) -> Client {
        connect(&self.config(user)).await
    }

    pub(crate) async fn superuser(&self) -> Client {
        self.client("postgres").await
    }
}

pub(crate) fn config(url: &str) -> tokio_postgres::Config {
    url.parse().expect("a URL")
}

pub(crate) async fn connect(config: &tokio_postgres::Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.expect("a connection");
    tokio::spawn(async move {
        // It ends with its client, or with the server.
        let _ = connection.await;
    });
    client
}

/// Creates the roles and the templates of the shared server.
fn prepare(server: &PgServer) -> Result<(), Error> {
    let schema = Contents::Schema.template();
    server.execute("postgres", &format!("CREATE DATABASE {schema}"))?;
    add_schema(server, schema);
    server.execute("postgres", ROLES)?;
    server.execute("postgres", SHARED_ROLES)?;
    for contents in [Contents::Notes, Contents::Orders] {
        let template = contents.template();
        server.execute("postgres", &format!("CREATE DATABASE {template} TEMPLATE {schema}"))?;
        server.execute(template, &contents.tables())?;
    }
    Ok(())
}

/// Applies the migrations and adds key 1, as an operator does.
fn add_schema(server: &PgServer, database: &str) {
    let config = config(&server.url("postgres", database));
    let add = async {
        let mut superuser = connect(&config).await;
        let applied = migrate(&mut superuser).await.expect("migrations");
        assert_eq!(applied.len(), migrations().len());
        add_key(&superuser, &key()).await.expect("a key");
    };
    // The caller may be in a runtime, which cannot wait for another one on the same thread.
    let run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(add);
    };
    thread::scope(|scope| scope.spawn(run).join()).expect("the schema was added");
}
