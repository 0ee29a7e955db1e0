//! What a directory is connected with.

use std::fmt;
use std::time::Duration;

/// How a directory hears of changes, and how long it trusts that it would.
///
/// A `tokio_postgres::Config` becomes one by itself.
///
/// ```
/// use std::time::Duration;
/// use tenancy_postgres::DirectoryConfig;
///
/// # fn main() -> Result<(), tokio_postgres::Error> {
/// let listener: tokio_postgres::Config = "postgres://notes_service@localhost/notes".parse()?;
/// let config = DirectoryConfig::new(listener).max_age(Duration::from_secs(10));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DirectoryConfig {
    pub(super) listener: tokio_postgres::Config,
    pub(super) max_age: Duration,
    pub(super) capacity: usize,
}

impl DirectoryConfig {
    /// The server that is listened to, in the database of the tenants: 100,000 states are kept, for at most 60 s.
    ///
    /// The connection must be a direct one. Behind a transaction pooler `LISTEN` hears nothing, and no server says
    /// so: then [`max_age`](Self::max_age) is all that ends a state. Its user needs no grant.
    pub fn new(listener: tokio_postgres::Config) -> Self {
        Self { listener, max_age: Duration::from_secs(60), capacity: 100_000 }
    }

    /// How long a tenant's state is kept where no change is heard of; an unknown id is kept 2 s at most.
    #[must_use]
    pub fn max_age(self, max_age: Duration) -> Self {
        Self { max_age, ..self }
    }

    /// About how many states are kept, those that were asked for most of late.
    #[must_use]
    pub fn capacity(self, capacity: usize) -> Self {
        Self { capacity, ..self }
    }
}

impl From<tokio_postgres::Config> for DirectoryConfig {
    fn from(listener: tokio_postgres::Config) -> Self {
        Self::new(listener)
    }
}

/// The limits: the rest may be a secret.
impl fmt::Debug for DirectoryConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectoryConfig")
            .field("max_age", &self.max_age)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
