//! What a tenant may keep, and for how long.

mod ttl;

use std::time::Duration;

use self::ttl::Found;
use crate::arguments::Arguments;
use crate::refusal::Refusal;
use crate::table::{Command, Rule};

/// What a tenant may send, and how long it is kept; by default anything, for ever.
///
/// A command that breaks a limit is [refused](crate::refusal), and nothing of it is sent. A
/// [trusted script](crate::TrustedScripts) answers for the keys that it makes: its arguments alone are limited.
///
/// ```no_run
/// use std::time::Duration;
/// use tenancy_redis::{RedisPolicy, TenantRedis};
///
/// # fn example(connection: redis::Connection, tenant: tenancy::TenantId) {
/// const POLICY: RedisPolicy = RedisPolicy::new()
///     .default_ttl(Duration::from_secs(600))
///     .max_ttl(Duration::from_secs(86_400))
///     .max_value_len(1024 * 1024)
///     .max_args(1000);
///
/// let redis = TenantRedis::new(connection, tenant).policy(POLICY);
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[must_use]
pub struct RedisPolicy {
    default_ttl: Option<Duration>,
    max_ttl: Option<Duration>,
    requires_ttl: bool,
    max_value_len: Option<usize>,
    max_args: Option<usize>,
}

impl RedisPolicy {
    /// No limits.
    pub const fn new() -> Self {
        Self { default_ttl: None, max_ttl: None, requires_ttl: false, max_value_len: None, max_args: None }
    }

    /// How long a value lives that `SET` gives no time to live: in milliseconds, at least one. `SET` alone can
    /// carry it: see [`require_ttl`](Self::require_ttl) for the other commands.
    pub const fn default_ttl(self, ttl: Duration) -> Self {
        Self { default_ttl: Some(ttl), ..self }
    }

    /// The longest time to live. A longer one is refused, and so is none, as by
    /// [`require_ttl`](Self::require_ttl).
    pub const fn max_ttl(self, ttl: Duration) -> Self {
        Self { max_ttl: Some(ttl), requires_ttl: true, ..self }
    }

    /// Each key that is made has a time to live from the start.
    ///
    /// So a value is written by `SET`, `SETEX` or `PSETEX`, and what can make a key without a time to live
    /// (`HSET`, `RPUSH`, `INCR`, `SADD`, ...) or take it away (`PERSIST`, `SET` with `KEEPTTL`) is refused.
    pub const fn require_ttl(self) -> Self {
        Self { requires_ttl: true, ..self }
    }

    /// The most bytes of any one argument: key, field or value. What is there may grow beyond it: by `APPEND`, by
    /// `SETRANGE` and `SETBIT` at an offset, by elements of a collection.
    pub const fn max_value_len(self, bytes: usize) -> Self {
        Self { max_value_len: Some(bytes), ..self }
    }

    /// The most arguments of a command, without its name.
    pub const fn max_args(self, number: usize) -> Self {
        Self { max_args: Some(number), ..self }
    }

    /// Holds a command against the limits. What comes back is the time to live that it should be given, in
    /// milliseconds.
    pub(crate) fn check<'a>(
        &self,
        command: &Command,
        arguments: &impl Arguments<'a>,
    ) -> Result<Option<u64>, Refusal> {
        if self.max_args.is_some_and(|most| arguments.len() - 1 > most) {
            return Err(Refusal::TooManyArguments);
        }
        // The program's own text is as long as it is.
        let code = match command.rule {
            Rule::Script(_) => 2,
            Rule::LoadScript => 3,
            _ => 0,
        };
        let mut sent = arguments.clone().skip(code);
        if self.max_value_len.is_some_and(|most| sent.any(|argument| argument.len() > most)) {
            return Err(Refusal::TooLarge);
        }
        if self.requires_ttl || self.default_ttl.is_some() {
            self.check_ttl(command, arguments)
        } else {
            Ok(None)
        }
    }

    fn check_ttl<'a>(
        &self,
        command: &Command,
        arguments: &impl Arguments<'a>,
    ) -> Result<Option<u64>, Refusal> {
        match (ttl::find(command, arguments)?, self.default_ttl) {
            (Found::For(ttl), _) if self.max_ttl.is_some_and(|most| ttl > most) => Err(Refusal::TtlTooLong),
            (Found::Unset, Some(default)) => {
                Ok(Some(milliseconds(default.min(self.max_ttl.unwrap_or(default)))))
            }
            (Found::Unset | Found::Forever, _) if self.requires_ttl => Err(Refusal::TtlRequired),
            _ => Ok(None),
        }
    }
}

/// The server refuses a time of 0, and one that overflows its clock.
pub(crate) fn milliseconds(ttl: Duration) -> u64 {
    const A_CENTURY: u64 = 100 * 366 * 24 * 60 * 60 * 1000;
    u64::try_from(ttl.as_millis()).unwrap_or(A_CENTURY).clamp(1, A_CENTURY)
}
