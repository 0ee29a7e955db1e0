//! The stores of a gateway: the same tests run on each.

use std::cell::RefCell;
use std::path::Path;

use tempfile::TempDir;

use super::database::Database;
use super::process::{Gateway, command};

/// Where the gateways of a test store their data. Each gateway has a store of its own.
pub(crate) enum Store {
    Memory,
    /// Folders, which are removed when the test ends.
    Files(RefCell<Vec<TempDir>>),
    /// Databases, in use until the test ends.
    Postgres(RefCell<Vec<Database>>),
}

impl Store {
    pub(crate) fn files() -> Self {
        Self::Files(RefCell::default())
    }

    pub(crate) fn postgres() -> Self {
        Self::Postgres(RefCell::default())
    }

    /// Starts the demo without a rate limit.
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

/// Starts a gateway that stores its data in a folder.
pub(crate) fn in_files(folder: &Path, arguments: &[&str]) -> Gateway {
    let mut command = command(arguments);
    command.args(["--listen", "127.0.0.1:0"]).env_remove("GATEWAY_MEMORY").env("GATEWAY_DATA", folder);
    Gateway::of(command)
}

fn in_database(databases: &RefCell<Vec<Database>>, arguments: &[&str]) -> Gateway {
    let principals = arguments.windows(2).find(|pair| pair[0] == "--principals");
    let database = principals.map_or_else(Database::migrated, Database::migrated_with);
    let gateway = database.gateway(arguments);
    databases.borrow_mut().push(database);
    gateway
}

/// Defines a test on each store for functions that take a [`Store`].
macro_rules! on_each_store {
    ($($name:ident),+ $(,)?) => {
        mod in_memory {
            $(#[test]
            fn $name() {
                super::$name(&crate::support::store::Store::Memory);
            })+
        }

        mod in_files {
            $(#[test]
            fn $name() {
                super::$name(&crate::support::store::Store::files());
            })+
        }

        mod on_postgres {
            $(#[test]
            #[ignore = "needs postgres; cargo xtask test runs it"]
            fn $name() {
                super::$name(&crate::support::store::Store::postgres());
            })+
        }
    };
}

pub(crate) use on_each_store;
