//! `defmt::Format` of a directory's records.

use super::{InvalidTenantSlugError, TenantRecord, TenantSlug, TenantStatus};

impl defmt::Format for TenantStatus {
    fn format(&self, f: defmt::Formatter<'_>) {
        match self {
            Self::Active => defmt::write!(f, "active"),
            Self::Suspended => defmt::write!(f, "suspended"),
            Self::Deleted => defmt::write!(f, "deleted"),
        }
    }
}

impl defmt::Format for TenantSlug {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=str}", self.as_str());
    }
}

impl defmt::Format for InvalidTenantSlugError {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "invalid tenant slug");
    }
}

impl defmt::Format for TenantRecord {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{} ({}, {})", self.id(), self.slug(), self.status());
    }
}
