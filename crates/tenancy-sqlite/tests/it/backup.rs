//! Backups of a tenant's file, and its removal.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;

use rusqlite::{Connection, OpenFlags};
use tenancy::{TenantContext, TenantError};
use tenancy_sqlite::{Error, TenantFiles};

use crate::support::{A, B, Place, add, config, contents, count, notes};

#[test]
fn backup_contains_committed_data_of_its_tenant_only() {
    let place = Place::new();
    place.add(A, "of a").unwrap();
    place.add(B, "of b").unwrap();
    let out = place.scratch.path().join("out");
    fs::create_dir(&out).unwrap();
    let copy = out.join("copy");
    TenantContext::scope(A, || place.files.backup(&copy)).unwrap();
    place.add(A, "later").unwrap();
    // A backup is one file, which can be opened in a read-only folder.
    let contents = contents(&out);
    assert_eq!(contents.keys().collect::<Vec<_>>(), ["copy"]);
    // The write and read versions of the file format; they would be 2 with a write-ahead log.
    assert_eq!(contents["copy"][18..20], [1, 1]);
    assert!(!contents["copy"].windows(4).any(|bytes| bytes == b"of b"));
    let copied = Connection::open_with_flags(&copy, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let all = "SELECT group_concat(body) || (SELECT integrity_check FROM pragma_integrity_check) FROM notes";
    assert_eq!(copied.query_row(all, (), |row| row.get::<_, String>(0)).unwrap(), "of aok");
    assert_eq!(copied.pragma_query_value(None, "user_version", |row| row.get::<_, i32>(0)).unwrap(), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn backup_refuses_existing_files_and_the_tenants_folder() {
    let place = Place::new();
    place.add(A, "x").unwrap();
    let backup = |path: &std::path::Path| TenantContext::scope(A, || place.files.backup(path));
    let there = place.scratch.path().join("there");
    fs::write(&there, "somebody's").unwrap();
    assert!(
        matches!(backup(&there), Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::AlreadyExists)
    );
    assert_eq!(fs::read_to_string(&there).unwrap(), "somebody's");
    // B has no file, so the backup would become B's file.
    for path in [place.file(B), place.folder().join("../tenants").join("copy")] {
        assert!(matches!(backup(&path), Err(Error::Config(_))));
        assert!(!path.exists());
    }
    #[cfg(unix)]
    {
        let link = place.scratch.path().join("link");
        std::os::unix::fs::symlink(place.folder(), &link).unwrap();
        assert!(matches!(backup(&link.join("copy")), Err(Error::Config(_))));
        let dangling = place.scratch.path().join("dangling");
        std::os::unix::fs::symlink(place.file(B), &dangling).unwrap();
        assert!(matches!(backup(&dangling), Err(Error::Io(_))));
        assert!(!place.file(B).exists());
    }
    assert!(matches!(backup(&place.scratch.path().join("nowhere").join("copy")), Err(Error::Io(_))));
}

#[test]
fn backup_of_a_missing_file_is_an_error_and_creates_nothing() {
    let place = Place::new();
    let copy = place.scratch.path().join("copy");
    let error = TenantContext::scope(A, || place.files.backup(&copy)).unwrap_err();
    assert!(matches!(error, Error::Tenant(TenantError::TenantNotFound(error)) if error.tenant() == A));
    assert!(!copy.exists() && place.names() == ["tenants.lock"]);
}

#[test]
fn backup_during_writes_is_consistent() {
    let place = Place::new();
    place.add(A, "first").unwrap();
    let is_done = AtomicBool::new(false);
    let two = |number: u32| {
        place.files.write(|file| {
            add(file, &format!("{number} left"))?;
            add(file, &format!("{number} right"))
        })
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            let all = (0..).take_while(|_| !is_done.load(SeqCst));
            TenantContext::scope(A, || all.for_each(|number| two(number).unwrap()));
        });
        for round in 0..20 {
            let copy = place.scratch.path().join(format!("copy {round}"));
            TenantContext::scope(A, || place.files.backup(&copy)).unwrap();
            let sql = "SELECT count(*) FILTER (WHERE body LIKE '%left') - count(*) FILTER (WHERE body LIKE '%right') \
                       FROM notes";
            let copied = Connection::open(&copy).unwrap();
            assert_eq!(copied.query_row(sql, (), |row| row.get::<_, i64>(0)).unwrap(), 0);
        }
        is_done.store(true, SeqCst);
    });
}

#[test]
fn removed_tenant_starts_with_an_empty_file() {
    let place = Place::new();
    place.add(A, "old").unwrap();
    place.add(B, "stays").unwrap();
    let remove = || TenantContext::scope(A, || place.files.remove()).unwrap();
    assert!(remove());
    assert!(place.names().iter().all(|name| !name.starts_with(&A.to_string())), "{:?}", place.names());
    assert!(!remove());
    assert!(place.notes(A).unwrap().is_empty());
    place.add(A, "new").unwrap();
    assert_eq!(place.notes(A).unwrap(), ["new"]);
    assert_eq!(place.notes(B).unwrap(), ["stays"]);
}

#[test]
fn removal_deletes_the_log_of_a_crash() {
    let place = Place::new();
    place.add(A, "secret").unwrap();
    // A copy as of a kill: the log is present and contains the written data.
    let crashed = tempfile::tempdir().unwrap();
    for (name, bytes) in contents(&place.folder()) {
        fs::write(crashed.path().join(name), bytes).unwrap();
    }
    assert!(crashed.path().join(format!("{A}.sqlite-wal")).exists());
    let files = TenantFiles::open(config(crashed.path())).unwrap();
    assert!(TenantContext::scope(A, || files.remove()).unwrap());
    assert_eq!(contents(crashed.path()).into_keys().collect::<Vec<_>>(), ["tenants.lock"]);
}

#[test]
fn orphaned_log_is_not_applied_to_a_new_file() {
    let place = Place::new();
    place.add(A, "old").unwrap();
    let beside = |suffix: &str| place.folder().join(format!("{A}.sqlite{suffix}"));
    let log = fs::read(beside("-wal")).unwrap();
    assert!(log.len() > 4096);
    TenantContext::scope(A, || place.files.remove()).unwrap();
    // The state after a crash during a removal.
    for suffix in ["-wal", "-shm", "-journal"] {
        fs::write(beside(suffix), &log).unwrap();
    }
    assert!(place.notes(A).unwrap().is_empty());
    place.add(A, "new").unwrap();
    assert_eq!(place.notes(A).unwrap(), ["new"]);
}

#[test]
fn removal_waits_for_users_and_is_atomic() {
    const ROUNDS: usize = 60;
    // With room for one file, every use opens and closes the file.
    for max_open in [1, 8] {
        let place = Place::with(|config| config.max_open(count(max_open)));
        let is_done = AtomicBool::new(false);
        thread::scope(|scope| {
            for worker in 0..3 {
                let (place, is_done) = (&place, &is_done);
                scope.spawn(move || {
                    for step in (0..).take_while(|_| !is_done.load(SeqCst)) {
                        let pair = |file: &tenancy_sqlite::TenantTx<'_>| {
                            add(file, &format!("{worker} {step} left"))?;
                            add(file, &format!("{worker} {step} right"))
                        };
                        TenantContext::scope(A, || place.files.write(pair)).unwrap();
                        assert_eq!(place.notes(A).unwrap().len() % 2, 0);
                        if worker == 0 {
                            place.add(B, &step.to_string()).unwrap();
                        }
                    }
                });
            }
            for _ in 0..ROUNDS {
                TenantContext::scope(A, || place.files.remove()).unwrap();
                thread::yield_now();
            }
            is_done.store(true, SeqCst);
        });
        // B has lost nothing.
        let kept = place.notes(B).unwrap();
        assert!(kept.iter().enumerate().all(|(number, note)| *note == number.to_string()), "{kept:?}");
        TenantContext::scope(A, || place.files.remove()).unwrap();
        place.add(A, "end").unwrap();
        assert_eq!(TenantContext::scope(A, || place.files.read(notes)).unwrap(), ["end"]);
    }
}
