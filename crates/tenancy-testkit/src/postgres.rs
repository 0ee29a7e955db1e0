//! Postgres servers.

mod cluster;
pub(crate) mod pgbouncer;
mod programs;
mod shared;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{process, thread};

use postgres::NoTls;

use self::cluster::{Cluster, PORT, socket_url};
use self::shared::Shared;
use crate::Error;

/// A Postgres server of the test's own, or one that it [shares](Self::shared) with others, on a unix socket.
///
/// Its superuser is `postgres`; every user connects without a password. `fsync` is off. The server's files are copied
/// from a template that `initdb` makes once for each version of Postgres, in the folder for temporary files.
///
/// The programs are found in the folder that the environment variable `TENANCY_TESTKIT_POSTGRES_BIN` names, on `PATH`,
/// or as the newest version where Debian and Red Hat install them. Postgres refuses to run as root, so that root starts
/// it as the user `postgres` or, if there is none, `nobody`.
///
/// ```no_run
/// use tenancy_testkit::PgServer;
///
/// let server = PgServer::start()?;
/// server.execute("postgres", "CREATE TABLE notes (body text)")?;
/// println!("connect to {}", server.url("postgres", "postgres"));
/// # Ok::<(), tenancy_testkit::Error>(())
/// ```
#[derive(Debug)]
pub struct PgServer(Backing);

#[derive(Debug)]
enum Backing {
    Own(Cluster),
    Shared(Shared),
    /// A shared server before others get it, by its folder.
    Preparing(PathBuf),
}

/// Options of a [`PgServer`].
#[derive(Clone, Default, Debug)]
pub struct PgOptions {
    settings: Vec<(String, String)>,
}

impl PgOptions {
    /// Sets a parameter of the server, as in `postgresql.conf`.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts a server and waits until it accepts connections.
    ///
    /// # Errors
    ///
    /// If Postgres is not installed, or does not start within a minute.
    pub fn start(self) -> Result<PgServer, Error> {
        Cluster::start(self.settings).map(|cluster| PgServer(Backing::Own(cluster)))
    }
}

impl PgServer {
    /// Starts a server that nobody else uses, and waits until it accepts connections.
    ///
    /// # Errors
    ///
    /// If Postgres is not installed, or does not start within a minute.
    pub fn start() -> Result<Self, Error> {
        Self::options().start()
    }

    /// Returns options for a server of its own.
    pub fn options() -> PgOptions {
        PgOptions::default()
    }

    /// Returns the server of this name that the tests of this program share, and starts it if it is not running.
    ///
    /// Tests that run in different processes, as with nextest, share it too. It is for tests that cannot disturb each
    /// other: each of them [creates a database](Self::create_database) of its own, and none changes roles or settings of
    /// the whole server. The test that starts the server runs `prepare` on it before other tests receive it: create
    /// roles there, and a template database for `create_database`. The server ends some seconds after the last test that
    /// uses it. A program that was built again does not get the server of the old program.
    ///
    /// Without the program `flock` (of util-linux) the test gets a server of its own.
    ///
    /// ```no_run
    /// use tenancy_testkit::PgServer;
    ///
    /// let server = PgServer::shared("notes", |server| {
    ///     server.execute("postgres", "CREATE DATABASE notes_template")?;
    ///     server.execute("notes_template", "CREATE TABLE notes (body text)")
    /// })?;
    /// let database = server.create_database("notes_template")?;
    /// println!("connect to {}", server.url("postgres", &database));
    /// # Ok::<(), tenancy_testkit::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start), and the error of `prepare`.
    pub fn shared(name: &str, prepare: impl FnOnce(&Self) -> Result<(), Error>) -> Result<Self, Error> {
        if !Shared::is_supported() {
            let server = Self::start()?;
            prepare(&server)?;
            return Ok(server);
        }
        let prepare = |folder: &Path| prepare(&Self(Backing::Preparing(folder.to_owned())));
        Shared::join(name, prepare).map(|shared| Self(Backing::Shared(shared)))
    }

    /// Returns the folder of the server's unix socket, which clients take for a host.
    pub fn folder(&self) -> &Path {
        match &self.0 {
            Backing::Own(cluster) => cluster.folder(),
            Backing::Shared(shared) => shared.folder(),
            Backing::Preparing(folder) => folder,
        }
    }

    /// Returns the server's port: 5432, which is only part of the socket's name.
    pub fn port(&self) -> u16 {
        PORT
    }

    /// Returns the URL for a client: `postgresql://user@%2Ftmp%2F…/database`.
    pub fn url(&self, user: &str, database: &str) -> String {
        socket_url(self.folder(), user, database)
    }

    /// Runs SQL statements as the superuser.
    ///
    /// # Errors
    ///
    /// If the connection or a statement fails.
    pub fn execute(&self, database: &str, sql: &str) -> Result<(), Error> {
        let url = self.url("postgres", database);
        // The client has a runtime of its own, which cannot run inside of an async test's.
        let run = || postgres::Client::connect(&url, NoTls)?.batch_execute(sql);
        let done = thread::scope(|scope| scope.spawn(run).join());
        done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            .map_err(Error::client("run SQL on the test server"))
    }

    /// Creates a database with a new name as a copy of another one, and returns the name.
    ///
    /// Nobody may be connected to the template. `template0` gives an empty database. The database stays until the server
    /// ends.
    ///
    /// # Errors
    ///
    /// If the template does not exist or is in use.
    pub fn create_database(&self, template: &str) -> Result<String, Error> {
        static CREATED: AtomicUsize = AtomicUsize::new(0);
        let number = CREATED.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", process::id());
        self.execute("postgres", &format!("CREATE DATABASE {name} TEMPLATE {template}"))?;
        Ok(name)
    }

    /// Kills the server as a power cut would, and starts it again with its data.
    ///
    /// # Errors
    ///
    /// If the server does not start again within a minute.
    ///
    /// # Panics
    ///
    /// If the server is [shared](Self::shared).
    pub fn crash_and_restart(&mut self) -> Result<(), Error> {
        match &mut self.0 {
            Backing::Own(cluster) => cluster.crash_and_restart(),
            Backing::Shared(_) | Backing::Preparing(_) => {
                panic!("a shared server cannot be crashed: start one of its own")
            }
        }
    }
}
