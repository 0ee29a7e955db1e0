//! The interface of a directory.

use core::convert::Infallible;
use core::fmt;
use core::task::Poll;

use super::{FixedDirectory, TenantRecord, TenantStatus};
use crate::TenantId;

/// Looks up whether a tenant exists, and in what state it is.
///
/// A caller rejects a request if the lookup fails or takes too long.
///
/// ```
/// use std::io;
/// use tenancy::{Directory, TenantId, TenantStatus};
///
/// struct Platform;
///
/// impl Directory for Platform {
///     type Error = io::Error;
///
///     async fn status(&self, tenant: TenantId) -> Result<Option<TenantStatus>, io::Error> {
///         Ok(tenant.is_platform().then_some(TenantStatus::Active))
///     }
/// }
/// ```
///
/// Closures are directories: `|tenant: TenantId| async move { Ok::<_, Error>(…) }`. A closure that captures a handle
/// clones it before the `async` block. [`FixedDirectory`] is one, and so is an `Arc` of a directory (feature `std`).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot look up tenants",
    label = "not a directory",
    note = "a directory is a type that implements `tenancy::Directory`, or a closure that returns a future"
)]
pub trait Directory: Send + Sync + 'static {
    /// The error of a lookup that failed.
    type Error: fmt::Display + Send;

    /// Returns the tenant's state, or `None` if the tenant does not exist.
    ///
    /// # Errors
    ///
    /// Returns an error if the lookup fails.
    fn status(
        &self,
        tenant: TenantId,
    ) -> impl Future<Output = Result<Option<TenantStatus>, Self::Error>> + Send;

    /// Returns the tenant's state if it is known without waiting.
    ///
    /// This saves the caller an allocation. `Pending` tells the caller to use [`status`](Self::status).
    fn status_now(&self, _tenant: TenantId) -> Poll<Option<TenantStatus>> {
        Poll::Pending
    }
}

impl<F, R, E> Directory for F
where
    F: Fn(TenantId) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Option<TenantStatus>, E>> + Send,
    E: fmt::Display + Send,
{
    type Error = E;

    async fn status(&self, tenant: TenantId) -> Result<Option<TenantStatus>, E> {
        self(tenant).await
    }
}

#[cfg(feature = "std")]
impl<D: Directory> Directory for std::sync::Arc<D> {
    type Error = D::Error;

    async fn status(&self, tenant: TenantId) -> Result<Option<TenantStatus>, D::Error> {
        D::status(self, tenant).await
    }

    fn status_now(&self, tenant: TenantId) -> Poll<Option<TenantStatus>> {
        D::status_now(self, tenant)
    }
}

impl<const N: usize> Directory for FixedDirectory<N> {
    type Error = Infallible;

    async fn status(&self, tenant: TenantId) -> Result<Option<TenantStatus>, Infallible> {
        Ok(self.get(tenant).map(TenantRecord::status))
    }

    fn status_now(&self, tenant: TenantId) -> Poll<Option<TenantStatus>> {
        Poll::Ready(self.get(tenant).map(TenantRecord::status))
    }
}
