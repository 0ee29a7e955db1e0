//! What a tenant's keys begin with.

use uuid::Uuid;

use super::TenantKeyError;
use crate::{TenantId, TenantMismatchError};

/// `t`, two separators, 32 digits. Not an associated constant: an array's length can't depend on a parameter.
const LEN: usize = 35;

/// What a tenant's keys begin with: [`TenantKey`](crate::TenantKey) without the key, for keys of any length.
///
/// ```
/// use tenancy::{TenantId, TenantPrefix};
///
/// let prefix = TenantPrefix::<b':'>::new(TenantId::PLATFORM);
/// assert_eq!(prefix.as_bytes(), b"t:00000000000000000000000000000001:");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TenantPrefix<const SEPARATOR: u8 = b':'> {
    tenant: TenantId,
    bytes: [u8; LEN],
}

impl<const SEPARATOR: u8> TenantPrefix<SEPARATOR> {
    /// How many bytes it has, whoever's it is.
    pub const LEN: usize = LEN;

    /// The prefix of a tenant.
    pub fn new(tenant: TenantId) -> Self {
        let mut bytes = [SEPARATOR; LEN];
        let [name, _, digits @ .., _] = &mut bytes;
        *name = b't';
        Uuid::from(tenant).simple().encode_lower(digits);
        Self { tenant, bytes }
    }

    /// The bytes of the prefix.
    #[inline]
    pub const fn as_bytes(&self) -> &[u8; 35] {
        &self.bytes
    }

    /// Whose it is.
    #[inline]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The tenant's own name of a full key.
    ///
    /// # Errors
    ///
    /// [`TenantMismatch`](TenantKeyError::TenantMismatch) where the key is another's, and
    /// [`Unprefixed`](TenantKeyError::Unprefixed) where it is nobody's.
    #[inline]
    pub fn strip<'k>(&self, full: &'k [u8]) -> Result<&'k [u8], TenantKeyError> {
        match full.strip_prefix(&self.bytes) {
            Some(key) => Ok(key),
            None => Err(self.refuse(full)),
        }
    }

    #[cold]
    fn refuse(&self, full: &[u8]) -> TenantKeyError {
        match Self::split(full) {
            Ok((other, _)) => TenantMismatchError::new(self.tenant, other.tenant).into(),
            Err(error) => error,
        }
    }

    /// The prefix that a full key has, whoever's it is, and the key.
    ///
    /// # Errors
    ///
    /// [`Unprefixed`](TenantKeyError::Unprefixed) where it has none, or one in another spelling: in upper case.
    pub fn split(full: &[u8]) -> Result<(Self, &[u8]), TenantKeyError> {
        let (bytes, key) = full.split_first_chunk::<LEN>().ok_or(TenantKeyError::Unprefixed)?;
        let [_, _, digits @ .., _] = bytes;
        let tenant = TenantId::parse_fast(digits).map_err(|_| TenantKeyError::Unprefixed)?;
        let prefix = Self::new(tenant);
        if prefix.bytes == *bytes { Ok((prefix, key)) } else { Err(TenantKeyError::Unprefixed) }
    }
}
