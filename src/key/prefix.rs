//! The prefix of a tenant's keys.

use uuid::Uuid;

use super::TenantKeyError;
use crate::{TenantId, TenantMismatchError};

/// `t`, two separators and 32 digits. Not an associated constant: the length of an array cannot depend on a parameter.
const LEN: usize = 35;

/// The prefix of a tenant's keys: a [`TenantKey`](crate::TenantKey) without the key, for keys of any length.
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
    /// The length of a prefix in bytes, which is the same for all tenants.
    pub const LEN: usize = LEN;

    /// Evaluated for each prefix and key type that is used, so that another separator does not compile.
    const IS_PLAIN: () = assert!(
        is_plain(SEPARATOR) || SEPARATOR == b'/',
        "the separator of a tenant's keys is one of : ; , | ~ ! @ % & = _"
    );

    /// `/` separates the levels of a [`TenantTopic`](crate::TenantTopic), which is not a path. A prefix could be used in one.
    const IS_NO_PATH: () =
        assert!(is_plain(SEPARATOR), "the separator of a tenant's keys is one of : ; , | ~ ! @ % & = _");

    /// Creates the prefix of a tenant.
    ///
    /// A separator must be one of `: ; , | ~ ! @ % & = _`. Any other one does not compile, because it could be special in
    /// a Redis pattern or cluster, in an MQTT filter, or in a path:
    ///
    /// ```compile_fail,E0080
    /// tenancy::TenantPrefix::<b'*'>::new(tenancy::TenantId::PLATFORM);
    /// ```
    ///
    /// ```compile_fail,E0080
    /// tenancy::TenantPrefix::<b'/'>::new(tenancy::TenantId::PLATFORM);
    /// ```
    pub fn new(tenant: TenantId) -> Self {
        let () = Self::IS_NO_PATH;
        Self::of(tenant)
    }

    /// Creates the prefix of a tenant, also for topics.
    pub(super) fn of(tenant: TenantId) -> Self {
        let () = Self::IS_PLAIN;
        let mut bytes = [SEPARATOR; LEN];
        let [name, _, digits @ .., _] = &mut bytes;
        *name = b't';
        Uuid::from(tenant).simple().encode_lower(digits);
        Self { tenant, bytes }
    }

    /// Returns the bytes of the prefix.
    #[inline]
    pub const fn as_bytes(&self) -> &[u8; 35] {
        &self.bytes
    }

    /// Returns the tenant of the prefix.
    #[inline]
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Removes the prefix from a full key of the tenant.
    ///
    /// # Errors
    ///
    /// Returns [`TenantMismatch`](TenantKeyError::TenantMismatch) if the key belongs to another tenant, and
    /// [`Unprefixed`](TenantKeyError::Unprefixed) if it has no tenant's prefix.
    #[inline]
    pub fn strip<'k>(&self, full: &'k [u8]) -> Result<&'k [u8], TenantKeyError> {
        match full.strip_prefix(&self.bytes) {
            Some(key) => Ok(key),
            None => Err(self.refuse(full)),
        }
    }

    #[cold]
    fn refuse(&self, full: &[u8]) -> TenantKeyError {
        match Self::split_any(full) {
            Ok((other, _)) => TenantMismatchError::new(self.tenant, other.tenant).into(),
            Err(error) => error,
        }
    }

    /// Splits a full key of any tenant into the prefix and the key.
    ///
    /// # Errors
    ///
    /// Returns [`Unprefixed`](TenantKeyError::Unprefixed) if the key has no prefix, or one in another spelling, such as upper
    /// case.
    pub fn split(full: &[u8]) -> Result<(Self, &[u8]), TenantKeyError> {
        let () = Self::IS_NO_PATH;
        Self::split_any(full)
    }

    /// Splits a full key, also that of a topic.
    pub(super) fn split_any(full: &[u8]) -> Result<(Self, &[u8]), TenantKeyError> {
        let (bytes, key) = full.split_first_chunk::<LEN>().ok_or(TenantKeyError::Unprefixed)?;
        let [_, _, digits @ .., _] = bytes;
        let tenant = TenantId::parse_fast(digits).map_err(|_| TenantKeyError::Unprefixed)?;
        let prefix = Self::of(tenant);
        if prefix.bytes == *bytes { Ok((prefix, key)) } else { Err(TenantKeyError::Unprefixed) }
    }
}

/// Returns whether a separator has no meaning in a Redis pattern or cluster, an MQTT topic or filter, a path, or a
/// line of text.
const fn is_plain(separator: u8) -> bool {
    matches!(separator, b':' | b';' | b',' | b'|' | b'~' | b'!' | b'@' | b'%' | b'&' | b'=' | b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejects_separators_with_a_meaning() {
        for separator in *b"*?[]^-\\{}()+#$/.<>\"'` \t\r\n\0\x7f\x80\xffa0Z" {
            assert!(!is_plain(separator), "{}", separator.escape_ascii());
        }
        let plain: heapless::Vec<u8, 16> = (0..=u8::MAX).filter(|separator| is_plain(*separator)).collect();
        assert_eq!(plain.len(), 11);
    }
}
