//! The folder of the tenants' files, and the names of the files.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use tenancy::TenantId;

use crate::error::Error;

const LOCK: &str = "tenants.lock";
const SUFFIX: &str = ".sqlite";

/// The suffix of a write-ahead log.
const LOG: &str = "-wal";
/// The suffixes of the files that SQLite stores beside a file.
const BESIDE: [&str; 3] = [LOG, "-shm", "-journal"];

#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Locks the folder against other processes.
    _lock: File,
}

impl Folder {
    /// Creates the folder if it does not exist, and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        system::folder().recursive(true).create(path)?;
        // SQLite follows no symbolic link to a file, also not in the folders of its path.
        let path = path.canonicalize()?;
        let lock = open(&path.join(LOCK), false)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(Error::FolderTaken),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    /// Returns the path of a tenant's file. It depends on the id only.
    pub(crate) fn file(&self, tenant: TenantId) -> PathBuf {
        self.path.join(name(tenant))
    }

    /// Returns whether the tenant has a file.
    pub(crate) fn has(&self, tenant: TenantId) -> Result<bool, Error> {
        match fs::symlink_metadata(self.file(tenant)) {
            Ok(found) if found.is_file() => Ok(true),
            Ok(_) => Err(Error::NotAFile(tenant)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the size of a tenant's write-ahead log, or 0 without one.
    pub(crate) fn log_size(&self, tenant: TenantId) -> u64 {
        fs::symlink_metadata(self.path.join(name(tenant) + LOG)).map_or(0, |log| log.len())
    }

    /// Creates an empty file, which survives a power cut.
    ///
    /// SQLite discards a log that an interrupted removal has left, because the file is empty.
    pub(crate) fn create(&self, tenant: TenantId) -> Result<(), Error> {
        open(&self.file(tenant), true)?;
        Ok(system::sync(&self.path)?)
    }

    /// Removes a file that is not open, and returns whether there was one.
    pub(crate) fn remove(&self, tenant: TenantId) -> Result<bool, Error> {
        // The file is removed first: without its log it would be an older state of itself.
        let was_there = is_removed(fs::remove_file(self.file(tenant)))?;
        self.clear_beside(tenant)?;
        system::sync(&self.path)?;
        Ok(was_there)
    }

    /// Returns the tenants that have a file, in the order of their ids.
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

    /// Creates an empty file outside of the folder, and returns its path. The file must not exist.
    pub(crate) fn create_elsewhere(&self, path: &Path) -> Result<PathBuf, Error> {
        let name = path.file_name().ok_or(Error::Config("the path of a backup must end with a file name"))?;
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let parent = parent.canonicalize()?;
        // In the folder, its name could be that of another tenant's file.
        if parent.starts_with(&self.path) {
            return Err(Error::Config("a backup must be outside of the folder of the tenants' files"));
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

/// Writes a file and its name to the disk.
pub(crate) fn sync_file(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()?;
    path.parent().map_or(Ok(()), system::sync)
}

fn name(tenant: TenantId) -> String {
    format!("{tenant}{SUFFIX}")
}

/// Returns the tenant whose file has exactly this name.
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

/// Opens or creates a file that only the process's user can access.
fn open(path: &Path, must_be_new: bool) -> io::Result<File> {
    system::file().write(true).create(true).create_new(must_be_new).open(path)
}

#[cfg(unix)]
mod system {
    use std::fs::{DirBuilder, File, OpenOptions};
    use std::io;
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    use std::path::Path;

    pub(super) fn folder() -> DirBuilder {
        let mut builder = DirBuilder::new();
        builder.mode(0o700);
        builder
    }

    pub(super) fn file() -> OpenOptions {
        let mut options = OpenOptions::new();
        options.mode(0o600);
        options
    }

    /// Writes the names in a folder to the disk.
    pub(super) fn sync(folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}

/// Without modes, a file has the permissions that it inherits from its folder.
#[cfg(not(unix))]
mod system {
    use std::fs::{DirBuilder, OpenOptions};
    use std::io;
    use std::path::Path;

    pub(super) fn folder() -> DirBuilder {
        DirBuilder::new()
    }

    pub(super) fn file() -> OpenOptions {
        OpenOptions::new()
    }

    /// A folder cannot be opened, and the file system writes names by itself.
    #[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
    pub(super) fn sync(_: &Path) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_only_names_that_it_writes() {
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
