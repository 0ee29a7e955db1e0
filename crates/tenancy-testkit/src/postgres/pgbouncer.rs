use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;

use super::PgServer;
use super::cluster::{PORT, socket, socket_url};
use super::programs::{User, pgbouncer};
use crate::Error;
use crate::process::{ChildGroup, Signal};
use crate::start::{is_ready, temporary_folder};

/// How long pgbouncer may take to start, on a busy machine too.
const START: Duration = Duration::from_secs(30);

/// A pgbouncer in transaction mode in front of a [`PgServer`], on a unix socket.
///
/// The program is found on `PATH`, in `/usr/sbin`, or in the folder that `TENANCY_TESTKIT_PGBOUNCER_BIN` names.
///
/// ```no_run
/// use tenancy_testkit::{PgBouncer, PgServer};
///
/// let server = PgServer::start()?;
/// let pooler = PgBouncer::start(&server, &["postgres"], &[("default_pool_size", "1")])?;
/// println!("connect to {}", pooler.url("postgres", "postgres"));
/// # Ok::<(), tenancy_testkit::Error>(())
/// ```
#[derive(Debug)]
pub struct PgBouncer {
    // Dropped before the folder.
    _pooler: ChildGroup,
    folder: TempDir,
}

impl PgBouncer {
    /// Starts a pooler that lets these users in without a password, and waits until it accepts connections.
    ///
    /// `settings` are lines of pgbouncer's configuration, such as `("default_pool_size", "2")`; they replace the defaults
    /// of this type.
    ///
    /// # Errors
    ///
    /// If pgbouncer is not installed, or does not start within 30 s.
    pub fn start(server: &PgServer, users: &[&str], settings: &[(&str, &str)]) -> Result<Self, Error> {
        let program = pgbouncer()?;
        let user = User::of_servers()?;
        let folder = temporary_folder("tenancy-pgbouncer-")?;
        let path = folder.path();
        let config = config(path, server.folder(), settings);
        let users = users.iter().fold(String::new(), |lines, user| lines + "\"" + user + "\" \"\"\n");
        let log = fs::write(path.join("config"), config)
            .and_then(|()| fs::write(path.join("users"), users))
            .and_then(|()| user.own(path))
            .and_then(|()| File::create(path.join("log")))
            .map_err(Error::io("write the configuration of pgbouncer"))?;
        let mut command = user.command(&program);
        command.arg(path.join("config")).stdout(Stdio::null()).stderr(log);
        // A second signal is an immediate shutdown; here the first one kills.
        let mut pooler = ChildGroup::spawn_with(&mut command, Signal::Kill, Some(path))
            .map_err(Error::io("start pgbouncer"))?;
        let socket = socket(path);
        if is_ready(&mut pooler, "pgbouncer", START, || UnixStream::connect(&socket).is_ok())? {
            return Ok(Self { _pooler: pooler, folder });
        }
        Err(Error::ended("pgbouncer", &path.join("log")))
    }

    /// Returns the folder of the pooler's unix socket, which clients take for a host.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the URL for a client.
    pub fn url(&self, user: &str, database: &str) -> String {
        socket_url(self.folder(), user, database)
    }
}

fn config(folder: &Path, server: &Path, settings: &[(&str, &str)]) -> String {
    let (at, server, port) = (folder.display(), server.display(), PORT.to_string());
    let (folder, users) = (at.to_string(), format!("{at}/users"));
    let defaults = [
        ("pool_mode", "transaction"),
        ("unix_socket_dir", &folder),
        ("listen_addr", ""),
        ("listen_port", &port),
        ("auth_type", "trust"),
        ("auth_file", &users),
    ];
    let mut config = format!("[databases]\n* = host={server} port={port}\n[pgbouncer]\n");
    let kept = defaults.iter().filter(|(name, _)| settings.iter().all(|(own, _)| own != name));
    for (name, value) in kept.chain(settings) {
        writeln!(config, "{name} = {value}").expect("a string grows");
    }
    config
}
