//! What a directory knows of a tenant.

use crate::{TenantError, TenantId, TenantNotFoundError, TenantSlug, TenantValidationError};
use crate::{TenantValidationKind, table::Keyed};

/// The state of a tenant that exists.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum TenantStatus {
    /// Its work is done.
    Active,
    /// The platform suspended it: nothing is done for it until it is resumed.
    Suspended,
    /// It is being removed, or was.
    Deleted,
}

impl TenantStatus {
    /// Whether work may be done for the tenant.
    ///
    /// # Errors
    ///
    /// [`TenantValidationError`] for any state but [`Active`](Self::Active).
    pub const fn verify(self, tenant: TenantId) -> Result<(), TenantValidationError> {
        let kind = match self {
            Self::Active => return Ok(()),
            Self::Suspended => TenantValidationKind::Suspended,
            Self::Deleted => TenantValidationKind::Deleted,
        };
        Err(TenantValidationError::new(tenant, kind))
    }

    /// Its name, as a table or a file has it: `active`, `suspended`, `deleted`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
        }
    }

    /// The state of this name; `None` for any other text.
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

    /// What a directory's answer comes to, where `None` is an id that it does not know.
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
    /// [`TenantNotFoundError`] for `None`, [`TenantValidationError`] for a state that forbids work.
    pub fn verify_known(status: Option<Self>, tenant: TenantId) -> Result<(), TenantError> {
        Ok(status.ok_or(TenantNotFoundError::new(tenant))?.verify(tenant)?)
    }
}

/// A tenant: its id, its name in URLs and logs, and its state. 81 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TenantRecord {
    id: TenantId,
    slug: TenantSlug,
    status: TenantStatus,
}

impl TenantRecord {
    /// The record of a tenant.
    pub const fn new(id: TenantId, slug: TenantSlug, status: TenantStatus) -> Self {
        Self { id, slug, status }
    }

    /// The tenant.
    pub const fn id(&self) -> TenantId {
        self.id
    }

    /// Its name in URLs and logs.
    pub const fn slug(&self) -> TenantSlug {
        self.slug
    }

    /// Its state.
    pub const fn status(&self) -> TenantStatus {
        self.status
    }

    /// The same tenant in another state.
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
