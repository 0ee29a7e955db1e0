//! `defmt::Format` of the errors of limits.

use super::{RateLimitedError, TenantMapFullError, TenantMapFullKind};

impl defmt::Format for RateLimitedError {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{} is over its limit for {=u64} s", self.tenant(), self.retry_after_seconds());
    }
}

impl defmt::Format for TenantMapFullKind {
    fn format(&self, f: defmt::Formatter<'_>) {
        match self {
            Self::Tenant => defmt::write!(f, "the tenant's limit is reached"),
            Self::Map => defmt::write!(f, "the map is full"),
        }
    }
}

impl<V> defmt::Format for TenantMapFullError<V> {
    fn format(&self, f: defmt::Formatter<'_>) {
        self.kind().format(f);
    }
}
