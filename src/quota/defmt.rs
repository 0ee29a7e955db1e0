//! `defmt::Format` of what a quota says.

use super::{RateLimitedError, TenantMapFullError, TenantMapFullKind};

impl defmt::Format for RateLimitedError {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{} is over its limit for {=u64} s", self.tenant(), self.retry_after_seconds());
    }
}

impl defmt::Format for TenantMapFullKind {
    fn format(&self, f: defmt::Formatter<'_>) {
        match self {
            Self::Tenant => defmt::write!(f, "no room for more of the tenant"),
            Self::Map => defmt::write!(f, "no room"),
        }
    }
}

impl<V> defmt::Format for TenantMapFullError<V> {
    fn format(&self, f: defmt::Formatter<'_>) {
        self.kind().format(f);
    }
}
