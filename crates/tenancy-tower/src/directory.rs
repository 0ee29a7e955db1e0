//! Which tenants exist, and in what state.

use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use tenancy::{FixedDirectory, TenantId, TenantStatus};

/// Says in what state a tenant is, or that there is none.
///
/// An error, and an answer that comes too late, is a 503 of the layer, and never a yes.
///
/// ```
/// use std::io;
/// use tenancy::{TenantId, TenantStatus};
/// use tenancy_tower::Directory;
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
/// Closures are directories: `|tenant: TenantId| async move { Ok::<_, Error>(…) }`. One that captures a handle
/// clones it before the `async` block.
#[diagnostic::on_unimplemented(
    message = "`{Self}` says not which tenants there are",
    label = "not a directory",
    note = "name one by `.directory(directory)`: a `Snapshot`, a `Cached`, a closure that gives a future"
)]
pub trait Directory: Send + Sync + 'static {
    /// Why the directory can't say.
    type Error: fmt::Display + Send;

    /// The tenant's state; `None` for an unknown id.
    ///
    /// # Errors
    ///
    /// Where the directory can't say.
    fn status(
        &self,
        tenant: TenantId,
    ) -> impl Future<Output = Result<Option<TenantStatus>, Self::Error>> + Send;

    /// The same, ready where it is known without waiting: then the layer needs no allocation for it. Pending
    /// sends the layer to [`status`](Self::status).
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

impl<D: Directory> Directory for Arc<D> {
    type Error = D::Error;

    async fn status(&self, tenant: TenantId) -> Result<Option<TenantStatus>, D::Error> {
        D::status(self, tenant).await
    }

    fn status_now(&self, tenant: TenantId) -> Poll<Option<TenantStatus>> {
        D::status_now(self, tenant)
    }
}

impl<const N: usize> Directory for FixedDirectory<N> {
    type Error = std::convert::Infallible;

    async fn status(&self, tenant: TenantId) -> Result<Option<TenantStatus>, Self::Error> {
        Ok(self.get(tenant).map(tenancy::TenantRecord::status))
    }

    fn status_now(&self, tenant: TenantId) -> Poll<Option<TenantStatus>> {
        Poll::Ready(self.get(tenant).map(tenancy::TenantRecord::status))
    }
}
