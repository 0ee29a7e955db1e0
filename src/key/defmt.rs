//! `defmt::Format` of keys and their errors. As in `Debug`, the key is not shown.

use super::{TenantKey, TenantKeyError, TenantPrefix};

impl<const N: usize, const SEPARATOR: u8> defmt::Format for TenantKey<N, SEPARATOR> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "a key of {}, {=usize} bytes", self.tenant(), self.key().len());
    }
}

impl<const SEPARATOR: u8> defmt::Format for TenantPrefix<SEPARATOR> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "the prefix of {}", self.tenant());
    }
}

impl defmt::Format for TenantKeyError {
    fn format(&self, f: defmt::Formatter<'_>) {
        match self {
            Self::TooLong => defmt::write!(f, "tenant key too long"),
            Self::Unprefixed => defmt::write!(f, "not a tenant's key"),
            Self::TenantContextNotSet(error) => error.format(f),
            Self::TenantMismatch(error) => error.format(f),
        }
    }
}
