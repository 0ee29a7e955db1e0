//! One server for the tests of several processes.
//!
//! Each user of the server holds a shared lock on a file. The operating system releases it even if the process is
//! killed. A shell process, the keeper, ends the server once it gets the lock for itself.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, io};

use rustix::fs::FlockOperation;

use super::cluster::{locked, says_ready, socket, start_in};
use super::programs::{User, fingerprint};
use crate::Error;
use crate::programs::on_path;

/// Ends the server some seconds after its last user.
///
/// Arguments: the lock file, the id of the server, and its folder. Between two tests there may be a moment without a user,
/// so the keeper looks twice.
const KEEPER: &str = r#"
exec 9>"$1"
while :; do
    flock -x 9 || exit
    flock -u 9
    sleep 5
    flock -n -x 9 && break
done
kill -s QUIT "$2" 2>/dev/null
tries=0
while kill -s 0 "$2" 2>/dev/null && [ "$tries" -lt 50 ]; do
    sleep 0.1
    tries=$((tries + 1))
done
rm -rf -- "$3"
"#;

/// A use of a shared server, which counts until it is dropped.
#[derive(Debug)]
pub(crate) struct Shared {
    folder: PathBuf,
    _lock: File,
}

impl Shared {
    /// Returns whether the keeper can wait for a lock.
    pub(crate) fn is_supported() -> bool {
        // The keeper's shell looks for it there too.
        on_path("flock").is_some()
    }

    /// Joins the users of a server. If there is no server, starts one and runs `prepare` with its folder.
    pub(crate) fn join(name: &str, prepare: impl FnOnce(&Path) -> Result<(), Error>) -> Result<Self, Error> {
        let folder = env::temp_dir().join(folder_name(name).map_err(Error::io("read the test program"))?);
        let path = folder.with_extension("lock");
        let mut prepare = Some(prepare);
        loop {
            let lock = locked(&path, FlockOperation::LockShared)?;
            if is_prepared(&folder) {
                return Ok(Self { folder, _lock: lock });
            }
            drop(lock);
            let lock = locked(&path, FlockOperation::LockExclusive)?;
            if is_prepared(&folder) {
                continue;
            }
            let Some(prepare) = prepare.take() else {
                return Err(Error::ended("postgres", &folder.join("log")));
            };
            start(&folder, &path, prepare)?;
            // Held until here: nobody else could join before the server was prepared.
            drop(lock);
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Starts and prepares a server, and leaves its end to a keeper. The caller holds the lock.
fn start(
    folder: &Path,
    lock_path: &Path,
    prepare: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<(), Error> {
    // The folder of a server that did not end by its keeper.
    let _ = fs::remove_dir_all(folder);
    fs::create_dir(folder).map_err(Error::io("create the folder of a shared server"))?;
    let server = start_in(folder, &[], false)?;
    prepare(folder)?;
    Command::new("sh")
        .args(["-c", KEEPER, "keeper"])
        .arg(lock_path)
        .arg(server.id().to_string())
        .arg(folder)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .map_err(Error::io("start the keeper of a shared server"))?;
    File::create(folder.join("prepared")).map_err(Error::io("mark a shared server as prepared"))?;
    server.detach();
    Ok(())
}

fn is_prepared(folder: &Path) -> bool {
    folder.join("prepared").exists() && says_ready(folder) && is_running(folder)
}

fn is_running(folder: &Path) -> bool {
    UnixStream::connect(socket(folder)).is_ok()
}

/// The name is the program's own, so that a new build, which may prepare the server differently, gets a new server.
fn folder_name(name: &str) -> io::Result<String> {
    let program = env::current_exe()?;
    let mut hasher = DefaultHasher::new();
    (name, &program, fingerprint(&program)?).hash(&mut hasher);
    let user = User::of_servers().map_or(0, User::key);
    Ok(format!("tenancy-shared-{user}-{:016x}", hasher.finish()))
}
