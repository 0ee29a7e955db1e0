//! A database of a test's own, on a Postgres server that tests which run at the same time share.

#[path = "../../../../crates/tenancy-postgres/tests/common/server.rs"]
mod server;

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio_postgres::config::Host;

use self::server::Server;
use super::process::{Gateway, command, run};

pub(crate) const KEY: &str = "1:0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0";

/// Roles are the server's, and not a database's: they are made once.
const LOGIN: &str = "DO $$BEGIN
    IF pg_catalog.to_regrole('gateway') IS NULL THEN CREATE ROLE gateway LOGIN IN ROLE tenancy_app; END IF;
END$$";

#[derive(Debug)]
pub(crate) struct Database {
    server: Arc<Server>,
    name: String,
}

/// It ends with the last test that uses it.
fn shared_server() -> Arc<Server> {
    static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let server = Arc::new(Server::start());
        *shared = Arc::downgrade(&server);
        server
    })
}

impl Database {
    /// With nothing in it.
    pub(crate) fn empty() -> Self {
        Self::on(shared_server())
    }

    fn on(server: Arc<Server>) -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let database = Self { server, name: "postgres".to_owned() };
        let name = format!("test_{}", MADE.fetch_add(1, Ordering::Relaxed));
        database.operate(&format!("CREATE DATABASE {name} TEMPLATE template0"));
        Self { name, ..database }
    }

    /// As `gateway migrate` makes it, with these arguments, and with a login `gateway`.
    pub(crate) fn migrated(arguments: &[&str]) -> Self {
        Self::empty().migrate(arguments)
    }

    /// The same, on a server that nobody else has.
    pub(crate) fn on_a_server_of_its_own() -> Self {
        Self::on(Arc::new(Server::start())).migrate(&[])
    }

    fn migrate(self, arguments: &[&str]) -> Self {
        // Two that make the same roles at once get into each other's way.
        static ROLES: Mutex<()> = Mutex::new(());
        let _roles = ROLES.lock().unwrap_or_else(PoisonError::into_inner);
        let (code, _, stderr) = run(self.migration(arguments));
        assert_eq!(code, Some(0), "{stderr}");
        self.operate(LOGIN);
        self
    }

    pub(crate) fn migration(&self, arguments: &[&str]) -> Command {
        let mut command = command(&[&["migrate"], arguments].concat());
        command.env("DATABASE_ADMIN_URL", self.url("postgres")).env("TENANCY_KEY", KEY);
        command
    }

    pub(crate) fn url(&self, user: &str) -> String {
        let config = self.server.config(user, &self.name);
        let [Host::Unix(folder)] = config.get_hosts() else { panic!("a socket") };
        format!("postgres://{user}@{}/{}", folder.to_str().expect("UTF-8").replace('/', "%2F"), self.name)
    }

    /// Of a gateway that keeps its things here.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command(arguments);
        command.env("DATABASE_URL", self.url("gateway")).env("TENANCY_KEY", KEY);
        command
    }

    /// A gateway that keeps its things here.
    pub(crate) fn gateway(&self, arguments: &[&str]) -> Gateway {
        let mut command = self.command(arguments);
        command.args(["--listen", "127.0.0.1:0"]);
        Gateway::of(command)
    }

    /// What SQL of the superuser's gives, the columns of one row or none as texts.
    pub(crate) fn ask(&self, sql: &str) -> Vec<String> {
        self.within(async |client| {
            let rows = client.query(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
            rows.first().map_or(Vec::new(), |row| (0..row.len()).map(|at| row.get(at)).collect())
        })
    }

    pub(crate) fn operate(&self, sql: &str) {
        self.within(async |client| {
            client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        });
    }

    /// Does something while SQL of the superuser's is in a transaction that goes on.
    pub(crate) fn while_in(&self, sql: &str, work: impl FnOnce()) {
        self.within(async |client| {
            client.batch_execute(&format!("BEGIN; {sql}")).await.expect("a transaction");
            work();
        });
    }

    fn within<T>(&self, work: impl AsyncFnOnce(&tokio_postgres::Client) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        runtime.unwrap().block_on(async { work(&self.server.client("postgres", &self.name).await).await })
    }

    /// Ends the server as a power cut would, and starts it again.
    pub(crate) fn crash_and_restart(&mut self) {
        Arc::get_mut(&mut self.server).expect("a server of its own").crash_and_restart();
    }
}
