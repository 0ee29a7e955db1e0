//! The identity of a tenant.

mod convert;
#[cfg(all(feature = "defmt", any(target_os = "none", docsrs)))]
mod defmt;
mod parse;
mod text;

use crate::error::{InvalidTenantIdError, InvalidTenantIdKind};

/// The identity of a tenant: 16 bytes, a UUID of any version that is neither nil nor all ones.
///
/// Ids are equal by value, hashable, and ordered by their bytes. An id is immutable, has no default, and cannot be compared
/// with a string: only [`parse`](Self::parse) and the conversions make an id from text.
///
/// ```
/// use tenancy::{TenantId, tenant_id};
///
/// const ACME: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
///
/// assert_eq!(TenantId::parse("550E8400E29B41D4A716446655440000"), Ok(ACME));
/// assert_eq!(ACME.to_text(), "550e8400-e29b-41d4-a716-446655440000");
/// ```
///
/// An id cannot be compared with text, because text has many spellings, and unparsed text was not checked:
///
/// ```compile_fail,E0277
/// tenancy::TenantId::PLATFORM == "00000000-0000-0000-0000-000000000001";
/// ```
///
/// The bytes of an id cannot be changed, and an id cannot be created from unchecked bytes:
///
/// ```compile_fail,E0594
/// let mut tenant = tenancy::TenantId::PLATFORM;
/// tenant.as_bytes()[0] = 1;
/// ```
///
/// ```compile_fail,E0423
/// let tenant = tenancy::TenantId([0; 16]);
/// ```
///
/// An id has no default, and does not dereference to its bytes:
///
/// ```compile_fail,E0277
/// fn default<T: Default>() -> T { T::default() }
/// let tenant: tenancy::TenantId = default();
/// ```
///
/// ```compile_fail,E0614
/// let bytes = *tenancy::TenantId::PLATFORM;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(transparent)]
pub struct TenantId([u8; 16]);

impl TenantId {
    /// The platform's own tenant, `00000000-0000-0000-0000-000000000001`.
    pub const PLATFORM: Self = Self([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);

    /// Creates an id from its 16 bytes, in the order of its text (RFC 9562, section 4).
    ///
    /// # Errors
    ///
    /// Returns [`InvalidTenantIdKind::Nil`] for 16 zero bytes and [`InvalidTenantIdKind::Max`] for 16 bytes of `0xff`, so that
    /// zeroed memory and erased flash are not a tenant.
    #[inline]
    pub const fn from_bytes(bytes: [u8; 16]) -> Result<Self, InvalidTenantIdError> {
        match u128::from_ne_bytes(bytes) {
            0 => Err(InvalidTenantIdError::new(InvalidTenantIdKind::Nil, 0)),
            u128::MAX => Err(InvalidTenantIdError::new(InvalidTenantIdKind::Max, 0)),
            _ => Ok(Self(bytes)),
        }
    }

    /// Returns the 16 bytes of the id.
    #[inline]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Returns whether this is [`TenantId::PLATFORM`].
    #[inline]
    pub const fn is_platform(&self) -> bool {
        u128::from_ne_bytes(self.0) == u128::from_ne_bytes(Self::PLATFORM.0)
    }

    /// Returns the id of bytes that came from a `TenantId`.
    #[inline]
    #[allow(dead_code, reason = "only the context and the vector parser use it, and a target can lack both")]
    pub(crate) const fn from_valid(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// Creates a [`TenantId`] from a literal, which is checked when the program is compiled.
///
/// ```
/// let tenant = tenancy::tenant_id!("550e8400-e29b-41d4-a716-446655440000");
/// assert!(!tenant.is_platform());
/// ```
///
/// ```compile_fail,E0080
/// let tenant = tenancy::tenant_id!("550e8400-e29b-41d4-a716-44665544000g");
/// ```
///
/// ```compile_fail,E0080
/// let tenant = tenancy::tenant_id!("00000000-0000-0000-0000-000000000000");
/// ```
#[macro_export]
macro_rules! tenant_id {
    ($text:expr) => {
        const {
            match $crate::TenantId::parse($text) {
                Ok(tenant) => tenant,
                Err(_) => panic!("this literal is not a tenant id"),
            }
        }
    };
}
