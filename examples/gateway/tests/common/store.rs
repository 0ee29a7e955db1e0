//! What a gateway keeps its things in: the same tests are for each.

use std::cell::RefCell;
use std::path::Path;

use tempfile::TempDir;

use super::database::Database;
use super::process::{Gateway, command};

/// What each gateway of a test has to itself.
pub(crate) enum Store {
    Memory,
    /// The folders are there until the test ends.
    Files(RefCell<Vec<TempDir>>),
    /// The databases are there until the test ends.
    Postgres(RefCell<Vec<Database>>),
}

impl Store {
    pub(crate) fn files() -> Self {
        Self::Files(RefCell::default())
    }

    pub(crate) fn postgres() -> Self {
        Self::Postgres(RefCell::default())
    }

    /// With the demo, and no limit of the rate that a test would feel.
    pub(crate) fn start(&self) -> Gateway {
        self.with(&["--rate", "0"])
    }

    pub(crate) fn with(&self, arguments: &[&str]) -> Gateway {
        match self {
            Self::Memory => Gateway::with(arguments),
            Self::Files(folders) => {
                let folder = tempfile::tempdir().expect("a folder");
                let gateway = in_files(folder.path(), arguments);
                folders.borrow_mut().push(folder);
                gateway
            }
            Self::Postgres(databases) => in_database(databases, arguments),
        }
    }
}

/// A gateway that keeps its things in a folder.
pub(crate) fn in_files(folder: &Path, arguments: &[&str]) -> Gateway {
    let mut command = command(arguments);
    command.args(["--listen", "127.0.0.1:0"]).env_remove("GATEWAY_MEMORY").env("GATEWAY_DATA", folder);
    Gateway::of(command)
}

fn in_database(databases: &RefCell<Vec<Database>>, arguments: &[&str]) -> Gateway {
    let principals = arguments.windows(2).find(|pair| pair[0] == "--principals");
    let database = Database::migrated(principals.unwrap_or_default());
    let gateway = database.gateway(arguments);
    databases.borrow_mut().push(database);
    gateway
}

/// Makes tests of functions that take a [`Store`].
#[allow(unused_macros, reason = "each test file uses a part of it")]
macro_rules! on_each_store {
    ($($name:ident),+ $(,)?) => {
        mod in_memory {
            $(#[test]
            fn $name() {
                super::$name(&crate::common::store::Store::Memory);
            })+
        }

        mod in_files {
            $(#[test]
            fn $name() {
                super::$name(&crate::common::store::Store::files());
            })+
        }

        mod on_postgres {
            $(#[test]
            #[ignore = "needs postgres; cargo xtask test runs it"]
            fn $name() {
                super::$name(&crate::common::store::Store::postgres());
            })+
        }
    };
}

#[allow(unused_imports, reason = "each test file uses a part of it")]
pub(crate) use on_each_store;
