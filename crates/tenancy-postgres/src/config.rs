//! What a database is connected with.

use std::fmt;
use std::time::Duration;

use crate::binding::{Binding, ContextBinding, Supabase};
use crate::error::Error;
use crate::sign::SigningKey;

/// Where the database is, who enters it, and how many connections it may have.
///
/// ```
/// use std::time::Duration;
/// use tenancy_postgres::{Config, SigningKey};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = SigningKey::new(1, b"a secret of 32 bytes or of more.")?;
/// let config = Config::from_url("postgres://notes_service@localhost/notes", key)?
///     .pool_size(16)
///     .wait(Duration::from_secs(2));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Config {
    pub(crate) postgres: tokio_postgres::Config,
    pub(crate) binding: Binding,
    pub(crate) pool_size: usize,
    pub(crate) wait: Duration,
    pub(crate) is_pooled: bool,
}

impl Config {
    /// A database, and the key with which tenants are entered, or another [`ContextBinding`]: 8 connections, 5 s to
    /// wait for one, and a signature that is good for 30 s.
    pub fn new(postgres: tokio_postgres::Config, binding: impl Into<ContextBinding>) -> Self {
        let context = binding.into();
        let supabase = match context {
            ContextBinding::SupabaseClaims => Some(Supabase::role("authenticated")),
            ContextBinding::Signed(_) | ContextBinding::Plain => None,
        };
        let binding = Binding { context, supabase, lifetime: SigningKey::LIFETIME };
        Self { postgres, binding, pool_size: 8, wait: Duration::from_secs(5), is_pooled: false }
    }

    /// The same of a URL or a string of keys and values, as libpq takes them.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] where it can't be read. The error does not repeat it, for there may be a password in it.
    pub fn from_url(url: &str, binding: impl Into<ContextBinding>) -> Result<Self, Error> {
        let postgres = url.parse().map_err(|_| Error::Config("the url can't be read"))?;
        Ok(Self::new(postgres, binding))
    }

    /// How many connections there may be at once. One that closes does so after its successor has begun, so the
    /// server should allow some more.
    #[must_use]
    pub fn pool_size(self, pool_size: usize) -> Self {
        Self { pool_size, ..self }
    }

    /// How long a transaction waits for a connection, and how long one may take to be made: [`Error::PoolTimeout`].
    #[must_use]
    pub fn wait(self, wait: Duration) -> Self {
        Self { wait, ..self }
    }

    /// How long a signature is good for, in whole seconds: it is made when the transaction's first statement is sent,
    /// and the clocks of both machines may differ by this much. A transaction may last longer.
    #[must_use]
    pub fn context_lifetime(mut self, lifetime: Duration) -> Self {
        self.binding.lifetime = lifetime;
        self
    }

    /// Gives each transaction Supabase's role and claims too, so that policies by `auth.jwt()` work beside the
    /// signed context. [`ContextBinding::SupabaseClaims`] has the role `authenticated` unless another is given.
    #[must_use]
    pub fn supabase(mut self, supabase: Supabase) -> Self {
        self.binding.supabase = Some(supabase);
        self
    }

    /// Says that a transaction pooler stands before the server (pgbouncer, Supavisor): each transaction then scrubs the
    /// session that it is given, before and not only after it. [`TenantDb::connect`](crate::TenantDb::connect) finds
    /// that out by itself, by a start-up option that poolers drop or refuse; this is for one that passes it on.
    #[must_use]
    pub fn transaction_pooler(self) -> Self {
        Self { is_pooled: true, ..self }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.pool_size == 0 {
            return Err(Error::Config("a pool of no connections"));
        }
        let lifetime = self.binding.lifetime;
        if lifetime < Duration::from_secs(1) || lifetime > Duration::from_secs(3_600) {
            return Err(Error::Config("a context's lifetime is a second to an hour"));
        }
        Ok(())
    }
}

/// The limits, and the binding with its key's id: the rest may be a secret.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("binding", &self.binding)
            .field("pool_size", &self.pool_size)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> SigningKey {
        SigningKey::new(7, b"a secret of 32 bytes or of more.").expect("a key")
    }

    #[test]
    fn a_url_that_is_wrong_is_not_repeated() {
        let error = Config::from_url("postgres://u:hunter2@h/d?hunter3=1", key()).unwrap_err();
        assert!(matches!(error, Error::Config(_)));
        assert!(!format!("{error} {error:?}").contains("hunter"), "{error:?}");
    }

    #[test]
    fn debug_shows_no_secret() {
        let config = Config::from_url("postgres://u:hunter2@h/d", key()).expect("a url");
        let shown = format!("{config:?} {config:#?}");
        assert!(shown.contains("id: 7"), "{shown}");
        for secret in ["hunter2", "a secret", "97, 32, 115", "0x61"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    #[test]
    fn limits_that_can_not_work_are_refused() {
        let config = || Config::new(tokio_postgres::Config::new(), key());
        assert!(config().check().is_ok());
        assert!(config().pool_size(0).check().is_err());
        assert!(config().context_lifetime(Duration::from_millis(999)).check().is_err());
        assert!(config().context_lifetime(Duration::from_secs(3601)).check().is_err());
    }
}
