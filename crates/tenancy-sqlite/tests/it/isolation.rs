//! Every tenant has a file of its own.

use std::cell::Cell;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tenancy::{TenantContext, TenantError, TenantId};
use tenancy_sqlite::{Error, TenantFiles};

use crate::support::{A, B, Place, add, config, count, notes};

#[test]
fn same_sql_uses_a_separate_file_for_each_tenant() {
    let place = Place::new();
    place.add(A, "of a").unwrap();
    place.add(B, "of b").unwrap();
    assert_eq!(place.notes(A).unwrap(), ["of a"]);
    assert_eq!(place.notes(B).unwrap(), ["of b"]);
    // Row ids are separate too.
    let last = |tenant| {
        let id = |file: &tenancy_sqlite::TenantTx<'_>| {
            add(file, "more")?;
            Ok::<_, Error>((file.tenant(), file.last_insert_rowid()))
        };
        TenantContext::scope(tenant, || place.files.write(id)).unwrap()
    };
    assert_eq!((last(A), last(B)), ((A, 2), (B, 2)));
}

#[test]
fn without_a_tenant_nothing_runs_or_is_created() {
    let place = Place::new();
    let ran = Cell::new(false);
    let is_unset = |error: &Error| matches!(error, Error::Tenant(TenantError::TenantContextNotSet(_)));
    let read = place.files.read(|_| Ok::<_, Error>(ran.replace(true)));
    let write = place.files.write(|_| Ok::<_, Error>(ran.replace(true)));
    assert!(is_unset(&read.unwrap_err()) && is_unset(&write.unwrap_err()) && !ran.get());
    assert!(is_unset(&place.files.exists().unwrap_err()));
    assert!(is_unset(&place.files.remove().unwrap_err()));
    assert!(is_unset(&place.files.tenants().unwrap_err()));
    assert!(is_unset(&place.files.backup(place.scratch.path().join("copy")).unwrap_err()));
    assert_eq!(place.names(), ["tenants.lock"]);
}

#[test]
fn thread_has_no_tenant_unless_bound() {
    let place = Place::new();
    place.add(A, "of a").unwrap();
    TenantContext::scope(A, || {
        let (bare, bound) = (place.files.clone(), place.files.clone());
        let bare = std::thread::spawn(move || bare.read(notes)).join().unwrap();
        assert!(matches!(bare, Err(Error::Tenant(_))));
        let bound = std::thread::spawn(TenantContext::bind(move || bound.read(notes))).join().unwrap();
        assert_eq!(bound.unwrap(), ["of a"]);
    });
}

#[test]
fn read_without_a_file_sees_empty_tables_and_creates_nothing() {
    let place = Place::new();
    assert!(place.notes(A).unwrap().is_empty());
    assert_eq!(place.names(), ["tenants.lock"]);
    assert!(!TenantContext::scope(A, || place.files.exists()).unwrap());
    place.add(A, "now").unwrap();
    assert!(TenantContext::scope(A, || place.files.exists()).unwrap());
    assert_eq!(place.notes(A).unwrap(), ["now"]);
}

#[test]
fn read_cannot_write() {
    let place = Place::new();
    let insert = "INSERT INTO notes (body) VALUES ('x')";
    // From here on the statement is in the cache.
    TenantContext::scope(A, || place.files.write(|file| file.execute(insert, ()))).unwrap();
    for sql in [insert, "DELETE FROM notes", "CREATE TABLE t (x)", "DROP TABLE notes", "REINDEX", "ANALYZE"] {
        let prepared = |file: &tenancy_sqlite::TenantReader<'_>| file.prepare(sql).map(|_| ());
        let cached = |file: &tenancy_sqlite::TenantReader<'_>| file.query(sql, (), |_| Ok(())).map(|_| ());
        for tenant in [A, B] {
            let results =
                TenantContext::scope(tenant, || (place.files.read(prepared), place.files.read(cached)));
            assert!(matches!(results, (Err(Error::ReadOnly), Err(Error::ReadOnly))), "{sql}: {results:?}");
        }
    }
    assert_eq!(place.notes(A).unwrap(), ["x"]);
}

#[test]
fn read_that_writes_through_a_function_is_rolled_back() {
    let place = Place::new();
    let make = "CREATE VIRTUAL TABLE words USING fts4; INSERT INTO words VALUES ('a')";
    let segments = "SELECT count(*) FROM words_segdir";
    let merge = "SELECT optimize(words) FROM words LIMIT 1";
    TenantContext::scope(A, || {
        let read = |sql| {
            place.files.read(|file| file.query_row(sql, (), |row| row.get::<_, rusqlite::types::Value>(0)))
        };
        place.files.write(|file| file.execute_batch(make)).unwrap();
        place.files.write(|file| file.execute("INSERT INTO words VALUES ('b')", ())).unwrap();
        let before = read(segments).unwrap();
        assert!(matches!(read(merge), Err(Error::ReadOnly)));
        assert_eq!(read(segments).unwrap(), before);
        // A write merges the segments.
        place.files.write(|file| file.query(merge, (), |_| Ok(()))).unwrap();
        assert_ne!(read(segments).unwrap(), before);
    });
}

#[test]
fn error_and_panic_roll_back_and_leave_the_tenant_usable() {
    let place = Place::with(|config| config.max_open(count(1)));
    place.add(A, "kept").unwrap();
    TenantContext::scope(A, || {
        let failed = place.files.write(|file| {
            add(file, "lost")?;
            Err::<(), _>(Error::Config("the body's own"))
        });
        assert!(matches!(failed, Err(Error::Config("the body's own"))));
        let panics = || {
            place.files.write(|file| {
                add(file, "lost").unwrap();
                panic!("in a body");
                #[expect(unreachable_code, reason = "the body's type")]
                Ok::<(), Error>(())
            })
        };
        assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
        let panics = || place.files.read(|_| -> Result<(), Error> { panic!("in a body") });
        assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
    });
    place.add(A, "after").unwrap();
    assert_eq!(place.notes(A).unwrap(), ["kept", "after"]);
}

#[test]
fn nested_body_is_an_error_only_for_the_same_tenant() {
    let place = Place::new();
    place.add(TenantId::PLATFORM, "shared").unwrap();
    TenantContext::scope(A, || {
        place.files.write(|file| {
            assert!(matches!(place.files.read(notes), Err(Error::Nested)));
            assert!(matches!(place.files.write(|file| add(file, "x")), Err(Error::Nested)));
            assert!(matches!(place.files.remove(), Err(Error::Nested)));
            assert!(matches!(place.files.backup("copy"), Err(Error::Nested)));
            let shared = TenantContext::scope(TenantId::PLATFORM, || place.files.read(notes))?;
            add(file, &shared[0])
        })
    })
    .unwrap();
    assert_eq!(place.notes(A).unwrap(), ["shared"]);
}

#[test]
fn only_the_platform_lists_tenants() {
    let place = Place::new();
    place.add(B, "x").unwrap();
    place.add(A, "x").unwrap();
    let list = |tenant| TenantContext::scope(tenant, || place.files.tenants());
    assert_eq!(list(TenantId::PLATFORM).unwrap(), [A, B]);
    let refused = list(A).unwrap_err();
    let is_told = matches!(
        refused,
        Error::Tenant(TenantError::UnauthorizedTenantAccess(error)) if error.tenant().is_platform()
    );
    assert!(is_told, "the error names the platform as the required tenant");
}

#[test]
fn files_without_a_tenants_name_are_ignored() {
    let place = Place::new();
    place.add(A, "x").unwrap();
    let other = B.simple().to_string();
    for name in
        ["notes.sqlite", "x.sqlite-wal", &format!("{other}.sqlite"), &format!("{B}.SQLITE"), ".sqlite"]
    {
        fs::write(place.folder().join(name), "what is this?").unwrap();
    }
    fs::create_dir(place.file(tenancy::tenant_id!("cccccccc-cccc-4ccc-8ccc-cccccccccccc"))).unwrap();
    assert_eq!(TenantContext::scope(TenantId::PLATFORM, || place.files.tenants()).unwrap(), [A]);
    assert!(place.notes(B).unwrap().is_empty());
    place.add(B, "y").unwrap();
    assert_eq!(place.notes(B).unwrap(), ["y"]);
}

#[cfg(unix)]
#[test]
fn rejects_a_link_to_another_tenants_file() {
    let place = Place::new();
    place.add(B, "secret").unwrap();
    std::os::unix::fs::symlink(place.file(B), place.file(A)).unwrap();
    let is_refused = |error: &Error| matches!(error, Error::NotAFile(tenant) if *tenant == A);
    assert!(is_refused(&place.notes(A).unwrap_err()));
    assert!(is_refused(&place.add(A, "x").unwrap_err()));
    assert!(is_refused(&TenantContext::scope(A, || place.files.remove()).unwrap_err()));
    assert!(is_refused(&TenantContext::scope(A, || place.files.exists()).unwrap_err()));
    assert_eq!(TenantContext::scope(TenantId::PLATFORM, || place.files.tenants()).unwrap(), [B]);
    assert_eq!(place.notes(B).unwrap(), ["secret"]);
}

#[cfg(unix)]
#[test]
fn folder_and_files_are_private_to_their_owner() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.add(A, "x").unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.folder()), 0o700);
    for entry in fs::read_dir(place.folder()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{path:?}");
    }
}

#[test]
fn unusable_folder_is_an_error() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(TenantFiles::open(config(&file)), Err(Error::Io(_))));
    let place = Place::new();
    fs::remove_dir_all(place.folder()).unwrap();
    assert!(matches!(place.add(A, "x"), Err(Error::Io(_))));
}

#[test]
fn damaged_file_affects_only_its_own_tenant() {
    let place = Place::with(|config| config.max_open(count(1)));
    place.add(A, "x").unwrap();
    // Closes the file of A: only one file may be open.
    place.add(B, "y").unwrap();
    fs::write(place.file(A), "this is no database, whatever its name says".repeat(200)).unwrap();
    let error = place.notes(A).unwrap_err();
    assert!(matches!(error, Error::Corrupt(tenant) if tenant == A), "{error:?}");
    assert!(matches!(place.add(A, "x"), Err(Error::Corrupt(tenant)) if tenant == A));
    assert_eq!(place.notes(B).unwrap(), ["y"]);
    // The file is not taken for a new one, and can be removed.
    assert!(TenantContext::scope(A, || place.files.remove()).unwrap());
    assert!(place.notes(A).unwrap().is_empty());
}

#[test]
fn damaged_pages_are_reported_by_the_statement_that_reads_them() {
    let place = Place::with(|config| config.max_open(count(1)));
    for number in 0..500 {
        place.add(A, &format!("{number} {}", "x".repeat(100))).unwrap();
    }
    place.add(B, "y").unwrap();
    let mut bytes = fs::read(place.file(A)).unwrap();
    // The first pages contain the schema and stay intact.
    bytes[8192..].fill(0xff);
    fs::write(place.file(A), bytes).unwrap();
    assert!(matches!(place.notes(A), Err(Error::Corrupt(tenant)) if tenant == A));
    assert_eq!(place.notes(B).unwrap(), ["y"]);
}

#[test]
fn file_size_is_limited_for_each_tenant() {
    let place = Place::with(|config| config.max_bytes(std::num::NonZeroU64::new(64 * 1024).unwrap()));
    let grow =
        |tenant| (0..1000).try_for_each(|number| place.add(tenant, &format!("{number}{}", "x".repeat(2000))));
    assert!(matches!(grow(A), Err(Error::Full)));
    assert!(fs::metadata(place.file(A)).unwrap().len() <= 64 * 1024);
    // Earlier data is still there, and other tenants have their own limit.
    assert!(!place.notes(A).unwrap().is_empty());
    place.add(B, "y").unwrap();
    let emptied = TenantContext::scope(A, || place.files.write(|file| file.execute("DELETE FROM notes", ())));
    assert!(emptied.unwrap() > 1);
    place.add(A, "again").unwrap();
    // If the error is ignored, the transaction is committed as a whole or not at all.
    let passed_over = TenantContext::scope(A, || {
        place.files.write(|file| {
            add(file, "before")?;
            let _ = file.execute("INSERT INTO notes (body) VALUES (hex(zeroblob(100000)))", ());
            Ok::<_, Error>(())
        })
    });
    let kept = place.notes(A).unwrap();
    assert!(passed_over.is_ok() == kept.contains(&"before".to_owned()), "{passed_over:?} {kept:?}");
}

#[test]
fn errors_show_neither_values_nor_statements() {
    let place = Place::new();
    place.add(A, "hunter2").unwrap();
    let tables = "CREATE TABLE checked (x CHECK (x <> 'hunter2')); CREATE TABLE triggered (x); \
         CREATE TRIGGER t BEFORE INSERT ON triggered BEGIN SELECT RAISE(ABORT, 'not ' || new.x); END;";
    TenantContext::scope(A, || place.files.write(|file| file.execute_batch(tables))).unwrap();
    let run = |sql: &str| {
        let row = |row: &rusqlite::Row<'_>| row.get::<_, i8>(0);
        TenantContext::scope(A, || place.files.write(|file| file.query(sql, ["hunter2"], row))).unwrap_err()
    };
    for sql in [
        "INSERT INTO notes (body) VALUES (?1)",
        "SELECT ?1 FROM hunter2",
        "SELECT 'hunter2' hunter2 hunter2 ?1",
        "SELECT ?1",
        "SELECT 77777 WHERE ?1 = 'hunter2'",
        "SELECT json_extract('{}', ?1)",
        "SELECT ?1, ?2",
        "SELECT hunter2 FROM notes WHERE body = ?1",
        "INSERT INTO checked VALUES (?1)",
        "INSERT INTO triggered VALUES (?1)",
    ] {
        let error = run(sql);
        assert!(matches!(error, Error::Sqlite(_)), "{error:?}");
        let source = std::error::Error::source(&error).map(ToString::to_string);
        let shown = format!("{error} {error:?} {error:#?} {source:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("77777"), "{shown}");
    }
    assert_eq!(
        run("INSERT INTO notes (body) VALUES (?1)").to_string(),
        "sqlite: UNIQUE constraint failed: notes.body"
    );
    assert_eq!(run("SELECT ?1 FROM hunter2").to_string(), "sqlite: SQL logic error (1)");
}

#[test]
fn files_are_send_sync_and_clone() {
    fn is_shared<T: Clone + Send + Sync + 'static>() {}
    fn is_error<T: std::error::Error + Send + Sync + 'static>() {}
    is_shared::<TenantFiles>();
    is_error::<Error>();
}

/// An operator may put a backup into the wrong place.
#[test]
fn rejects_a_foreign_file_and_leaves_it_unchanged() {
    let place = Place::new();
    place.add(A, "of a").unwrap();
    let copy = place.scratch.path().join("copy");
    TenantContext::scope(A, || place.files.backup(&copy)).unwrap();
    let other = place.scratch.path().join("other");
    rusqlite::Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    for wrong in [&copy, &other] {
        fs::copy(wrong, place.file(B)).unwrap();
        let before = fs::read(place.file(B)).unwrap();
        for _ in 0..2 {
            assert!(matches!(place.notes(B), Err(Error::Foreign(B))), "{:?}", place.notes(B));
            assert!(matches!(place.add(B, "of b"), Err(Error::Foreign(B))));
            let backup = TenantContext::scope(B, || place.files.backup(place.scratch.path().join("again")));
            assert!(matches!(backup, Err(Error::Foreign(B))), "{backup:?}");
        }
        assert_eq!(fs::read(place.file(B)).unwrap(), before);
    }
    // In its own place the backup is the tenant's file.
    TenantContext::scope(A, || place.files.remove()).unwrap();
    fs::copy(&copy, place.file(A)).unwrap();
    assert_eq!(place.notes(A).unwrap(), ["of a"]);
    // A file in the wrong place can be removed.
    assert!(TenantContext::scope(B, || place.files.remove()).unwrap());
    place.add(B, "of b").unwrap();
    assert_eq!(place.notes(B).unwrap(), ["of b"]);
}
