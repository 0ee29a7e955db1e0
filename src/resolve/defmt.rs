//! `defmt::Format` of the errors of claims.

use super::ResolveTenantError;

impl defmt::Format for ResolveTenantError {
    fn format(&self, f: defmt::Formatter<'_>) {
        match self {
            Self::Missing => defmt::write!(f, "no tenant is named"),
            Self::Duplicate => defmt::write!(f, "X-Tenant-ID is there more than once"),
            Self::Invalid(error) => error.format(f),
            Self::Conflict => defmt::write!(f, "more than one tenant is named"),
        }
    }
}
