//! Tasks of the current tenant.

use std::error::Error;
use std::fmt;

use apalis_core::backend::{TaskSink, TaskSinkError};
use apalis_core::task::Task;
use serde::Serialize;
use tenancy::{TenantContext, TenantContextNotSetError};
use tenancy_token::{Issuer, MAX_TEXT, MAX_TOKEN, TokenError, encode_text};

use crate::seal::{TokenText, sealed_bytes};

/// Adds a token of the current tenant to tasks. The token seals the task's arguments.
///
/// ```
/// use std::time::Duration;
/// use apalis_core::backend::memory::MemoryStorage;
/// use tenancy::{TenantFutureExt, TenantId};
/// use tenancy_apalis::TaskSigner;
/// use tenancy_token::{Issuer, TokenKey};
///
/// # async fn example(secret: [u8; 32], tenant: TenantId) -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = Issuer::new(TokenKey::hmac(b"2026-12", &secret)?, "jobs", Duration::from_secs(3600))?;
/// let tasks = TaskSigner::new(issuer);
/// let mut storage = MemoryStorage::new();
/// tasks.push(&mut storage, "invoice 17".to_owned()).in_tenant(tenant).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TaskSigner {
    issuer: Issuer,
}

impl TaskSigner {
    /// Creates a signer.
    pub fn new(issuer: Issuer) -> Self {
        Self { issuer }
    }

    /// Adds a token of the current tenant to a task, instead of the one that it has.
    ///
    /// Use it for tasks with options, such as a delay, and push the result with `push_task`.
    ///
    /// # Errors
    ///
    /// [`SignError::NoTenant`] if no tenant is set, [`SignError::Token`] if no token can be minted, and
    /// [`SignError::Arguments`] if the arguments cannot be serialized.
    pub fn sign<Args: Serialize>(&self, mut task: Task<Args>) -> Result<Task<Args>, SignError> {
        let tenant = TenantContext::get()?;
        let payload = sealed_bytes(&task.args)?;
        let (mut buffer, mut text) = ([0; MAX_TOKEN], [0; MAX_TEXT]);
        let token = self.issuer.seal(tenant, &payload, &mut buffer)?;
        let text = TokenText(encode_text(token, &mut text)?.to_owned());
        match task.inject_metadata(&text) {
            Ok(()) => Ok(task),
        }
    }

    /// Pushes a task of the current tenant into a backend.
    ///
    /// # Errors
    ///
    /// As [`sign`](Self::sign): nothing is pushed then. [`PushError::Backend`] if the backend failed.
    pub async fn push<B, Kind, Args>(&self, backend: &mut B, args: Args) -> Result<(), PushError<B::Error>>
    where
        B: TaskSink<Args, Kind>,
        Args: Serialize,
    {
        let task = self.sign(Task::new(args))?;
        backend.push_task(task).await.map_err(PushError::Backend)
    }
}

/// Why a task was not signed.
#[derive(Debug)]
#[non_exhaustive]
pub enum SignError {
    /// No tenant is set.
    NoTenant(TenantContextNotSetError),
    /// No token can be minted.
    Token(TokenError),
    /// The arguments cannot be serialized as JSON.
    Arguments(serde_json::Error),
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoTenant(_) => "cannot sign a task without a tenant",
            Self::Token(_) => "cannot mint the token of a task",
            Self::Arguments(_) => "cannot serialize the arguments of a task",
        })
    }
}

impl Error for SignError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match self {
            Self::NoTenant(error) => error,
            Self::Token(error) => error,
            Self::Arguments(error) => error,
        })
    }
}

impl From<TenantContextNotSetError> for SignError {
    fn from(error: TenantContextNotSetError) -> Self {
        Self::NoTenant(error)
    }
}

impl From<TokenError> for SignError {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

impl From<serde_json::Error> for SignError {
    fn from(error: serde_json::Error) -> Self {
        Self::Arguments(error)
    }
}

/// Why a task was not pushed. `E` is the error of the backend.
#[derive(Debug)]
#[non_exhaustive]
pub enum PushError<E> {
    /// The task was not signed.
    Sign(SignError),
    /// The backend failed.
    Backend(TaskSinkError<E>),
}

impl<E> fmt::Display for PushError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sign(error) => error.fmt(f),
            Self::Backend(_) => f.write_str("cannot push a task into the backend"),
        }
    }
}

impl<E: Error + 'static> Error for PushError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Sign(error) => error.source(),
            Self::Backend(error) => Some(error),
        }
    }
}

impl<E> From<SignError> for PushError<E> {
    fn from(error: SignError) -> Self {
        Self::Sign(error)
    }
}
