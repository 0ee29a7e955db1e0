//! Notes of two tenants, each in a file of its own: `cargo run --example one_file_per_tenant`.

use std::error::Error;

use tenancy::{TenantContext, TenantId, tenant_id};
use tenancy_sqlite::{Config, Migration, TenantFiles, TenantReader, TenantTx};

const ACME: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
const GLOBEX: TenantId = tenant_id!("6ba7b810-9dad-41d1-80b4-00c04fd430c8");

/// Runs on each file when it is opened, once.
const MIGRATIONS: &[Migration] =
    &[Migration { version: 1, name: "notes", sql: "CREATE TABLE notes (body TEXT NOT NULL) STRICT" }];

/// The queries have no `tenant_id`: another tenant's rows are in another file.
fn add(notes: &TenantTx<'_>, body: &str) -> Result<(), tenancy_sqlite::Error> {
    notes.execute("INSERT INTO notes VALUES (?1)", [body])?;
    Ok(())
}

fn list(notes: &TenantReader<'_>) -> Result<Vec<String>, tenancy_sqlite::Error> {
    let mut statement = notes.prepare("SELECT body FROM notes ORDER BY rowid")?;
    let bodies = statement.query_map((), |row| row.get(0))?;
    Ok(bodies.collect::<Result<_, _>>()?)
}

fn main() -> Result<(), Box<dyn Error>> {
    // A real program opens a permanent folder. This one is removed at the end.
    let folder = tempfile::tempdir()?;
    let files = TenantFiles::open(Config::new(folder.path().join("tenants")).migrations(MIGRATIONS))?;

    // The context selects the file. One call to `write` is one transaction.
    TenantContext::scope(ACME, || files.write(|notes| add(notes, "order anvils")))?;
    TenantContext::scope(GLOBEX, || files.write(|notes| add(notes, "build the device")))?;

    for (name, tenant) in [("acme", ACME), ("globex", GLOBEX)] {
        println!("{name}: {:?}", TenantContext::scope(tenant, || files.read(list))?);
    }

    // An error rolls the transaction back.
    let failed = TenantContext::scope(ACME, || {
        files.write(|notes| {
            add(notes, "never stored")?;
            notes.execute("INSERT INTO no_such_table VALUES (1)", ())
        })
    });
    println!(
        "acme after a failed write ({}): {:?}",
        failed.is_err(),
        TenantContext::scope(ACME, || files.read(list))?
    );

    // SQL cannot open another file, and without a tenant no file is opened at all.
    let attach = TenantContext::scope(ACME, || {
        files.read(|notes| notes.prepare("ATTACH 'other.sqlite' AS other").map(drop))
    });
    println!("ATTACH: {}", attach.err().map_or("allowed".into(), |error| error.to_string()));
    println!("no tenant: {}", files.read(list).err().map_or("allowed".into(), |error| error.to_string()));
    Ok(())
}
