//! From what a request says to the one tenant that it claims: the same rule for firmware and servers.

#[cfg(all(feature = "defmt", any(target_os = "none", docsrs)))]
mod defmt;

use core::fmt;

use crate::{InvalidTenantIdError, TenantId};

/// The header field that names a request's tenant, in lower case; field names have no case.
pub const TENANT_HEADER: &str = "x-tenant-id";

/// Gathers what a request says of its tenant. All of it must agree.
///
/// A claim is no permission: [authorize](https://cheatsheetseries.owasp.org/cheatsheets/Authorization_Cheat_Sheet.html)
/// the caller before the tenant is so much as looked up.
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

/// Why a request claims no one tenant. Over HTTP, each is a 400.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResolveTenantError {
    /// Nothing names a tenant.
    Missing,
    /// The header field is there more than once, be it with the same value.
    Duplicate,
    /// What should name a tenant is no id.
    Invalid(InvalidTenantIdError),
    /// Two sources name different tenants.
    Conflict,
}

impl TenantClaims {
    /// No claim yet.
    pub const fn new() -> Self {
        Self { claimed: None }
    }

    /// Takes the values of all fields with the header's name: none of them is no claim, two are too many.
    ///
    /// A value is an id and nothing else: no list, and no white space around it, which a parser of HTTP takes
    /// off (RFC 9110, section 5.5).
    ///
    /// # Errors
    ///
    /// [`Duplicate`](ResolveTenantError::Duplicate), or as [`text`](Self::text).
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

    /// Takes a text that names a tenant: a part of a path or of a host name.
    ///
    /// # Errors
    ///
    /// [`Invalid`](ResolveTenantError::Invalid), or as [`tenant`](Self::tenant).
    #[inline]
    pub fn text(&mut self, text: &[u8]) -> Result<(), ResolveTenantError> {
        self.tenant(TenantId::parse_fast(text)?)
    }

    /// Takes a tenant that is known already: from a token that was verified.
    ///
    /// # Errors
    ///
    /// [`Conflict`](ResolveTenantError::Conflict) with an earlier claim.
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

    /// The tenant that is claimed.
    ///
    /// # Errors
    ///
    /// [`Missing`](ResolveTenantError::Missing) where none is.
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
