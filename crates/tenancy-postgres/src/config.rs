//! Configuration of a [`TenantDb`](crate::TenantDb).

use std::fmt;
use std::time::Duration;

use tenancy::Directory;

use crate::active::ActiveTenants;
use crate::audit::AuditPolicy;
use crate::binding::{Binding, ContextBinding, Supabase};
use crate::error::Error;
use crate::sign::SigningKey;
use crate::wire::ConnectOptions;

/// Which database to connect to, the key that enters tenants, and the limits of the connection pool.
///
/// ```
/// use std::time::Duration;
/// use tenancy_postgres::{Config, SigningKey};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = SigningKey::new(1, b"a secret of 32 bytes or of more.")?;
/// let config = Config::from_url("postgres://notes_service@localhost/notes", key)?
///     .max_connections(16)
///     .acquire_timeout(Duration::from_secs(2));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Config {
    pub(crate) options: ConnectOptions,
    pub(crate) binding: Binding,
    pub(crate) max_connections: usize,
    pub(crate) acquire_timeout: Duration,
    pub(crate) answer_timeout: Option<Duration>,
    pub(crate) uses_statements: bool,
    pub(crate) audit_policy: AuditPolicy,
    pub(crate) active_tenants: Option<ActiveTenants>,
    is_pooled: bool,
}

impl Config {
    /// Creates a configuration from connection options and the key that enters tenants, or another
    /// [`ContextBinding`].
    ///
    /// By default, the pool has at most 8 connections, a transaction waits 5 s for one, and a signature is valid for
    /// 30 s.
    pub fn new(options: impl Into<ConnectOptions>, binding: impl Into<ContextBinding>) -> Self {
        let context = binding.into();
        let supabase = match context {
            ContextBinding::SupabaseClaims => Some(Supabase::role("authenticated")),
            ContextBinding::Signed(_) | ContextBinding::Plain => None,
        };
        let binding = Binding { context, supabase, lifetime: SigningKey::LIFETIME };
        Self {
            options: options.into(),
            binding,
            max_connections: 8,
            acquire_timeout: Duration::from_secs(5),
            answer_timeout: None,
            uses_statements: false,
            audit_policy: AuditPolicy::new(),
            active_tenants: None,
            is_pooled: false,
        }
    }

    /// Creates a configuration from a URL, or a string of keywords and values as libpq accepts it.
    ///
    /// # Errors
    ///
    /// [`Error::Options`] if it cannot be parsed. The error names the parameter and does not repeat its value, which may
    /// be a password.
    pub fn from_url(url: &str, binding: impl Into<ContextBinding>) -> Result<Self, Error> {
        Ok(Self::new(ConnectOptions::parse(url)?, binding))
    }

    /// Sets the maximum number of connections, 8 by default.
    ///
    /// A connection that is closed ends after its successor has begun, so the server should allow some more.
    #[must_use]
    pub fn max_connections(self, max_connections: usize) -> Self {
        Self { max_connections, ..self }
    }

    /// Sets how long a transaction waits for a connection, and how long one may take to be established, 5 s by default.
    ///
    /// After that time the error is [`Error::PoolTimeout`].
    #[must_use]
    pub fn acquire_timeout(self, acquire_timeout: Duration) -> Self {
        Self { acquire_timeout, ..self }
    }

    /// Sets how long to wait for the next part of an answer, without a limit by default.
    ///
    /// It ends a connection whose server or network went silent. A statement that computes for longer than this before
    /// it returns its first row is ended too; `statement_timeout` is the server's own limit.
    #[must_use]
    pub fn answer_timeout(self, answer_timeout: Duration) -> Self {
        Self { answer_timeout: Some(answer_timeout), ..self }
    }

    /// Sets how long a signature is valid, from 1 s to 1 h in whole seconds, 30 s by default.
    ///
    /// It is made when the transaction's first statement is sent; the clocks of both machines may differ by this much.
    /// A transaction may last longer.
    #[must_use]
    pub fn context_lifetime(mut self, lifetime: Duration) -> Self {
        self.binding.lifetime = lifetime;
        self
    }

    /// Also sets Supabase's role and claims in each transaction, so that policies with `auth.jwt()` work beside the
    /// signed context.
    ///
    /// [`ContextBinding::SupabaseClaims`] uses the role `authenticated` unless another one is given here.
    #[must_use]
    pub fn supabase(mut self, supabase: Supabase) -> Self {
        self.binding.supabase = Some(supabase);
        self
    }

    /// Declares that connections go through a transaction pooler (pgbouncer, Supavisor).
    ///
    /// Each transaction then also scrubs its session before it begins.
    ///
    /// [`TenantDb::connect`](crate::TenantDb::connect) detects a pooler by a start-up option that poolers drop or
    /// reject. This is for a pooler that passes the option on. `?pgbouncer=true` in the URL does the same.
    #[must_use]
    pub fn transaction_pooler(self) -> Self {
        Self { is_pooled: true, ..self }
    }

    /// Sets the findings that the audit of [`TenantDb::connect`](crate::TenantDb::connect) accepts, and what else it looks
    /// for.
    ///
    /// If something is accepted that keeps state in a session which no scrub resets, each session that ran raw SQL is
    /// closed after its transaction.
    #[must_use]
    pub fn audit_policy(self, audit_policy: AuditPolicy) -> Self {
        Self { audit_policy, ..self }
    }

    /// Asks a directory before each transaction whether its tenant exists and is active. If it is not, the transaction
    /// does not begin: [`Error::Tenant`].
    ///
    /// Without a directory, every tenant id is accepted: a tenant that is suspended or unknown has a signature like any
    /// other, and it is the caller, for example the middleware of `tenancy-tower`, that has to reject it. A `PgDirectory`
    /// caches the states; it needs a [`TenantDb`](crate::TenantDb) of its own, without a directory.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use tenancy::{TenantId, TenantStatus};
    /// use tenancy_postgres::{Config, SigningKey};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let only_platform = |tenant: TenantId| async move {
    ///     Ok::<_, Infallible>(tenant.is_platform().then_some(TenantStatus::Active))
    /// };
    /// let key = SigningKey::new(1, b"a secret of 32 bytes or of more.")?;
    /// let config = Config::from_url("postgres://notes_service@localhost/notes", key)?.directory(only_platform);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn directory(self, directory: impl Directory) -> Self {
        Self { active_tenants: Some(ActiveTenants::new(directory)), ..self }
    }

    /// Enters and scrubs by statements, instead of by parameters whose types run the functions.
    ///
    /// That costs more: the server parses and plans these statements each time. It is for a server, or something
    /// between, on which [`TenantDb::connect`](crate::TenantDb::connect) finds that bound parameters are not checked.
    #[must_use]
    pub fn explicit_statements(self) -> Self {
        Self { uses_statements: true, ..self }
    }

    pub(crate) fn is_pooled(&self) -> bool {
        self.is_pooled || self.options.is_pooled()
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.max_connections == 0 {
            return Err(Error::Config("max_connections is 0"));
        }
        let lifetime = self.binding.lifetime;
        if lifetime < Duration::from_secs(1) || lifetime > Duration::from_secs(3_600) {
            return Err(Error::Config("context_lifetime is not between 1 s and 1 h"));
        }
        Ok(())
    }
}

/// Shows the limits, and the binding with its key's id. The rest may be a secret.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("binding", &self.binding)
            .field("max_connections", &self.max_connections)
            .field("acquire_timeout", &self.acquire_timeout)
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
    fn error_does_not_repeat_an_invalid_url() {
        let error = Config::from_url("postgres://u:hunter2@h/d?hunter3=1", key()).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    }

    #[test]
    fn debug_shows_no_secret() {
        let config = Config::from_url("postgres://u:hunter2@h/d", key()).expect("a URL");
        let shown = format!("{config:?} {config:#?}");
        assert!(shown.contains("id: 7"), "{shown}");
        for secret in ["hunter2", "a secret", "97, 32, 115", "0x61"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    #[test]
    fn rejects_limits_that_cannot_work() {
        let config = || Config::from_url("postgres://u@h/d", key()).expect("a URL");
        assert!(config().check().is_ok());
        assert!(config().max_connections(0).check().is_err());
        assert!(config().context_lifetime(Duration::from_millis(999)).check().is_err());
        assert!(config().context_lifetime(Duration::from_secs(3601)).check().is_err());
    }
}
