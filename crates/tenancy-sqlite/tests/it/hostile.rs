//! SQL that tries to leave its file or its transaction.

use std::fs;
use std::path::Path;

use tenancy::TenantContext;
use tenancy_sqlite::{Error, TenantReader, TenantTx};

use crate::support::{A, B, Place, add, contents, notes};

/// `OTHER` is the path of the other tenant's file, `OUT` a path where no file exists.
const DENIED: &[&str] = &[
    "ATTACH 'OTHER' AS other",
    "ATTACH DATABASE 'file:OTHER?mode=ro&immutable=1' AS other",
    "ATTACH 'OUT' AS out",
    "ATTACH ':memory:' AS memory",
    "ATTACH '' AS temporary",
    "ATTACH 'OTH' || 'ER' AS other",
    "/* hello */ attach 'OTHER' as other",
    "EXPLAIN ATTACH 'OTHER' AS other",
    "DETACH main",
    "SELECT load_extension('OUT')",
    "SELECT load_extension('OUT', 'entry')",
    "SELECT fts3_tokenizer('simple')",
    "SELECT fts3_tokenizer('simple', x'0011223344556677')",
    "SELECT sqlite_log(1, 'hello')",
    "SELECT body FROM notes WHERE load_extension('OUT') IS NULL",
    "PRAGMA writable_schema = ON",
    "PRAGMA writable_schema = RESET",
    "PRAGMA main.writable_schema = 1",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA journal_mode = OFF",
    "PRAGMA journal_mode",
    "PRAGMA synchronous = OFF",
    "PRAGMA foreign_keys = OFF",
    "PRAGMA temp_store = FILE",
    "PRAGMA temp_store_directory = 'OUT'",
    "PRAGMA data_store_directory = 'OUT'",
    "PRAGMA max_page_count = 1000000000",
    "PRAGMA trusted_schema = ON",
    "PRAGMA query_only = OFF",
    "PRAGMA user_version = 99",
    "PRAGMA schema_version = 99",
    "PRAGMA application_id = 7",
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA mmap_size = 1000000",
    "PRAGMA cache_size = 1000000",
    "PRAGMA cache_spill = 1",
    "PRAGMA wal_checkpoint(TRUNCATE)",
    "PRAGMA wal_autocheckpoint = 0",
    "PRAGMA journal_size_limit = -1",
    "PRAGMA database_list",
    "SELECT file FROM pragma_database_list",
    "PRAGMA soft_heap_limit = 1",
    "PRAGMA hard_heap_limit = 1",
    "PRAGMA threads = 8",
    "PRAGMA auto_vacuum = FULL",
    "PRAGMA incremental_vacuum(100)",
    "PRAGMA page_size = 512",
    "PRAGMA encoding = 'UTF-16'",
    "PRAGMA secure_delete = OFF",
    "PRAGMA recursive_triggers = OFF",
    "PRAGMA case_sensitive_like = ON",
    "PRAGMA ignore_check_constraints = ON",
    "PRAGMA legacy_alter_table = ON",
    "PRAGMA cell_size_check = OFF",
    "PRAGMA busy_timeout = 0",
    "PRAGMA key = 'secret'",
    "PRAGMA optimize",
    "PRAGMA shrink_memory",
    "PRAGMA no_such_pragma",
    "SELECT * FROM dbstat",
    "SELECT count(*) FROM dbstat",
    "SELECT name FROM main.DBSTAT WHERE aggregate",
    "SELECT body FROM notes WHERE EXISTS (SELECT 1 FROM dbstat)",
];

/// Like [`DENIED`], but a read refuses these before the authorizer does.
const DENIED_IN_WRITES: &[&str] = &[
    "CREATE TEMP TABLE t (x)",
    "CREATE TABLE temp.t (x)",
    "CREATE VIEW temp.notes AS SELECT 1 AS id, 'x' AS body",
    "CREATE TRIGGER temp.t AFTER INSERT ON main.notes BEGIN SELECT 1; END",
    "CREATE TEMP VIEW notes AS SELECT 1 AS id, 'x' AS body",
    "CREATE TEMP TRIGGER t AFTER INSERT ON notes BEGIN DELETE FROM notes; END",
    "CREATE VIRTUAL TABLE d USING dbstat",
    "CREATE VIRTUAL TABLE d USING sqlite_dbpage",
    "CREATE VIRTUAL TABLE d USING csv(filename = 'OTHER')",
    "CREATE VIRTUAL TABLE d USING fsdir",
    "CREATE VIRTUAL TABLE d USING zipfile('OUT')",
    "CREATE VIRTUAL TABLE temp.d USING fts5(x)",
    "INSERT INTO notes (body) VALUES ('x'); ATTACH 'OTHER' AS other; INSERT INTO other.notes (body) VALUES ('x')",
];

/// Statements on objects that do not exist or that SQLite protects.
const REFUSED: &[&str] = &[
    "VACUUM",
    "VACUUM main",
    "VACUUM INTO 'OUT'",
    "VACUUM main INTO 'file:OUT?mode=rwc'",
    "SELECT readfile('OTHER')",
    "SELECT writefile('OUT', 'x')",
    "SELECT edit('x')",
    "SELECT * FROM fsdir('/')",
    "SELECT * FROM other.notes",
    "SELECT * FROM temp.notes",
    "SELECT * FROM pragma_journal_mode('delete')",
    "SELECT * FROM pragma_writable_schema(1)",
    "SELECT * FROM sqlite_dbpage",
    "SELECT * FROM sqlite_stmt",
    "SELECT * FROM bytecode('SELECT 1')",
    "UPDATE sqlite_schema SET sql = 'CREATE TABLE notes (x)'",
    "DELETE FROM sqlite_master",
    "INSERT INTO sqlite_schema VALUES ('table', 'x', 'x', 2, 'CREATE TABLE x (y)')",
    "DROP TABLE sqlite_schema",
    "CREATE INDEX temp.i ON notes (body)",
    "INSERT INTO sqlite_temp_schema VALUES ('table', 'x', 'x', 2, 'CREATE TABLE x (y)')",
    "CREATE VIEW v AS SELECT load_extension('OUT') AS x; SELECT * FROM v",
    "CREATE TRIGGER t AFTER INSERT ON notes BEGIN SELECT load_extension('OUT'); END; \
     INSERT INTO notes (body) VALUES ('x')",
    "CREATE VIRTUAL TABLE w USING fts5(x); DELETE FROM w_data",
    "RELEASE nothing",
    "ROLLBACK TO nothing",
];

const ESCAPES: &[&str] = &[
    "BEGIN",
    "BEGIN DEFERRED",
    "BEGIN IMMEDIATE",
    " BEGIN IMMEDIATE ",
    "BEGIN EXCLUSIVE",
    "COMMIT",
    "COMMIT TRANSACTION",
    "END",
    "ROLLBACK",
    "\tROLLBACK\n",
    "ROLLBACK TRANSACTION",
    "-- hello\n;; commit",
    "EXPLAIN COMMIT",
];

/// Like [`ESCAPES`], for writes.
const ESCAPES_OF_WRITES: &[&str] = &[
    "INSERT INTO notes (body) VALUES ('x'); COMMIT; DELETE FROM notes",
    "INSERT INTO notes (body) VALUES ('x'); ROLLBACK; INSERT INTO notes (body) VALUES ('y')",
    "INSERT OR ROLLBACK INTO notes (body) VALUES ('of a')",
    "SAVEPOINT s; INSERT OR ROLLBACK INTO notes (body) VALUES ('of a')",
    "CREATE TABLE u (x UNIQUE ON CONFLICT ROLLBACK); INSERT INTO u VALUES (1), (1)",
    "CREATE TRIGGER t AFTER INSERT ON notes BEGIN SELECT RAISE(ROLLBACK, 'x'); END; \
     INSERT INTO notes (body) VALUES ('x')",
];

/// Tries every statement in every way, and checks the files afterwards.
fn try_all(lists: &[&[&str]], check: impl Fn(&str, Error)) {
    let place = Place::new();
    place.add(A, "of a").unwrap();
    place.add(B, "of b").unwrap();
    let out = place.scratch.path().join("out");
    fs::create_dir(&out).unwrap();
    let before = contents(&place.folder());
    // Bytes 68 to 71 of the file's header.
    let mark = u32::from_be_bytes(fs::read(place.file(A)).unwrap()[68..72].try_into().unwrap());
    for template in lists.iter().copied().flatten() {
        let sql = fill(template, &place.file(B), &out.join("file"));
        for error in attempts(&place, &sql) {
            check(&sql, error);
        }
        assert_eq!(place.notes(A).unwrap(), ["of a"], "{sql}");
        let after = contents(&place.folder());
        assert!(before.keys().eq(after.keys()), "{sql}: {:?}", after.keys());
        let of_b = |name: &&String| name.starts_with(&B.to_string());
        assert!(before.keys().filter(of_b).all(|name| before[name] == after[name]), "{sql}");
        assert!(contents(&out).is_empty(), "{sql}");
    }
    // The state of the connection is unchanged too.
    place.add(A, "more").unwrap();
    assert_eq!(place.notes(A).unwrap(), ["of a", "more"]);
    let file = place.file(A);
    drop(place.files);
    let file = rusqlite::Connection::open(file).unwrap();
    let pragma =
        |name: &str| file.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0));
    assert_eq!(pragma("user_version").unwrap(), 1.into());
    assert_eq!(pragma("application_id").unwrap(), mark.cast_signed().into());
    assert_eq!(pragma("journal_mode").unwrap(), "wal".to_owned().into());
}

fn fill(template: &str, other: &Path, out: &Path) -> String {
    template.replace("OTHER", other.to_str().unwrap()).replace("OUT", out.to_str().unwrap())
}

fn attempts(place: &Place, sql: &str) -> Vec<Error> {
    let batch = |file: &TenantTx<'_>| file.execute_batch(sql);
    let mut errors = vec![TenantContext::scope(A, || place.files.write(batch)).expect_err(sql)];
    let is_single = !sql.contains(';');
    if is_single {
        let execute = |file: &TenantTx<'_>| file.execute(sql, ());
        errors.push(TenantContext::scope(A, || place.files.write(execute)).expect_err(sql));
        let query = |file: &TenantReader<'_>| file.query(sql, (), |_| Ok(()));
        errors.push(TenantContext::scope(A, || place.files.write(|file| query(file))).expect_err(sql));
        errors.push(TenantContext::scope(A, || place.files.read(query)).expect_err(sql));
        let step =
            |file: &TenantReader<'_>| Ok::<_, Error>(file.prepare(sql)?.raw_query().next().map(|_| ())?);
        errors.push(TenantContext::scope(A, || place.files.read(step)).expect_err(sql));
    }
    errors
}

#[test]
fn denies_statements_that_leave_the_file() {
    try_all(&[DENIED], |sql, error| assert!(matches!(error, Error::Denied), "{sql}: {error:?}"));
    try_all(&[DENIED_IN_WRITES], |sql, error| {
        assert!(matches!(error, Error::Denied | Error::ReadOnly), "{sql}: {error:?}");
    });
}

#[test]
fn statements_on_missing_or_protected_objects_fail() {
    try_all(&[REFUSED], |sql, error| {
        assert!(matches!(error, Error::Denied | Error::Sqlite(_) | Error::ReadOnly), "{sql}: {error:?}");
    });
}

#[test]
fn statements_that_end_the_transaction_are_escapes() {
    try_all(&[ESCAPES], |sql, error| assert!(matches!(error, Error::TxEscaped), "{sql}: {error:?}"));
    try_all(&[ESCAPES_OF_WRITES], |sql, error| {
        assert!(matches!(error, Error::TxEscaped | Error::ReadOnly), "{sql}: {error:?}");
    });
}

#[test]
fn ignored_escape_rolls_everything_back() {
    for escape in [ESCAPES, ESCAPES_OF_WRITES].concat() {
        let place = Place::new();
        place.add(A, "of a").unwrap();
        let body = |file: &TenantTx<'_>| {
            add(file, "before")?;
            let _ = file.execute_batch(escape);
            // Each of these would be a transaction of its own.
            let _ = add(file, "after");
            let _ = file.prepare("INSERT INTO notes (body) VALUES ('later')")?.execute(());
            let _ = file.execute_batch("SAVEPOINT s; INSERT INTO notes (body) VALUES ('last'); RELEASE s");
            Ok::<_, Error>(())
        };
        let result = TenantContext::scope(A, || place.files.write(body));
        assert!(matches!(result, Err(Error::TxEscaped)), "{escape}: {result:?}");
        assert_eq!(place.notes(A).unwrap(), ["of a"], "{escape}");
    }
    let place = Place::new();
    let result = TenantContext::scope(A, || {
        place.files.read(|file| {
            let _ = file.prepare("COMMIT");
            Ok::<_, Error>(())
        })
    });
    assert!(matches!(result, Err(Error::TxEscaped)));
}

#[test]
fn open_savepoint_is_committed_and_ends_with_its_transaction() {
    let place = Place::new();
    TenantContext::scope(A, || {
        place.files.write(|file| {
            file.execute_batch("SAVEPOINT one")?;
            add(file, "kept")?;
            file.execute_batch("SAVEPOINT two")?;
            add(file, "lost")?;
            file.execute_batch("ROLLBACK TO two")
        })?;
        assert!(place.files.write(|file| file.execute_batch("RELEASE one")).is_err());
        place.files.read(|file| file.query("SAVEPOINT three", (), |_| Ok(())))?;
        assert!(place.files.write(|file| file.execute_batch("RELEASE three")).is_err());
        Ok::<_, Error>(())
    })
    .unwrap();
    assert_eq!(place.notes(A).unwrap(), ["kept"]);
}

#[test]
fn allows_statements_that_stay_in_the_file() {
    const SQL: &str = "
        CREATE TABLE parents (id INTEGER PRIMARY KEY, name TEXT);
        CREATE TABLE children (parent REFERENCES parents DEFERRABLE INITIALLY DEFERRED, x AS (parent + 1) STORED);
        CREATE INDEX by_parent ON children (parent);
        CREATE VIEW families AS SELECT name FROM parents JOIN children ON parent = parents.id;
        CREATE TRIGGER added AFTER INSERT ON parents BEGIN INSERT INTO children (parent) VALUES (new.id); END;
        INSERT INTO parents (name) VALUES ('one') ON CONFLICT DO NOTHING RETURNING id;
        CREATE VIRTUAL TABLE words USING fts5(word, content = '');
        CREATE VIRTUAL TABLE terms USING fts5vocab(words, row);
        INSERT INTO words (rowid, word) VALUES (1, 'hello world');
        CREATE VIRTUAL TABLE old USING fts4(x); INSERT INTO old VALUES ('hello');
        CREATE VIRTUAL TABLE boxes USING rtree(id, a, b); INSERT INTO boxes VALUES (1, 2, 3);
        ALTER TABLE parents ADD COLUMN age; ALTER TABLE parents RENAME COLUMN age TO years;
        ALTER TABLE parents RENAME TO ancestors; ALTER TABLE ancestors DROP COLUMN years;
        REINDEX; ANALYZE; PRAGMA defer_foreign_keys = ON; PRAGMA integrity_check; PRAGMA table_info(ancestors);
        PRAGMA user_version; DROP TABLE old;
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9) SELECT sum(i) FROM n;";
    let place = Place::new();
    TenantContext::scope(A, || {
        place.files.write(|file| file.execute_batch(SQL)).unwrap();
        let read =
            |sql| place.files.read(|file| file.query_row(sql, (), |row| row.get::<_, String>(0))).unwrap();
        assert_eq!(read("SELECT name FROM families"), "one");
        assert_eq!(read("SELECT rowid || '' FROM words WHERE words MATCH 'hello'"), "1");
        assert_eq!(read("SELECT group_concat(term) FROM terms"), "hello,world");
        assert_eq!(read("SELECT name FROM pragma_table_info('ancestors') WHERE pk"), "id");
        // A foreign key that is violated at the commit.
        let orphan = place.files.write(|file| file.execute("INSERT INTO children (parent) VALUES (77)", ()));
        assert!(matches!(orphan, Err(Error::Sqlite(_))), "{orphan:?}");
        assert!(place.files.read(notes).unwrap().is_empty());
    });
}
