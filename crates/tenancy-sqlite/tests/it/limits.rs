//! The limits of a statement.

use std::num::NonZeroU32;
use std::time::Duration;

use tenancy::TenantContext;
use tenancy_sqlite::{Error, Migration, TenantReader, TenantTx};

use crate::support::{A, B, Place, add};

/// Counts to a number that takes years.
const ENDLESS: &str =
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
/// About a million instructions.
const LONG: &str = "CREATE TABLE numbers AS WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
     WHERE i < 100000) SELECT i FROM n";

#[test]
fn endless_statement_is_interrupted_and_the_tenant_stays_usable() {
    let place = Place::with(|config| config.statement_timeout(Duration::from_millis(20)));
    place.add(A, "kept").unwrap();
    TenantContext::scope(A, || {
        let query = |file: &TenantReader<'_>| file.query_row(ENDLESS, (), |row| row.get::<_, i64>(0));
        let read = place.files.read(query);
        assert!(matches!(read, Err(Error::TimeLimit)), "{read:?}");
        let write = place.files.write(|file| {
            add(file, "lost")?;
            query(file)
        });
        assert!(matches!(write, Err(Error::TimeLimit)), "{write:?}");
        let insert = format!("INSERT INTO notes (body) SELECT 'x' || ({ENDLESS})");
        for sql in [&insert, ENDLESS] {
            let batch = place.files.write(|file| file.execute_batch(&format!("SELECT 1; {sql}; SELECT 2")));
            assert!(matches!(batch, Err(Error::TimeLimit)), "{batch:?}");
        }
        // A statement that the body prepared itself.
        let raw = place.files.read(|file| {
            let mut statement = file.prepare(ENDLESS)?;
            Ok::<_, Error>(statement.query_row((), |row| row.get::<_, i64>(0))?)
        });
        assert!(matches!(raw, Err(Error::TimeLimit)), "{raw:?}");
        // The interrupted insert has rolled back the transaction, so the rest of the body is not committed either.
        let ignored = place.files.write(|file| {
            let _ = file.execute(&insert, ());
            let _ = add(file, "lost too");
            Ok::<_, Error>(())
        });
        assert!(matches!(ignored, Err(Error::TxEscaped)), "{ignored:?}");
    });
    place.add(A, "after").unwrap();
    assert_eq!(place.notes(A).unwrap(), ["kept", "after"]);
}

#[test]
fn time_limit_is_of_a_statement_and_can_be_removed() {
    let long = |file: &TenantTx<'_>| file.execute_batch(LONG);
    let place = Place::with(|config| config.statement_timeout(Duration::ZERO));
    // A short statement does not look at the clock, however many there are.
    TenantContext::scope(A, || {
        place.files.write(|file| (0..2000).try_for_each(|number| add(file, &number.to_string()))).unwrap();
        assert!(matches!(place.files.write(long), Err(Error::TimeLimit)));
    });
    let place = Place::with(|config| config.statement_timeout(None));
    TenantContext::scope(A, || place.files.write(long)).unwrap();
}

#[test]
fn migrations_have_no_time_limit() {
    const LONG_MIGRATION: &[Migration] = &[Migration { version: 1, name: "numbers", sql: LONG }];
    let place = Place::with(|config| config.statement_timeout(Duration::ZERO).migrations(LONG_MIGRATION));
    let count = |file: &TenantReader<'_>| {
        file.query_row("SELECT i FROM numbers WHERE rowid = 7", (), |row| row.get::<_, i64>(0))
    };
    TenantContext::scope(A, || {
        assert_eq!(place.files.read(count).unwrap(), 7);
        assert_eq!(place.files.write(|file| count(file)).unwrap(), 7);
    });
}

#[test]
fn values_are_limited() {
    let place = Place::with(|config| config.max_value(NonZeroU32::new(100_000).unwrap()));
    let length = |sql: &str| {
        let read = |file: &TenantReader<'_>| file.query_row(sql, (), |row| row.get::<_, i64>(0));
        TenantContext::scope(A, || place.files.read(read))
    };
    assert_eq!(length("SELECT length(hex(zeroblob(49000)))").unwrap(), 98_000);
    for sql in [
        "SELECT length(zeroblob(100001))",
        "SELECT length(hex(zeroblob(60000)))",
        "WITH RECURSIVE n (x) AS (SELECT 'x' UNION ALL SELECT x || x FROM n) SELECT max(length(x)) FROM n",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) \
         SELECT length(group_concat(i)) FROM n",
    ] {
        let error = length(sql).unwrap_err();
        assert!(matches!(error, Error::MemoryLimit), "{sql}: {error:?}");
    }
    let text = "x".repeat(100_001);
    assert!(matches!(place.add(A, &text), Err(Error::MemoryLimit)));
    place.add(A, &text[..90_000]).unwrap();
}

#[test]
fn texts_of_statements_are_limited() {
    let place = Place::new();
    let run = |sql: &str| {
        let read = |file: &TenantReader<'_>| file.query(sql, (), |_| Ok(()));
        TenantContext::scope(B, || place.files.read(read)).map(|rows| rows.len())
    };
    assert_eq!(run(&format!("SELECT 1 {}", vec!["UNION ALL SELECT 1"; 100].join(" "))).unwrap(), 101);
    assert_eq!(run(&format!("SELECT {}1{}", "(".repeat(50), ")".repeat(50))).unwrap(), 1);
    for sql in [
        format!("SELECT 1 {}", vec!["UNION ALL SELECT 1"; 1000].join(" ")),
        format!("SELECT {}", vec!["1"; 1000].join(" + ")),
        format!("SELECT 'x' LIKE '{}'", "%x".repeat(1000)),
        format!("SELECT 1 -- {}", "x".repeat(1 << 20)),
    ] {
        let error = run(&sql).unwrap_err();
        assert!(matches!(error, Error::Sqlite(_) | Error::MemoryLimit), "{error:?}");
    }
}
