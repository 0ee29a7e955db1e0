//! Whether a tenant may use the database at all.

use std::fmt;
use std::sync::Arc;
use std::task::Poll;

use futures_util::future::BoxFuture;
use tenancy::{Directory, TenantError, TenantId, TenantNotFoundError, TenantStatus};

use crate::error::Error;

/// A directory that is asked before a transaction begins.
#[derive(Clone)]
pub(crate) struct ActiveTenants(Arc<dyn Ask>);

trait Ask: Send + Sync {
    fn now(&self, tenant: TenantId) -> Poll<Option<TenantStatus>>;

    fn ask(&self, tenant: TenantId) -> BoxFuture<'_, Result<Option<TenantStatus>, String>>;
}

impl<D: Directory> Ask for D {
    fn now(&self, tenant: TenantId) -> Poll<Option<TenantStatus>> {
        self.status_now(tenant)
    }

    fn ask(&self, tenant: TenantId) -> BoxFuture<'_, Result<Option<TenantStatus>, String>> {
        Box::pin(async move { self.status(tenant).await.map_err(|error| error.to_string()) })
    }
}

impl ActiveTenants {
    pub(crate) fn new(directory: impl Directory) -> Self {
        Self(Arc::new(directory))
    }

    /// Returns an error unless the tenant exists and is active.
    pub(crate) async fn verify(&self, tenant: TenantId) -> Result<(), Error> {
        let status = match self.0.now(tenant) {
            Poll::Ready(status) => status,
            Poll::Pending => self.0.ask(tenant).await.map_err(Error::Directory)?,
        };
        let status = status.ok_or_else(|| TenantError::from(TenantNotFoundError::new(tenant)))?;
        Ok(status.verify(tenant).map_err(TenantError::from)?)
    }
}

impl fmt::Debug for ActiveTenants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ActiveTenants")
    }
}
