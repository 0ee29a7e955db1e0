//! `defmt::Format` of an id: the same text as `Debug`.

use super::TenantId;

impl defmt::Format for TenantId {
    fn format(&self, f: defmt::Formatter<'_>) {
        let mut buffer = [0; 36];
        defmt::write!(f, "TenantId('{=str}')", self.encode(&mut buffer));
    }
}
