//! The record of a tenant in a directory.

use crate::{TenantError, TenantId, TenantNotFoundError, TenantSlug, TenantValidationError};
use crate::{TenantValidationKind, table::Keyed};

/// The state of a tenant that exists.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum TenantStatus {
    /// The tenant is active; its requests are served.
    Active,
    /// The tenant is suspended; its requests are rejected until it is resumed.
    Suspended,
    /// The tenant is deleted, or its deletion is in progress.
    Deleted,
}

impl TenantStatus {
    /// Checks that the tenant is active.
    ///
    /// # Errors
    ///
    /// Returns [`TenantValidationError`] for each state other than [`Active`](Self::Active).
    pub const fn verify(self, tenant: TenantId) -> Result<(), TenantValidationError> {
        let kind = match self {
            Self::Active => return Ok(()),
            Self::Suspended => TenantValidationKind::Suspended,
            Self::Deleted => TenantValidationKind::Deleted,
        };
        Err(TenantValidationError::new(tenant, kind))
    }

    /// Returns the name of the state in tables and files: `active`, `suspended` or `deleted`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
        }
    }

    /// Returns the state with this name, or `None` for any other text.
    ///
    /// ```
    /// use tenancy::TenantStatus;
    ///
    /// assert_eq!(TenantStatus::from_name("suspended"), Some(TenantStatus::Suspended));
    /// assert_eq!(TenantStatus::from_name("Active"), None);
    /// ```
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Suspended, Self::Deleted].into_iter().find(|status| status.as_str() == name)
    }

    /// Checks that the result of a directory lookup is an active tenant. `None` is an unknown id.
    ///
    /// ```
    /// use tenancy::{TenantError, TenantId, TenantStatus};
    ///
    /// let id = TenantId::PLATFORM;
    /// assert_eq!(TenantStatus::verify_known(Some(TenantStatus::Active), id), Ok(()));
    /// assert!(matches!(TenantStatus::verify_known(None, id), Err(TenantError::TenantNotFound(_))));
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`TenantNotFoundError`] for `None`, and [`TenantValidationError`] for a tenant that is not active.
    pub fn verify_known(status: Option<Self>, tenant: TenantId) -> Result<(), TenantError> {
        Ok(status.ok_or(TenantNotFoundError::new(tenant))?.verify(tenant)?)
    }
}

/// The record of a tenant: its id, its name in URLs and logs, and its state. It has 81 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TenantRecord {
    id: TenantId,
    slug: TenantSlug,
    status: TenantStatus,
}

impl TenantRecord {
    /// Creates the record of a tenant.
    pub const fn new(id: TenantId, slug: TenantSlug, status: TenantStatus) -> Self {
        Self { id, slug, status }
    }

    /// Returns the tenant's id.
    pub const fn id(&self) -> TenantId {
        self.id
    }

    /// Returns the tenant's name in URLs and logs.
    pub const fn slug(&self) -> TenantSlug {
        self.slug
    }

    /// Returns the tenant's state.
    pub const fn status(&self) -> TenantStatus {
        self.status
    }

    /// Returns the record with another state.
    #[must_use]
    pub const fn with_status(self, status: TenantStatus) -> Self {
        Self { status, ..self }
    }
}

impl Keyed for TenantRecord {
    #[inline]
    fn tenant(&self) -> TenantId {
        self.id
    }
}
