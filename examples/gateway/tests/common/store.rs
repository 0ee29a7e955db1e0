//! What a gateway keeps its things in: the same tests are for each.

use std::cell::RefCell;

use super::database::Database;
use super::process::Gateway;

/// What each gateway of a test has to itself.
pub(crate) enum Store {
    Memory,
    /// The databases are there until the test ends.
    Postgres(RefCell<Vec<Database>>),
}

impl Store {
    pub(crate) fn postgres() -> Self {
        Self::Postgres(RefCell::default())
    }

    /// With the demo, and no limit of the rate that a test would feel.
    pub(crate) fn start(&self) -> Gateway {
        self.with(&["--rate", "0"])
    }

    pub(crate) fn with(&self, arguments: &[&str]) -> Gateway {
        let Self::Postgres(databases) = self else { return Gateway::with(arguments) };
        let principals = arguments.windows(2).find(|pair| pair[0] == "--principals");
        let database = Database::migrated(principals.unwrap_or_default());
        let gateway = database.gateway(arguments);
        databases.borrow_mut().push(database);
        gateway
    }
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
