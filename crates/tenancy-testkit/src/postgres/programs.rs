//! The programs of Postgres and pgbouncer, and the user that runs them.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use crate::Error;
use crate::programs::find;

const VARIABLE: &str = "TENANCY_TESTKIT_POSTGRES_BIN";

/// Returns the path of a program of Postgres.
pub(crate) fn postgres(program: &'static str) -> Result<PathBuf, Error> {
    find(program, VARIABLE, &versions())
        .ok_or_else(|| Error::not_installed(program, "Debian: apt-get install postgresql", VARIABLE))
}

pub(crate) fn pgbouncer() -> Result<PathBuf, Error> {
    const VARIABLE: &str = "TENANCY_TESTKIT_PGBOUNCER_BIN";
    // Debian installs it where only root's search path looks.
    find("pgbouncer", VARIABLE, &["/usr/sbin".into()])
        .ok_or_else(|| Error::not_installed("pgbouncer", "Debian: apt-get install pgbouncer", VARIABLE))
}

/// The folders of the versions that Debian and Red Hat install beside each other, newest first.
fn versions() -> Vec<PathBuf> {
    let installed = |folder: &str, prefix: &'static str| {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter_map(move |entry| {
            let name = entry.file_name();
            let version: u32 = name.to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
    };
    let mut versions: Vec<_> =
        installed("/usr/lib/postgresql", "").chain(installed("/usr", "pgsql-")).collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    versions.into_iter().map(|(_, folder)| folder).collect()
}

/// The user that the servers run as.
#[derive(Clone, Copy, Debug)]
pub(crate) enum User {
    /// The user that runs the tests.
    Current,
    /// Another one, since the tests run as root.
    Other { uid: u32, gid: u32 },
}

impl User {
    pub(crate) fn of_servers() -> Result<Self, Error> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self::Current);
        }
        let users = fs::read_to_string("/etc/passwd").map_err(Error::io("read /etc/passwd"))?;
        let find = |name: &str| {
            let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut fields = line.split(':').skip(2).map(str::parse);
            Some(Self::Other { uid: fields.next()?.ok()?, gid: fields.next()?.ok()? })
        };
        find("postgres").or_else(|| find("nobody")).ok_or_else(|| {
            Error::io("run a server as root")(io::Error::other("no user `postgres` or `nobody`"))
        })
    }

    /// Returns a command that runs as this user.
    pub(crate) fn command(self, program: &Path) -> Command {
        let mut command = Command::new(program);
        // The current folder can be closed to that user.
        command.current_dir("/");
        if let Self::Other { uid, gid } = self {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Makes this user the owner of a file or folder.
    pub(crate) fn own(self, path: &Path) -> io::Result<()> {
        match self {
            Self::Current => Ok(()),
            Self::Other { uid, gid } => std::os::unix::fs::chown(path, Some(uid), Some(gid)),
        }
    }

    /// Returns a text that is different for different users.
    pub(crate) fn key(self) -> u32 {
        match self {
            Self::Current => rustix::process::geteuid().as_raw(),
            Self::Other { uid, .. } => uid,
        }
    }
}

/// Returns a text that changes when a file is replaced by another version.
pub(crate) fn fingerprint(file: &Path) -> io::Result<String> {
    let file = file.metadata()?;
    Ok(format!("{:x}-{:x}-{:x}", file.ino(), file.mtime(), file.mtime_nsec()))
}
