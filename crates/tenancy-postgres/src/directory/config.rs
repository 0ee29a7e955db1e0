//! Configuration of a [`PgDirectory`](crate::PgDirectory).

use std::fmt;
use std::time::Duration;

use crate::wire::ConnectOptions;

/// The connection on which a directory receives changes, and the limits of its cache.
///
/// [`ConnectOptions`] and `tokio_postgres::Config` convert into it.
///
/// ```
/// use std::time::Duration;
/// use tenancy_postgres::{ConnectOptions, DirectoryConfig};
///
/// # fn main() -> Result<(), tenancy_postgres::ParseOptionsError> {
/// let listener: ConnectOptions = "postgres://notes_service@localhost/notes".parse()?;
/// let config = DirectoryConfig::new(listener).max_age(Duration::from_secs(10));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DirectoryConfig {
    pub(super) listener: ConnectOptions,
    pub(super) max_age: Duration,
    pub(super) capacity: usize,
}

impl DirectoryConfig {
    /// Sets the server and the database of the tenants. By default, about 100,000 states are cached for at most 60 s.
    ///
    /// The connection must lead to the server itself. Behind a transaction pooler `LISTEN` receives nothing, and no
    /// server reports that: only [`max_age`](Self::max_age) then ends a state. The user needs no privileges.
    pub fn new(listener: impl Into<ConnectOptions>) -> Self {
        Self { listener: listener.into(), max_age: Duration::from_secs(60), capacity: 100_000 }
    }

    /// Sets how long a tenant's state is cached if no change is received. That a tenant does not exist is cached for at
    /// most 2 s.
    #[must_use]
    pub fn max_age(self, max_age: Duration) -> Self {
        Self { max_age, ..self }
    }

    /// Sets about how many states are cached.
    #[must_use]
    pub fn capacity(self, capacity: usize) -> Self {
        Self { capacity, ..self }
    }
}

impl From<ConnectOptions> for DirectoryConfig {
    fn from(listener: ConnectOptions) -> Self {
        Self::new(listener)
    }
}

impl From<tokio_postgres::Config> for DirectoryConfig {
    fn from(listener: tokio_postgres::Config) -> Self {
        Self::new(listener)
    }
}

/// The limits, without the connection options.
impl fmt::Debug for DirectoryConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectoryConfig")
            .field("max_age", &self.max_age)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}
