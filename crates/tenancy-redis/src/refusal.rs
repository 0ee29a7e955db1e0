//! What is not done, and how it is told from other errors.

use std::fmt;

use redis::{ErrorKind, RedisError};

/// Why a command was not sent, or its reply not given.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// The command is not in the table of commands: where its keys are is not known.
    UnknownCommand,
    /// The command is the operator's, or reads or changes more than keys that it names.
    AdminCommand,
    /// The command changes or reads a connection that others share.
    ConnectionState,
    /// The command would keep others who share the connection waiting.
    Blocking,
    /// A script that the program does not vouch for may use keys that it doesn't declare.
    UntrustedScript,
    /// The arguments don't say where the keys are: too few, odd, or not those of the command.
    BadArguments,
    /// The command makes a key that lives for ever, or takes a key's time to live away, and the policy has it that
    /// each key has one.
    TtlRequired,
    /// The time to live is longer than the policy has it.
    TtlTooLong,
    /// A key, field or value is larger than the policy has it.
    TooLarge,
    /// The command has more arguments than the policy has it.
    TooManyArguments,
    /// The Redis user of the connection may not list keys, as `flush_tenant` and `usage` do: that of a
    /// [`TenantAcl`](https://docs.rs/tenancy-redis/latest/tenancy_redis/struct.TenantAcl.html) may not, because a pattern
    /// of keys does not limit `SCAN`.
    NotPermitted,
    /// The reply has another shape than the command's, or holds a key of another tenant. The command was sent.
    Reply,
}

/// What begins the detail of each refusal.
pub(crate) const MARK: &str = "refused by tenancy-redis: ";

impl Refusal {
    pub(crate) const ALL: [Self; 12] = [
        Self::UnknownCommand,
        Self::AdminCommand,
        Self::ConnectionState,
        Self::Blocking,
        Self::UntrustedScript,
        Self::BadArguments,
        Self::TtlRequired,
        Self::TtlTooLong,
        Self::TooLarge,
        Self::TooManyArguments,
        Self::NotPermitted,
        Self::Reply,
    ];

    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::UnknownCommand => "the command is not in the table of commands",
            Self::AdminCommand => "the command is the operator's",
            Self::ConnectionState => "the command is about the state of the connection",
            Self::Blocking => "the command would block the connection",
            Self::UntrustedScript => "a script may use keys that it does not declare",
            Self::BadArguments => "the arguments are not those that the table has for the command",
            Self::TtlRequired => "the policy requires a time to live",
            Self::TtlTooLong => "the time to live is longer than the policy allows",
            Self::TooLarge => "an argument is larger than the policy allows",
            Self::TooManyArguments => "the command has more arguments than the policy allows",
            Self::NotPermitted => "the Redis user of the connection may not list keys",
            Self::Reply => "the reply is not of the command's shape, or not the tenant's",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for RedisError {
    fn from(refusal: Refusal) -> Self {
        (ErrorKind::Client, "tenant isolation", format!("{MARK}{refusal}")).into()
    }
}
