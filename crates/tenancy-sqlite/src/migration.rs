//! The versions of the files' tables.

use crate::error::Error;

/// One version of the tables in every file.
///
/// A file that lacks the version gets it when it is opened. A migration is denied the same statements as a tenant's SQL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Migration {
    /// The version's number. The first one is 1, and there are no gaps. A file stores it as its `user_version`.
    pub version: i32,
    /// The version's name, for readers of the program.
    pub name: &'static str,
    /// The SQL that creates the version. It can have several statements.
    pub sql: &'static str,
}

/// Rejects a list with gaps or in the wrong order: a file would never get a migration that is listed late.
pub(crate) fn check(migrations: &[Migration]) -> Result<(), Error> {
    if (1..).zip(migrations).all(|(version, migration)| migration.version == version) {
        return Ok(());
    }
    Err(Error::Config("the versions of migrations must begin with 1 and have no gaps"))
}

/// The version of a file that has all migrations.
pub(crate) fn newest(migrations: &[Migration]) -> i32 {
    migrations.last().map_or(0, |migration| migration.version)
}

impl Migration {
    pub(crate) fn failed(&self, error: Error) -> Error {
        match error {
            Error::Full | Error::Corrupt(_) => error,
            error => Error::Migration { version: self.version, source: Box::new(error) },
        }
    }
}
