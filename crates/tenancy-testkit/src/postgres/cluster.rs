//! One server: its files, its process, and its end.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use tempfile::TempDir;

use super::programs::{User, fingerprint, postgres};
use crate::Error;
use crate::process::{ChildGroup, Signal};
use crate::start::{is_ready, temporary_folder};

/// The port is only part of the socket's name.
pub(crate) const PORT: u16 = 5432;

/// How long a server may take to start, on a busy machine too.
const START: Duration = Duration::from_secs(60);

/// A running server and its folder, which ends with this value.
#[derive(Debug)]
pub(crate) struct Cluster {
    // Dropped before the folder.
    server: ChildGroup,
    settings: Vec<(String, String)>,
    folder: TempDir,
}

impl Cluster {
    pub(crate) fn start(settings: Vec<(String, String)>) -> Result<Self, Error> {
        let folder = temporary_folder("tenancy-postgres-")?;
        let server = start_in(folder.path(), &settings, true)?;
        Ok(Self { server, settings, folder })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn crash_and_restart(&mut self) -> Result<(), Error> {
        self.server.kill();
        let end = Instant::now() + START;
        loop {
            // The file of a killed server would be taken for the new one's.
            let _ = fs::remove_file(self.folder().join("data/postmaster.pid"));
            self.server = spawn(self.folder(), &self.settings, true)?;
            if accepts_connections(&mut self.server, self.folder.path())? {
                return Ok(());
            }
            // A server does not start before every process of the old one has noticed its end.
            if Instant::now() > end {
                return Err(Error::ended("postgres", &self.folder().join("log")));
            }
        }
    }
}

/// Starts a new server in an existing folder and waits until it accepts connections. The folder is removed if the owner
/// is killed and the server `ends_with_owner`.
pub(super) fn start_in(
    folder: &Path,
    settings: &[(String, String)],
    ends_with_owner: bool,
) -> Result<ChildGroup, Error> {
    let user = User::of_servers()?;
    user.own(folder).map_err(Error::io("change the owner of a folder"))?;
    copy(&template(user)?, &folder.join("data"), user).map_err(Error::io("copy the template of initdb"))?;
    let mut server = spawn(folder, settings, ends_with_owner)?;
    if accepts_connections(&mut server, folder)? {
        return Ok(server);
    }
    Err(Error::ended("postgres", &folder.join("log")))
}

fn spawn(folder: &Path, settings: &[(String, String)], ends_with_owner: bool) -> Result<ChildGroup, Error> {
    let log = File::create(folder.join("log")).map_err(Error::io("create the log of postgres"))?;
    let mut command = User::of_servers()?.command(&postgres("postgres")?);
    command.arg("-D").arg(folder.join("data")).arg("-k").arg(folder);
    let own =
        [("listen_addresses", ""), ("fsync", "off"), ("max_connections", "100"), ("shared_buffers", "32MB")];
    for (name, value) in own {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    for (name, value) in settings {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    command.stdout(Stdio::null()).stderr(log);
    let folder = ends_with_owner.then_some(folder);
    // Immediate shutdown: nothing in the server is of value, and its processes end with it.
    ChildGroup::spawn_with(&mut command, Signal::Quit, folder).map_err(Error::io("start postgres"))
}

/// Waits until the server accepts connections; returns `false` if it ended instead.
fn accepts_connections(server: &mut ChildGroup, folder: &Path) -> Result<bool, Error> {
    is_ready(server, "postgres", START, || says_ready(folder))
}

/// The eighth line of `postmaster.pid` is the server's state, which `pg_ctl` waits for too.
pub(super) fn says_ready(folder: &Path) -> bool {
    let state = fs::read_to_string(folder.join("data/postmaster.pid"));
    state.is_ok_and(|state| state.lines().nth(7).is_some_and(|line| line.trim_end() == "ready"))
}

/// Waits for a lock on a file, which is held until the file is closed. Creates the file if there is none.
pub(super) fn locked(path: &Path, operation: FlockOperation) -> Result<File, Error> {
    let file = File::options().create(true).append(true).open(path);
    let file = file.map_err(Error::io("create a lock file"))?;
    flock(&file, operation).map_err(|error| Error::io("lock a file")(error.into()))?;
    Ok(file)
}

/// Returns the folder that `initdb` made for this version of Postgres, and makes it if there is none.
fn template(user: User) -> Result<PathBuf, Error> {
    let initdb = postgres("initdb")?;
    let version = fingerprint(&postgres("postgres")?).map_err(Error::io("read the file `postgres`"))?;
    let name = format!("tenancy-postgres-template-{}-{version}", user.key());
    let template = std::env::temp_dir().join(name);
    // Other test processes wait for the one that runs `initdb`.
    let _lock = locked(&template.with_extension("lock"), FlockOperation::LockExclusive)?;
    if template.exists() {
        return Ok(template);
    }
    // Only a complete template gets the final name.
    let new = template.with_extension("new");
    let _ = fs::remove_dir_all(&new);
    fs::create_dir(&new).and_then(|()| user.own(&new)).map_err(Error::io("create a folder"))?;
    let log = template.with_extension("log");
    run(
        user.command(&initdb)
            .args(["-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--wal-segsize=1"])
            .arg("-D")
            .arg(&new),
        &log,
    )?;
    fs::rename(&new, &template).map_err(Error::io("rename the template"))?;
    Ok(template)
}

fn run(command: &mut Command, log: &PathBuf) -> Result<(), Error> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = File::create(log).and_then(|file| Ok((file.try_clone()?, file)));
    let (stdout, stderr) = output.map_err(Error::io("create a log file"))?;
    let status = command.stdin(Stdio::null()).stdout(stdout).stderr(stderr).status();
    let status = status.map_err(Error::io(format!("start {name}")))?;
    status.success().then_some(()).ok_or_else(|| Error::ended(&name, log))
}

/// Copies a folder with everything in it; the copies belong to the user.
fn copy(from: &Path, to: &Path, user: User) -> io::Result<()> {
    let kind = from.symlink_metadata()?;
    if kind.is_dir() {
        fs::create_dir(to)?;
        fs::set_permissions(to, fs::Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()), user)?;
        }
    } else {
        fs::copy(from, to)?;
    }
    user.own(to)
}

/// Returns the path of the socket in a server's folder, by the rule of libpq.
pub(super) fn socket(folder: &Path) -> PathBuf {
    folder.join(format!(".s.PGSQL.{PORT}"))
}

/// Returns a URL whose host is the folder of a unix socket.
pub(crate) fn socket_url(folder: &Path, user: &str, database: &str) -> String {
    let mut host = String::new();
    for byte in folder.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => host.push(char::from(*byte)),
            _ => write!(host, "%{byte:02X}").expect("a string grows"),
        }
    }
    format!("postgresql://{user}@{host}:{PORT}/{database}")
}
