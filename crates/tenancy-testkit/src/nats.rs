//! NATS servers.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::Error;
use crate::process::{ChildGroup, Signal};
use crate::programs::find;
use crate::start::{is_ready, temporary_folder};

/// How long a server may take to start, on a busy machine too.
const START: Duration = Duration::from_secs(30);

const PROGRAM: &str = "nats-server";

/// A NATS server of the test's own with JetStream, on a free port of 127.0.0.1.
///
/// The environment variable `TENANCY_TESTKIT_NATS_BIN` names the folder of the program if it is not on `PATH`.
///
/// ```no_run
/// use tenancy_testkit::NatsServer;
///
/// let server = NatsServer::start()?;
/// println!("connect to {}", server.url()); // nats://127.0.0.1:…
/// # Ok::<(), tenancy_testkit::Error>(())
/// ```
#[derive(Debug)]
pub struct NatsServer {
    // Dropped before the folder.
    _child: ChildGroup,
    _folder: TempDir,
    address: SocketAddr,
}

impl NatsServer {
    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    ///
    /// If the program is not installed, or does not answer within 30 s.
    pub fn start() -> Result<Self, Error> {
        const VARIABLE: &str = "TENANCY_TESTKIT_NATS_BIN";
        // Debian's folder for servers is not always on `PATH`.
        let program = find(PROGRAM, VARIABLE, &["/usr/sbin".into()])
            .ok_or_else(|| Error::not_installed(PROGRAM, "Debian: apt-get install nats-server", VARIABLE))?;
        let folder = temporary_folder("tenancy-nats-")?;
        let log_path = folder.path().join("log");
        let log = File::create(&log_path).map_err(Error::io("create the log of nats-server"))?;
        let mut command = Command::new(program);
        // Port -1 is a free port. The server writes it into a file.
        command.args(["--addr", "127.0.0.1", "--port", "-1", "--jetstream"]);
        command.arg("--ports_file_dir").arg(folder.path()).arg("--store_dir").arg(folder.path());
        command.stdout(Stdio::null()).stderr(log);
        let mut child = ChildGroup::spawn_with(&mut command, Signal::Kill, Some(folder.path()))
            .map_err(Error::io("start nats-server"))?;
        let mut address = None;
        let is_ready = is_ready(&mut child, PROGRAM, START, || {
            address = address_in(folder.path()).filter(|address| answers(*address).is_ok());
            address.is_some()
        })?;
        match address {
            Some(address) if is_ready => Ok(Self { _child: child, _folder: folder, address }),
            _ => Err(Error::ended(PROGRAM, &log_path)),
        }
    }

    /// Returns the URL for a client: `nats://127.0.0.1:…`.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Returns the address of the server.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Returns the address in the file that the server writes: `{"nats":["nats://127.0.0.1:4222"]}`.
fn address_in(folder: &Path) -> Option<SocketAddr> {
    let files = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let ports =
        files.into_iter().find(|path| path.extension().is_some_and(|extension| extension == "ports"))?;
    let text = fs::read_to_string(ports).ok()?;
    let (_, rest) = text.split_once("nats://")?;
    rest.split('"').next()?.parse().ok()
}

/// The server sends `INFO` to each new connection, and answers a ping.
fn answers(address: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.read_exact(&mut [0; 4])?;
    stream.write_all(b"PING\r\n")?;
    let mut received = Vec::new();
    while !received.ends_with(b"PONG\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        received.extend(byte);
    }
    Ok(())
}
