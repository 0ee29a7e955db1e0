//! Running out of file descriptors. The limit is the process's, so this is a program of its own with one test.
#![cfg(unix)]

use std::fs::File;
use std::num::NonZeroUsize;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tenancy::{TenantContext, TenantId};
use tenancy_sqlite::{Config, Error, Migration, TenantFiles, TenantReader};

const NOTES: &[Migration] =
    &[Migration { version: 1, name: "notes", sql: "CREATE TABLE notes (body TEXT NOT NULL) STRICT" }];

fn tenant(number: u8) -> TenantId {
    TenantId::from_bytes([number + 1; 16]).unwrap()
}

fn add(files: &TenantFiles, number: u8) -> Result<(), Error> {
    TenantContext::scope(tenant(number), || {
        files.write(|file| file.execute("INSERT INTO notes VALUES ('x')", ()).map(drop))
    })
}

fn count(files: &TenantFiles, number: u8) -> Result<i64, Error> {
    TenantContext::scope(tenant(number), || {
        files.read(|file| file.query_row("SELECT count(*) FROM notes", (), |row| row.get(0)))
    })
}

#[test]
fn missing_descriptors_close_idle_files_first_and_then_are_an_error_that_heals() {
    let folder = tempfile::tempdir().unwrap();
    // More than the limit below has room for.
    let max_open = NonZeroUsize::new(1000).unwrap();
    let files = TenantFiles::open(Config::new(folder.path()).migrations(NOTES).max_open(max_open)).unwrap();
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(40), ..limit }).unwrap();

    // Idle files are closed for the next ones.
    for round in 1..=2 {
        for number in 0..60 {
            add(&files, number).unwrap();
            assert_eq!(count(&files, number).unwrap(), round);
        }
    }

    // The rest of the program takes all descriptors, but those of one file that is in use.
    let mut taken = Vec::new();
    let hold = |file: &TenantReader<'_>| {
        loop {
            taken.extend(std::iter::from_fn(|| File::open("/dev/null").ok()));
            if let Err(error) = add(&files, 200) {
                assert!(matches!(error, Error::TooManyOpenFiles), "{error:?}");
                assert!(error.is_transient());
                assert_eq!(error.to_string(), "too many open files in the process or the system");
                break;
            }
            // An idle file was closed for it. Its descriptors are taken next.
            TenantContext::scope(tenant(200), || files.remove())?;
        }
        assert!(matches!(count(&files, 1), Err(Error::TooManyOpenFiles)));
        assert!(matches!(add(&files, 1), Err(Error::TooManyOpenFiles)));
        // The open file needs no more.
        file.query_row("SELECT count(*) FROM notes", (), |row| row.get::<_, i64>(0))
    };
    assert_eq!(TenantContext::scope(tenant(0), || files.read(hold)).unwrap(), 2);
    // Nothing is left of the tenant whose file could not be created.
    drop(taken);
    assert!(!TenantContext::scope(tenant(200), || files.exists()).unwrap());
    add(&files, 200).unwrap();
    for number in 0..60 {
        assert_eq!(count(&files, number).unwrap(), 2);
    }
}
