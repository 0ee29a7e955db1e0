//! The limit of SQLite's memory. It is the process's, so this is a program of its own with one test.

use std::num::NonZeroU64;

use tenancy::{TenantContext, TenantId, tenant_id};
use tenancy_sqlite::{Config, Error, Migration, TenantFiles, TenantReader, TenantTx};

const A: TenantId = tenant_id!("aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa");
const B: TenantId = tenant_id!("bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb");

const NOTES: &[Migration] =
    &[Migration { version: 1, name: "notes", sql: "CREATE TABLE notes (body TEXT NOT NULL) STRICT" }];

/// Statements whose temporary results take about 100 MiB.
const LARGE: [&str; 3] = [
    // A sort.
    "SELECT x FROM (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
     SELECT hex(randomblob(50000)) AS x FROM n) ORDER BY x LIMIT 1 OFFSET 900",
    // A set without duplicates.
    "WITH RECURSIVE n (i, x) AS (SELECT 1, '' UNION SELECT i + 1, hex(randomblob(50000)) FROM n WHERE i < 1000) \
     SELECT count(*) FROM n",
    "SELECT count(DISTINCT x) FROM (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) \
     SELECT hex(randomblob(50000)) AS x FROM n)",
];

#[test]
fn statement_that_needs_too_much_memory_fails_and_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::new(folder.path()).migrations(NOTES).max_memory(NonZeroU64::new(16 << 20));
    let files = TenantFiles::open(config).unwrap();
    let add = |file: &TenantTx<'_>| file.execute("INSERT INTO notes VALUES ('x')", ()).map(drop);
    let count = |file: &TenantReader<'_>| {
        file.query_row("SELECT count(*) FROM notes", (), |row| row.get::<_, i64>(0))
    };
    for tenant in [A, B] {
        TenantContext::scope(tenant, || files.write(add)).unwrap();
    }
    for sql in LARGE {
        let large = |file: &TenantReader<'_>| file.query(sql, (), |_| Ok(()));
        let read = TenantContext::scope(A, || files.read(large));
        assert!(matches!(read, Err(Error::MemoryLimit)), "{sql}: {read:?}");
        let write = TenantContext::scope(A, || {
            files.write(|file| {
                add(file)?;
                large(file)
            })
        });
        assert!(matches!(write, Err(Error::MemoryLimit)), "{sql}: {write:?}");
        for tenant in [A, B] {
            assert_eq!(TenantContext::scope(tenant, || files.read(count)).unwrap(), 1);
        }
    }
    TenantContext::scope(A, || files.write(add)).unwrap();
    assert_eq!(TenantContext::scope(A, || files.read(count)).unwrap(), 2);
}
