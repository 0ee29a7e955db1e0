//! What each key of a connection begins with.

use tenancy::{TenantId, TenantPrefix};

use crate::refusal::Refusal;

/// A tenant's prefix, and the namespaces in it, in fixed memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prefix {
    tenant: TenantId,
    bytes: [u8; Self::MOST],
    length: usize,
    namespaces: usize,
}

impl Prefix {
    /// The tenant's prefix and the namespaces, all with the longest names.
    const MOST: usize = TenantPrefix::<b':'>::LEN + Self::MOST_NAMESPACES * (Self::LONGEST_NAME + 1);

    /// The limit does not depend on the lengths of the names: a longer name would stop a program that ran before.
    const MOST_NAMESPACES: usize = 2;

    const LONGEST_NAME: usize = 32;

    pub(crate) fn new(tenant: TenantId) -> Self {
        let mut bytes = [0; Self::MOST];
        let prefix = TenantPrefix::<b':'>::new(tenant);
        let length = TenantPrefix::<b':'>::LEN;
        bytes[..length].copy_from_slice(prefix.as_bytes());
        Self { tenant, bytes, length, namespaces: 0 }
    }

    /// The same for a namespace. Its name can't end early, be read as a pattern, or steer a cluster's slot.
    pub(crate) fn namespace(mut self, name: &str) -> Self {
        let name = name.as_bytes();
        let is_plain = name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        assert!(
            is_plain && (1..=Self::LONGEST_NAME).contains(&name.len()),
            "a namespace has 1 to {} letters, digits, `-` or `_`",
            Self::LONGEST_NAME
        );
        assert!(self.namespaces < Self::MOST_NAMESPACES, "there are two namespaces already");
        let end = self.length + name.len() + 1;
        self.bytes[self.length..end - 1].copy_from_slice(name);
        self.bytes[end - 1] = b':';
        Self { length: end, namespaces: self.namespaces + 1, ..self }
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    pub(crate) fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The name that the connection's user knows.
    ///
    /// # Errors
    ///
    /// [`Refusal::Reply`] where the key is another's.
    pub(crate) fn strip<'k>(&self, full: &'k [u8]) -> Result<&'k [u8], Refusal> {
        full.strip_prefix(self.as_bytes()).ok_or(Refusal::Reply)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn namespaces_follow_the_tenant() {
        let prefix = Prefix::new(TenantId::PLATFORM).namespace("cache").namespace("v-2");
        assert_eq!(prefix.as_bytes(), b"t:00000000000000000000000000000001:cache:v-2:");
        assert_eq!(prefix.strip(b"t:00000000000000000000000000000001:cache:v-2:k"), Ok(&b"k"[..]));
        assert_eq!(prefix.strip(b"t:00000000000000000000000000000001:cache:k"), Err(Refusal::Reply));
        let longest = "n".repeat(Prefix::LONGEST_NAME);
        assert_eq!(
            Prefix::new(TenantId::PLATFORM).namespace(&longest).namespace(&longest).length,
            Prefix::MOST
        );
    }

    #[test]
    fn refuses_a_third_namespace_with_a_name_of_any_length() {
        for name in ["a", &"n".repeat(Prefix::LONGEST_NAME)] {
            let two = Prefix::new(TenantId::PLATFORM).namespace(name).namespace(name);
            assert!(std::panic::catch_unwind(|| two.namespace(name)).is_err(), "{name}");
        }
    }

    #[test]
    fn refuses_names_that_are_empty_or_too_long() {
        for name in ["", &"n".repeat(33)] {
            let made = std::panic::catch_unwind(|| Prefix::new(TenantId::PLATFORM).namespace(name));
            assert!(made.is_err(), "{name:?}");
        }
    }

    /// Everything but 64 characters is refused, wherever in the name it is.
    #[test]
    fn refuses_each_other_character() {
        let mut refused = 0;
        for character in ('\0'..='\u{ff}').chain(['\u{2028}', '\u{ff1a}']) {
            let allowed = matches!(character, 'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_');
            refused += usize::from(!allowed);
            for name in [
                format!("{character}"),
                format!("{character}b"),
                format!("a{character}b"),
                format!("a{character}"),
            ] {
                let made = std::panic::catch_unwind(|| Prefix::new(TenantId::PLATFORM).namespace(&name));
                assert_eq!(made.is_ok(), allowed, "{name:?}");
            }
        }
        assert_eq!(refused, 256 - 64 + 2);
    }
}
