//! Finds the one tenant that a request claims. Firmware and servers use the same rules.

#[cfg(all(feature = "defmt", any(target_os = "none", docsrs)))]
mod defmt;

use core::fmt;

use crate::{InvalidTenantIdError, TenantId};

/// The header field that names a request's tenant. Field names are case-insensitive; this one is in lower case.
pub const TENANT_HEADER: &str = "x-tenant-id";

/// Collects the claims of a request about its tenant. All claims must agree.
///
/// A claim is not a permission: [authorize](https://cheatsheetseries.owasp.org/cheatsheets/Authorization_Cheat_Sheet.html)
/// the caller before you look up the tenant.
///
/// ```
/// use tenancy::{ResolveTenantError, TenantClaims, TenantId};
///
/// let mut claims = TenantClaims::new();
/// claims.header([&b"00000000-0000-0000-0000-000000000001"[..]])?;
/// assert_eq!(claims.resolve(), Ok(TenantId::PLATFORM));
///
/// assert_eq!(TenantClaims::new().resolve(), Err(ResolveTenantError::Missing));
/// # Ok::<(), ResolveTenantError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct TenantClaims {
    claimed: Option<TenantId>,
}

/// A request does not claim exactly one valid tenant. Over HTTP, the status is 400.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ResolveTenantError {
    /// The request does not name a tenant.
    Missing,
    /// The header field occurs more than once, even if the values are equal.
    Duplicate,
    /// The text that should name a tenant is not an id.
    Invalid(InvalidTenantIdError),
    /// Two sources name different tenants.
    Conflict,
}

impl TenantClaims {
    /// Creates an empty collection of claims.
    pub const fn new() -> Self {
        Self { claimed: None }
    }

    /// Adds the claim of a header. Accepts the values of all fields with the header's name.
    ///
    /// No value means no claim, and more than one is an error. A value is exactly one id: not a list, and without the white
    /// space around it, which a parser of HTTP removes (RFC 9110, section 5.5).
    ///
    /// # Errors
    ///
    /// Returns [`Duplicate`](ResolveTenantError::Duplicate) for more than one value, and the errors of [`text`](Self::text).
    #[inline]
    pub fn header<'v>(
        &mut self,
        values: impl IntoIterator<Item = &'v [u8]>,
    ) -> Result<(), ResolveTenantError> {
        let mut values = values.into_iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(()),
            (Some(value), None) => self.text(value),
            (Some(_), Some(_)) => Err(ResolveTenantError::Duplicate),
        }
    }

    /// Adds the claim of a text, for example a part of a path or of a host name.
    ///
    /// # Errors
    ///
    /// Returns [`Invalid`](ResolveTenantError::Invalid) if the text is not an id, and the errors of
    /// [`tenant`](Self::tenant).
    #[inline]
    pub fn text(&mut self, text: &[u8]) -> Result<(), ResolveTenantError> {
        self.tenant(TenantId::parse_fast(text)?)
    }

    /// Adds the claim of a tenant whose id is already parsed, for example that of a verified token.
    ///
    /// # Errors
    ///
    /// Returns [`Conflict`](ResolveTenantError::Conflict) if an earlier claim names another tenant.
    #[inline]
    pub fn tenant(&mut self, tenant: TenantId) -> Result<(), ResolveTenantError> {
        match self.claimed {
            Some(claimed) if claimed != tenant => Err(ResolveTenantError::Conflict),
            _ => {
                self.claimed = Some(tenant);
                Ok(())
            }
        }
    }

    /// Returns the claimed tenant.
    ///
    /// # Errors
    ///
    /// Returns [`Missing`](ResolveTenantError::Missing) if there is no claim.
    #[inline]
    pub fn resolve(self) -> Result<TenantId, ResolveTenantError> {
        self.claimed.ok_or(ResolveTenantError::Missing)
    }
}

impl From<InvalidTenantIdError> for ResolveTenantError {
    fn from(error: InvalidTenantIdError) -> Self {
        Self::Invalid(error)
    }
}

impl fmt::Display for ResolveTenantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("no tenant is named: the header X-Tenant-ID is missing"),
            Self::Duplicate => f.write_str("the header X-Tenant-ID is there more than once"),
            Self::Invalid(error) => error.fmt(f),
            Self::Conflict => f.write_str("the request names more than one tenant"),
        }
    }
}

impl core::error::Error for ResolveTenantError {}
