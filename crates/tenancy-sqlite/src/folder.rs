//! The folder of the tenants' files, and their names.

#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tenancy::TenantId;

#[cfg(not(unix))]
use self::other as system;
#[cfg(unix)]
use self::unix as system;
use crate::error::Error;

const LOCK: &str = "tenants.lock";
const SUFFIX: &str = ".sqlite";

/// What SQLite keeps beside a file.
const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Other processes are kept out while it is open.
    _lock: File,
}

impl Folder {
    /// Makes the folder where it is not there, and keeps others out.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        system::folder().recursive(true).create(path)?;
        // SQLite follows no link to a file, and none on the way there either.
        let path = path.canonicalize()?;
        let lock = open(&path.join(LOCK), false)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::FolderTaken),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// Made from the id alone.
    pub(crate) fn file(&self, tenant: TenantId) -> PathBuf {
        self.path.join(name(tenant))
    }

    /// Whether the tenant has a file.
    pub(crate) fn has(&self, tenant: TenantId) -> Result<bool, Error> {
        match fs::symlink_metadata(self.file(tenant)) {
            Ok(found) if found.is_file() => Ok(true),
            Ok(_) => Err(Error::NotAFile(tenant)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Makes an empty file, and sees that it is still there after a power cut.
    ///
    /// A log that an interrupted removal left is dropped by SQLite, because the file is empty.
    pub(crate) fn create(&self, tenant: TenantId) -> Result<(), Error> {
        open(&self.file(tenant), true)?;
        Ok(system::sync(&self.path)?)
    }

    /// Removes a file that nobody has open, and says whether there was one.
    pub(crate) fn remove(&self, tenant: TenantId) -> Result<bool, Error> {
        // The file goes first: without its log it would be an older state of it.
        let was_there = is_removed(fs::remove_file(self.file(tenant)))?;
        self.clear_beside(tenant)?;
        system::sync(&self.path)?;
        Ok(was_there)
    }

    /// Those who have a file, in the order of their ids.
    pub(crate) fn tenants(&self) -> Result<Vec<TenantId>, Error> {
        let mut tenants = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                tenants.extend(entry.file_name().to_str().and_then(tenant));
            }
        }
        tenants.sort_unstable();
        Ok(tenants)
    }

    /// Makes an empty file elsewhere, where there was none, and gives its path.
    pub(crate) fn create_elsewhere(&self, path: &Path) -> Result<PathBuf, Error> {
        let name = path.file_name().ok_or(Error::Config("a backup's path ends with the name of a file"))?;
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let parent = parent.canonicalize()?;
        // There its name might be another tenant's.
        if parent.starts_with(&self.path) {
            return Err(Error::Config("a backup is kept outside the folder of the tenants' files"));
        }
        let path = parent.join(name);
        open(&path, true)?;
        Ok(path)
    }

    fn clear_beside(&self, tenant: TenantId) -> Result<(), Error> {
        for suffix in BESIDE {
            is_removed(fs::remove_file(self.path.join(name(tenant) + suffix)))?;
        }
        Ok(())
    }
}

/// Sees that a file, and its name, are there after a power cut.
pub(crate) fn sync_file(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()?;
    path.parent().map_or(Ok(()), system::sync)
}

fn name(tenant: TenantId) -> String {
    format!("{tenant}{SUFFIX}")
}

/// Whose file has this name, spelled as it is made here.
fn tenant(file: &str) -> Option<TenantId> {
    let tenant = TenantId::parse(file.strip_suffix(SUFFIX)?).ok()?;
    (name(tenant) == file).then_some(tenant)
}

fn is_removed(result: io::Result<()>) -> io::Result<bool> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Opens a file for who runs the program alone; a new one, if it must be.
fn open(path: &Path, must_be_new: bool) -> io::Result<File> {
    system::file().write(true).create(true).create_new(must_be_new).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_made() {
        let id = "550e8400-e29b-41d4-a716-446655440000";
        assert_eq!(tenant(&format!("{id}.sqlite")), TenantId::parse(id).ok());
        for other in [
            "550e8400e29b41d4a716446655440000.sqlite",
            "550E8400-E29B-41D4-A716-446655440000.sqlite",
            "{550e8400-e29b-41d4-a716-446655440000}.sqlite",
            "550e8400-e29b-41d4-a716-446655440000.sqlite-wal",
            "00000000-0000-0000-0000-000000000000.sqlite",
            "notes.sqlite",
            ".sqlite",
        ] {
            assert_eq!(tenant(other), None, "{other}");
        }
    }
}
