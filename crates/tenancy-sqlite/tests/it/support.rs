//! A folder of tenants' files, and operations on a table of notes.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tenancy::{TenantContext, TenantId, tenant_id};
use tenancy_sqlite::{Config, Error, Migration, TenantFiles, TenantReader, TenantTx};

pub(crate) const A: TenantId = tenant_id!("aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa");
pub(crate) const B: TenantId = tenant_id!("bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb");

pub(crate) const NOTES: &[Migration] = &[Migration {
    version: 1,
    name: "notes",
    sql: "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL UNIQUE) STRICT",
}];

/// Tenants' files in a folder that is removed after the test.
pub(crate) struct Place {
    pub(crate) scratch: tempfile::TempDir,
    pub(crate) files: TenantFiles,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::with(|config| config)
    }

    pub(crate) fn with(configure: impl FnOnce(Config) -> Config) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let files = TenantFiles::open(configure(config(&scratch.path().join("tenants")))).unwrap();
        Self { scratch, files }
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.scratch.path().join("tenants")
    }

    pub(crate) fn file(&self, tenant: TenantId) -> PathBuf {
        self.folder().join(format!("{tenant}.sqlite"))
    }

    pub(crate) fn add(&self, tenant: TenantId, body: &str) -> Result<(), Error> {
        TenantContext::scope(tenant, || self.files.write(|file| add(file, body)))
    }

    pub(crate) fn notes(&self, tenant: TenantId) -> Result<Vec<String>, Error> {
        TenantContext::scope(tenant, || self.files.read(notes))
    }

    pub(crate) fn names(&self) -> Vec<String> {
        contents(&self.folder()).into_keys().collect()
    }
}

pub(crate) fn config(folder: &Path) -> Config {
    Config::new(folder).migrations(NOTES).busy_timeout(Duration::from_secs(20))
}

pub(crate) fn count(files: usize) -> NonZeroUsize {
    NonZeroUsize::new(files).unwrap()
}

pub(crate) fn add(file: &TenantTx<'_>, body: &str) -> Result<(), Error> {
    file.execute("INSERT INTO notes (body) VALUES (?1)", [body]).map(|_| ())
}

pub(crate) fn notes(file: &TenantReader<'_>) -> Result<Vec<String>, Error> {
    file.query("SELECT body FROM notes ORDER BY id", (), |row| row.get(0))
}

/// Returns the names and contents of a folder's files.
pub(crate) fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let read = |entry: fs::DirEntry| {
        let bytes =
            if entry.file_type().unwrap().is_file() { fs::read(entry.path()).unwrap() } else { Vec::new() };
        (entry.file_name().into_string().unwrap(), bytes)
    };
    fs::read_dir(folder).unwrap().map(|entry| read(entry.unwrap())).collect()
}
