//! Keys and topics with the tenant's prefix, for stores and brokers that several tenants share.

#[cfg(all(feature = "defmt", any(target_os = "none", docsrs)))]
mod defmt;
mod error;
mod prefix;

use core::fmt;

use heapless::Vec;

#[cfg(any(feature = "std", target_os = "none"))]
use crate::TenantContext;
use crate::TenantId;

pub use error::TenantKeyError;
pub use prefix::TenantPrefix;

/// A tenant's key in fixed memory: `t:`, 32 hexadecimal digits, `:`, and the key, of any bytes.
///
/// `N` is the capacity in bytes: [`TenantPrefix::LEN`] and the longest key. Two keys are equal only if their tenants and
/// their keys are equal, because all prefixes have one length and one spelling. A prefix contains no character that is
/// special in a Redis pattern or cluster, an MQTT filter, or a path.
///
/// ```
/// use tenancy::{TenantId, TenantKey, TenantKeyError, tenant_id};
///
/// const ACME: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
///
/// let key = TenantKey::<64>::new(ACME, b"boot-count")?;
/// assert_eq!(key.as_bytes(), b"t:550e8400e29b41d4a716446655440000:boot-count");
/// assert_eq!(TenantKey::<64>::strip(ACME, key.as_bytes())?, b"boot-count");
///
/// // The key of another tenant and a key that does not fit are errors.
/// assert!(TenantKey::<64>::strip(TenantId::PLATFORM, key.as_bytes()).is_err());
/// assert_eq!(TenantKey::<40>::new(ACME, b"boot-count"), Err(TenantKeyError::TooLong));
/// # Ok::<(), TenantKeyError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantKey<const N: usize, const SEPARATOR: u8 = b':'> {
    tenant: TenantId,
    bytes: Vec<u8, N>,
}

/// A tenant's MQTT topic or topic filter: `t/`, 32 hexadecimal digits, `/`, and the rest.
///
/// The wildcards `+` and `#` in the rest match topics of this tenant only.
///
/// ```
/// use tenancy::{TenantId, TenantTopic};
///
/// let filter = TenantTopic::<64>::new(TenantId::PLATFORM, b"sensors/+/temperature")?;
/// assert_eq!(filter.as_bytes(), b"t/00000000000000000000000000000001/sensors/+/temperature");
/// # Ok::<(), tenancy::TenantKeyError>(())
/// ```
pub type TenantTopic<const N: usize> = TenantKey<N, b'/'>;

impl<const N: usize, const SEPARATOR: u8> TenantKey<N, SEPARATOR> {
    /// Creates the key of a tenant.
    ///
    /// # Errors
    ///
    /// Returns [`TooLong`](TenantKeyError::TooLong) if prefix and key do not fit into `N` bytes. A key is never truncated.
    pub fn new(tenant: TenantId, key: &[u8]) -> Result<Self, TenantKeyError> {
        let mut bytes = Vec::new();
        for part in [&TenantPrefix::<SEPARATOR>::of(tenant).as_bytes()[..], key] {
            bytes.extend_from_slice(part).map_err(|_| TenantKeyError::TooLong)?;
        }
        Ok(Self { tenant, bytes })
    }

    /// Creates a key of the current tenant.
    ///
    /// # Errors
    ///
    /// Returns [`TenantContextNotSet`](TenantKeyError::TenantContextNotSet) if no tenant is set, and the errors of
    /// [`new`](Self::new).
    #[cfg(any(feature = "std", target_os = "none"))]
    pub fn current(key: &[u8]) -> Result<Self, TenantKeyError> {
        Self::new(TenantContext::get()?, key)
    }

    /// Parses a full key of any tenant. This is the inverse of [`as_bytes`](Self::as_bytes).
    ///
    /// # Errors
    ///
    /// Returns [`Unprefixed`](TenantKeyError::Unprefixed) if the key has no tenant's prefix, and the errors of
    /// [`new`](Self::new).
    pub fn parse(full: &[u8]) -> Result<Self, TenantKeyError> {
        let (prefix, key) = TenantPrefix::<SEPARATOR>::split_any(full)?;
        Self::new(prefix.tenant(), key)
    }

    /// Removes the tenant's prefix from a full key.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`TenantPrefix::strip`], which do not repeat the key.
    pub fn strip(tenant: TenantId, full: &[u8]) -> Result<&[u8], TenantKeyError> {
        TenantPrefix::<SEPARATOR>::of(tenant).strip(full)
    }

    /// Returns the full key: the prefix and the key.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Returns the tenant that the key belongs to.
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Returns the key without its prefix.
    pub fn key(&self) -> &[u8] {
        // The full key begins with a prefix, so it is never shorter.
        self.bytes.get(TenantPrefix::<SEPARATOR>::LEN..).unwrap_or_default()
    }
}

/// Shows the tenant and the length. A key can contain names and addresses, so it is not shown.
impl<const N: usize, const SEPARATOR: u8> fmt::Debug for TenantKey<N, SEPARATOR> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantKey")
            .field("tenant", &self.tenant)
            .field("length", &self.key().len())
            .finish_non_exhaustive()
    }
}

impl<const N: usize, const SEPARATOR: u8> AsRef<[u8]> for TenantKey<N, SEPARATOR> {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}
