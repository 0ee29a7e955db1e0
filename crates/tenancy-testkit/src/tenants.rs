//! Tenants for tests.

use tenancy::{TenantId, tenant_id};

/// Two tenants that differ only in their ids and canaries.
///
/// Their data should have equal local ids, names and sizes, so that a missing filter shows the wrong tenant's data and
/// not simply nothing. A *canary* is a text that belongs to one tenant: if it appears in an answer to the other tenant,
/// data has leaked.
///
/// ```
/// use tenancy_testkit::TwoTenants;
///
/// let tenants = TwoTenants::new();
/// let note = tenants.a.canary("note 7");
/// assert!(tenants.a.is_in(note.as_bytes()));
/// assert!(!tenants.b.is_in(note.as_bytes()));
/// assert_eq!(note.len(), tenants.b.canary("note 7").len());
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct TwoTenants {
    /// The first tenant.
    pub a: TestTenant,
    /// The second tenant.
    pub b: TestTenant,
}

/// A tenant of [`TwoTenants`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TestTenant {
    id: TenantId,
    mark: &'static str,
}

impl TwoTenants {
    /// Returns the same two tenants every time.
    pub fn new() -> Self {
        let a = tenant_id!("aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa");
        let b = tenant_id!("bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb");
        Self { a: TestTenant { id: a, mark: "canary-a7c1" }, b: TestTenant { id: b, mark: "canary-b7c2" } }
    }

    /// Returns both tenants, to run the same steps as each of them against the other.
    pub fn pairs(&self) -> [(&TestTenant, &TestTenant); 2] {
        [(&self.a, &self.b), (&self.b, &self.a)]
    }
}

impl Default for TwoTenants {
    fn default() -> Self {
        Self::new()
    }
}

impl TestTenant {
    /// Returns the tenant's id.
    pub fn id(&self) -> TenantId {
        self.id
    }

    /// Returns a canary of this tenant: a text of ASCII letters, digits and hyphens, followed by the label.
    pub fn canary(&self, label: &str) -> String {
        format!("{}-{label}", self.mark)
    }

    /// Returns whether the bytes contain a canary of this tenant, or the tenant's id in one of its text forms.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
        let id = self.id.to_string();
        text.contains(self.mark) || text.contains(&id) || text.contains(&id.replace('-', ""))
    }
}

/// Returns any number of tenants: the first ones of a sequence that is the same every time.
///
/// ```
/// use tenancy_testkit::census;
///
/// let tenants: Vec<_> = census(1000).collect();
/// assert_eq!(tenants[..10], census(10).collect::<Vec<_>>());
/// ```
#[allow(clippy::missing_panics_doc, reason = "the version of an id is never 0")]
pub fn census(count: usize) -> impl Iterator<Item = TenantId> {
    (1..=count as u128).map(|number| {
        // An odd factor, so that different numbers give different ids, which look random.
        let bits = number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
        // The version and variant of RFC 9562: the id is never nil and never the platform's.
        let bits = bits & !(0xf << 76) & !(0b11 << 62) | 8 << 76 | 0b10 << 62;
        TenantId::from_bytes(bits.to_be_bytes()).expect("the version is not 0")
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn census_has_no_duplicates() {
        let tenants: HashSet<_> = census(100_000).collect();
        assert_eq!(tenants.len(), 100_000);
        assert!(!tenants.contains(&TenantId::PLATFORM));
    }

    #[test]
    fn finds_ids_and_canaries_in_every_spelling() {
        let TwoTenants { a, b } = TwoTenants::new();
        for text in [a.canary("x"), a.id().to_string(), a.id().to_string().to_uppercase()] {
            assert!(a.is_in(format!("…{text}…").as_bytes()) && !b.is_in(text.as_bytes()), "{text}");
        }
        assert!(a.is_in(format!("t:{}:key", a.id().simple()).as_bytes()));
        assert!(!a.is_in(b"\xff nothing of a tenant"));
    }
}
