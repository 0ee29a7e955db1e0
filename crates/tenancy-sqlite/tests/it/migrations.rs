//! Migrations: each file has the tables that the program knows.

use std::fs;

use tenancy::TenantContext;
use tenancy_sqlite::{Error, Migration, TenantFiles, TenantReader};

use crate::support::{A, B, config, contents};

const fn step(version: i32, sql: &'static str) -> Migration {
    Migration { version, name: "a step", sql }
}

const ONE: Migration = step(1, "CREATE TABLE steps (name TEXT); INSERT INTO steps VALUES ('one')");
const TWO: Migration = step(2, "INSERT INTO steps SELECT 'two after ' || count(*) FROM steps");
const THREE: Migration = step(3, "INSERT INTO steps VALUES ('three')");

fn open(folder: &tempfile::TempDir, migrations: &'static [Migration]) -> TenantFiles {
    TenantFiles::open(config(folder.path()).migrations(migrations)).unwrap()
}

fn steps(file: &TenantReader<'_>) -> Result<Vec<String>, Error> {
    file.query("SELECT name FROM steps", (), |row| row.get(0))
}

#[test]
fn migrations_are_applied_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    TenantContext::scope(A, || {
        let touch = |files: &TenantFiles| files.write(|file| steps(file)).unwrap();
        assert_eq!(touch(&open(&folder, &[ONE])), ["one"]);
        assert_eq!(touch(&open(&folder, &[ONE])), ["one"]);
        let files = open(&folder, &[ONE, TWO, THREE]);
        // A read migrates an existing file too.
        assert_eq!(files.read(steps).unwrap(), ["one", "two after 1", "three"]);
        // A tenant without a file sees the same tables.
        assert_eq!(TenantContext::scope(B, || files.read(steps)).unwrap(), ["one", "two after 1", "three"]);
        drop(files);
        assert_eq!(open(&folder, &[ONE, TWO, THREE]).read(steps).unwrap(), ["one", "two after 1", "three"]);
    });
    assert!(!folder.path().join(format!("{B}.sqlite")).exists());
}

#[test]
fn failed_migration_rolls_back_all_of_its_batch() {
    const WRONG: &[Migration] =
        &[ONE, TWO, step(3, "INSERT INTO steps VALUES ('x'); INSERT INTO nothing VALUES (1)")];
    const ENDS: &[Migration] = &[ONE, TWO, step(3, "INSERT INTO steps VALUES ('x'); COMMIT")];
    const ROLLS_BACK: &[Migration] =
        &[ONE, TWO, step(3, "CREATE TABLE u (x UNIQUE ON CONFLICT ROLLBACK); INSERT INTO u VALUES (1), (1)")];
    const LEAVES: &[Migration] = &[ONE, TWO, step(3, "ATTACH 'elsewhere' AS elsewhere")];
    let folder = tempfile::tempdir().unwrap();
    TenantContext::scope(A, || {
        open(&folder, &[ONE]).write(|file| steps(file)).unwrap();
        for migrations in [WRONG, ENDS, ROLLS_BACK, LEAVES] {
            let files = open(&folder, migrations);
            for error in [files.read(steps).unwrap_err(), files.write(|file| steps(file)).unwrap_err()] {
                let Error::Migration { version, source } = &error else { panic!("{error:?}") };
                assert_eq!(*version, 3);
                assert!(
                    matches!(**source, Error::Sqlite(_) | Error::TxEscaped | Error::Denied),
                    "{source:?}"
                );
                assert!(error.to_string().starts_with("migration 3 failed: "));
            }
            drop(files);
            assert_eq!(open(&folder, &[ONE]).read(steps).unwrap(), ["one"]);
            // A tenant without a file still has none.
            TenantContext::scope(B, || {
                let files = open(&folder, migrations);
                assert!(files.write(|file| steps(file)).is_err());
                assert!(!files.exists().unwrap());
            });
        }
    });
}

#[test]
fn rejects_a_newer_file_without_writing_it() {
    let folder = tempfile::tempdir().unwrap();
    TenantContext::scope(A, || {
        open(&folder, &[ONE, TWO]).write(|file| steps(file)).unwrap();
        let path = folder.path().join(format!("{A}.sqlite"));
        let before = fs::read(&path).unwrap();
        let files = open(&folder, &[ONE]);
        for error in [files.read(steps).unwrap_err(), files.write(|file| steps(file)).unwrap_err()] {
            assert!(matches!(error, Error::UnknownVersion { tenant: A, found: 2, known: 1 }), "{error:?}");
        }
        assert_eq!(fs::read(&path).unwrap(), before);
        // Other tenants are not affected.
        assert_eq!(TenantContext::scope(B, || files.write(|file| steps(file))).unwrap(), ["one"]);
        drop(files);
        assert_eq!(open(&folder, &[ONE, TWO]).read(steps).unwrap().len(), 2);
    });
}

#[test]
fn log_of_a_newer_crashed_program_is_left_alone() {
    let (folder, crashed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    TenantContext::scope(A, || {
        let newer = open(&folder, &[ONE, TWO]);
        newer.write(|file| steps(file)).unwrap();
        // A copy as of a kill: the data is only in the log.
        for (name, bytes) in contents(folder.path()) {
            fs::write(crashed.path().join(name), bytes).unwrap();
        }
        let path = crashed.path().join(format!("{A}.sqlite"));
        let before = fs::read(&path).unwrap();
        assert!(open(&crashed, &[ONE]).read(steps).is_err());
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(open(&crashed, &[ONE, TWO]).read(steps).unwrap().len(), 2);
        assert_ne!(fs::read(&path).unwrap(), before);
    });
}

#[test]
fn rejects_a_file_with_an_invalid_version() {
    let folder = tempfile::tempdir().unwrap();
    let foreign = rusqlite::Connection::open(folder.path().join(format!("{A}.sqlite"))).unwrap();
    foreign.execute_batch("CREATE TABLE x (y); PRAGMA user_version = -1").unwrap();
    drop(foreign);
    let read = TenantContext::scope(A, || open(&folder, &[ONE]).read(steps));
    assert!(matches!(read, Err(Error::UnknownVersion { tenant: A, found: -1, known: 1 })), "{read:?}");
}

#[test]
fn rejects_migrations_with_gaps() {
    let folder = tempfile::tempdir().unwrap();
    for migrations in [&[TWO] as &[_], &[TWO, ONE], &[ONE, ONE], &[ONE, THREE]] {
        let opened = TenantFiles::open(config(folder.path()).migrations(migrations));
        assert!(matches!(opened, Err(Error::Config(_))), "{migrations:?}");
    }
}
