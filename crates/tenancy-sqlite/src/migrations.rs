//! What makes each file's tables.

use tenancy::TenantId;

use crate::error::Error;
use crate::session::Session;

/// One version of the files' tables.
///
/// A file that lacks it gets it when it is opened. What a tenant's SQL may not do, a migration may not do either.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Migration {
    /// Its number; they begin with 1, without gaps. A file keeps it as its `user_version`.
    pub version: i32,
    /// Its name, for people.
    pub name: &'static str,
    /// The SQL that makes it: several statements.
    pub sql: &'static str,
}

/// Refuses a list that has gaps, or is out of order: a file would miss what comes late.
pub(crate) fn check(migrations: &[Migration]) -> Result<(), Error> {
    if (1..).zip(migrations).all(|(version, migration)| migration.version == version) {
        return Ok(());
    }
    Err(Error::Config("the versions of migrations begin with 1 and have no gaps"))
}

/// The version that a file has after all of them.
pub(crate) fn newest(migrations: &[Migration]) -> i32 {
    migrations.last().map_or(0, |migration| migration.version)
}

/// Applies those after a version: all or none.
pub(crate) fn apply(
    session: &Session,
    tenant: TenantId,
    migrations: &[Migration],
    version: i32,
) -> Result<(), Error> {
    if version == newest(migrations) {
        return Ok(());
    }
    let transaction = session.begin_write()?;
    for migration in migrations.iter().filter(|migration| migration.version > version) {
        let applied = transaction.body(|| session.sql().execute_batch(migration.sql));
        let applied = applied.map_err(|error| session.explain(tenant, error));
        applied.and_then(|()| transaction.intact()).map_err(|error| migration.failed(error))?;
    }
    session.set_version(newest(migrations))?;
    transaction.commit()
}

impl Migration {
    fn failed(&self, error: Error) -> Error {
        match error {
            Error::Full | Error::Corrupt(_) => error,
            error => Error::Migration { version: self.version, source: Box::new(error) },
        }
    }
}
