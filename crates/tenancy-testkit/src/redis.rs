//! Redis servers.

pub(crate) mod cluster;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::Error;
use crate::process::{ChildGroup, Signal};
use crate::programs::find;
use crate::start::{is_ready, temporary_folder};

/// How long a server may take to start, on a busy machine too.
const START: Duration = Duration::from_secs(30);

/// A Redis server of the test's own, on a unix socket, without persistence.
///
/// It runs `redis-server`, or `valkey-server` if that is what is installed. The environment variable
/// `TENANCY_TESTKIT_REDIS_BIN` names the folder of the program if it is not on `PATH`.
///
/// ```no_run
/// use tenancy_testkit::RedisServer;
///
/// let server = RedisServer::start()?;
/// println!("connect to {}", server.url()); // unix:///tmp/tenancy-redis-…/socket
/// # Ok::<(), tenancy_testkit::Error>(())
/// ```
#[derive(Debug)]
pub struct RedisServer {
    // Dropped before the folder.
    child: ChildGroup,
    options: RedisOptions,
    program: PathBuf,
    folder: TempDir,
}

/// Options of a [`RedisServer`].
#[derive(Clone, Default, Debug)]
pub struct RedisOptions {
    password: String,
    arguments: Vec<String>,
    program: Option<PathBuf>,
}

impl RedisOptions {
    /// Sets the password of the user `default`. [`RedisServer::url`] contains it.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        password.clone_into(&mut self.password);
        self
    }

    /// Adds a setting, as `redis-server --name value` takes it.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.arguments.extend([format!("--{name}"), value.to_owned()]);
        self
    }

    /// Sets the program to run, instead of the one that is installed.
    #[must_use]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    ///
    /// If the program is not installed, or does not answer within 30 s.
    pub fn start(self) -> Result<RedisServer, Error> {
        let program = match &self.program {
            Some(program) => program.clone(),
            None => program()?,
        };
        let folder = temporary_folder("tenancy-redis-")?;
        let child = spawn(&program, folder.path(), &self.socket_arguments())?;
        let mut server = RedisServer { child, options: self, program, folder };
        server.wait()?;
        Ok(server)
    }

    fn socket_arguments(&self) -> Vec<String> {
        let own = ["--port", "0", "--requirepass", &self.password].map(str::to_owned);
        own.into_iter().chain(self.arguments.iter().cloned()).collect()
    }
}

impl RedisServer {
    /// Starts a server without a password and waits until it answers.
    ///
    /// # Errors
    ///
    /// If the program is not installed, or does not answer within 30 s.
    pub fn start() -> Result<Self, Error> {
        Self::options().start()
    }

    /// Starts a server whose user `default` has a password.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn with_password(password: &str) -> Result<Self, Error> {
        Self::options().password(password).start()
    }

    /// Returns options for a server: a password, and settings.
    pub fn options() -> RedisOptions {
        RedisOptions::default()
    }

    /// Returns the URL for a client: `unix:///…/socket`, with `?pass=…` if there is a password.
    pub fn url(&self) -> String {
        let password = match &*self.options.password {
            "" => String::new(),
            password => format!("?pass={password}"),
        };
        format!("unix://{}{password}", self.socket().display())
    }

    /// Returns the path of the server's unix socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// Returns the id of the server's process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills the server; its data is lost.
    pub fn kill(&mut self) {
        self.child.kill();
    }

    /// Starts the server again on the same socket, without data. Kills it first if it is running.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn restart(&mut self) -> Result<(), Error> {
        self.child.kill();
        self.child = spawn(&self.program, self.folder.path(), &self.options.socket_arguments())?;
        self.wait()
    }

    /// Suspends the server: it accepts connections and answers nothing until it is [resumed](Self::resume).
    ///
    /// # Errors
    ///
    /// If the server has ended.
    pub fn pause(&self) -> Result<(), Error> {
        self.child.signal(Signal::Stop).map_err(Error::io("suspend redis-server"))
    }

    /// Resumes a suspended server.
    ///
    /// # Errors
    ///
    /// If the server has ended.
    pub fn resume(&self) -> Result<(), Error> {
        self.child.signal(Signal::Continue).map_err(Error::io("resume redis-server"))
    }

    fn wait(&mut self) -> Result<(), Error> {
        is_answering(&mut self.child, self.folder.path())?
            .then_some(())
            .ok_or_else(|| Error::ended("redis-server", &self.folder.path().join("log")))
    }
}

fn program() -> Result<PathBuf, Error> {
    const VARIABLE: &str = "TENANCY_TESTKIT_REDIS_BIN";
    find("redis-server", VARIABLE, &[])
        .or_else(|| find("valkey-server", VARIABLE, &[]))
        .ok_or_else(|| Error::not_installed("redis-server", "Debian: apt-get install redis-server", VARIABLE))
}

/// Starts a server in a folder, with the socket `socket` and the log `log` in it.
fn spawn(program: &Path, folder: &Path, arguments: &[String]) -> Result<ChildGroup, Error> {
    let log = File::create(folder.join("log")).map_err(Error::io("create the log of redis-server"))?;
    let mut command = Command::new(program);
    command.args(["--save", "", "--dir"]).arg(folder).arg("--unixsocket").arg(folder.join("socket"));
    command.args(arguments).stdout(log).stderr(Stdio::null());
    ChildGroup::spawn_with(&mut command, Signal::Kill, Some(folder)).map_err(Error::io("start redis-server"))
}

/// Waits until the server answers on its own socket; returns `false` if it ended instead.
fn is_answering(child: &mut ChildGroup, folder: &Path) -> Result<bool, Error> {
    let socket = folder.join("socket");
    is_ready(child, "redis-server", START, || answers(&socket).is_ok())
}

/// Any reply will do: without the password it is an error, which is an answer too.
fn answers(socket: &Path) -> io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(b"PING\r\n")?;
    stream.read_exact(&mut [0])
}
