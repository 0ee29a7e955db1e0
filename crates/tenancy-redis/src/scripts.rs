//! Scripts that the program vouches for.

use redis::Script;

/// Scripts that may run in each tenant: the program vouches that they use no key but those in `KEYS`.
///
/// The keys that a script is called with get the tenant's prefix, and `ARGV` stays as it is. What a script names
/// by itself is not looked at: a Redis user of the tenant's own is what stops a script that lies.
///
/// Scripts are known by their text and by its SHA-1, so a [`redis::Script`] works as it is: `EVALSHA`, and where
/// the server doesn't know it, `SCRIPT LOAD` and `EVALSHA` again.
///
/// ```no_run
/// use std::sync::LazyLock;
/// use redis::Script;
/// use tenancy_redis::{TenantRedis, TrustedScripts};
///
/// const ADD: &str = "return redis.call('INCRBY', KEYS[1], ARGV[1])";
/// static SCRIPTS: LazyLock<TrustedScripts> = LazyLock::new(|| TrustedScripts::new([ADD]));
///
/// # fn example(connection: redis::Connection, tenant: tenancy::TenantId) -> redis::RedisResult<()> {
/// let mut redis = TenantRedis::new(connection, tenant).scripts(&SCRIPTS);
/// let sum: u64 = Script::new(ADD).key("visits").arg(2).invoke(&mut redis)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TrustedScripts {
    scripts: Vec<Trusted>,
}

#[derive(Debug)]
struct Trusted {
    code: Box<str>,
    /// Forty digits, in lower case.
    hash: String,
}

impl Trusted {
    fn new(code: &str) -> Self {
        Self { code: code.into(), hash: Script::new(code).get_hash().to_owned() }
    }
}

impl TrustedScripts {
    /// The scripts, by their text.
    pub fn new(scripts: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        Self { scripts: scripts.into_iter().map(|code| Trusted::new(code.as_ref())).collect() }
    }

    pub(crate) fn has_code(&self, code: &[u8]) -> bool {
        self.scripts.iter().any(|script| script.code.as_bytes() == code)
    }

    /// In any case, as the server takes it.
    pub(crate) fn has_hash(&self, hash: &[u8]) -> bool {
        self.scripts.iter().any(|script| script.hash.as_bytes().eq_ignore_ascii_case(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_known_by_its_text_and_its_hash() {
        let scripts = TrustedScripts::new(["return 1"]);
        // As `SCRIPT LOAD` answers.
        let hash = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
        assert!(scripts.has_code(b"return 1") && scripts.has_hash(hash.as_bytes()));
        assert!(scripts.has_hash(hash.to_uppercase().as_bytes()));
        assert!(!scripts.has_code(b"return 1 ") && !scripts.has_hash(&hash.as_bytes()[1..]));
        assert!(!scripts.has_hash(b"") && !scripts.has_code(b""));
    }
}
