//! The signatures and tokens by which a transaction enters a tenant.

use std::error::Error as StdError;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use tenancy::TenantId;

/// The prefix of the signed message of context v1, so that no other use of the key creates a valid signature.
const DOMAIN: &[u8] = b"tenancy.enter.v1";

/// The messages of the HMACs that form the two halves of a token's pad.
const TOKEN_DOMAINS: [&[u8]; 2] = [b"tenancy.entering.v2.a", b"tenancy.entering.v2.b"];

/// The length of a token in bytes: tenant, key id, expiry and MAC.
pub(crate) const TOKEN_LEN: usize = 16 + 4 + 8 + 32;

/// A key that proves to the database which tenant a transaction is in.
///
/// The service and the schema `tenancy` store the key, and the service's database role cannot read it there. So SQL
/// that runs in one tenant cannot create a signature for another one. An attacker that executes code in the service's
/// process has the key; it does not protect against that.
///
/// ```
/// use tenancy_postgres::SigningKey;
///
/// let key = SigningKey::new(1, b"an example of a secret, 32 bytes")?;
/// assert_eq!(format!("{key:?}"), "SigningKey { id: 1, .. }");
/// # Ok::<(), tenancy_postgres::ShortSecretError>(())
/// ```
#[derive(Clone)]
pub struct SigningKey {
    id: i32,
    /// The secret as HMAC uses it: hashed if it is longer than a block, then padded with zeros.
    block: [u8; Self::BLOCK],
    mac: Hmac<Sha256>,
    /// The state of SHA-256 after the pad of tokens, which is one block.
    token: Sha256,
}

impl SigningKey {
    /// The default time for which a signature is valid.
    pub(crate) const LIFETIME: Duration = Duration::from_secs(30);

    /// The minimum length of a secret, in bytes.
    pub const MIN_SECRET: usize = 32;

    /// The block size of SHA-256, in bytes.
    const BLOCK: usize = 64;

    /// Creates a key from its id in the database and a random secret.
    ///
    /// To rotate keys, add a new secret under a new id. Both keys are valid until the old one is
    /// [retired](crate::retire_key).
    ///
    /// # Errors
    ///
    /// [`ShortSecretError`] if the secret has fewer than [`MIN_SECRET`](Self::MIN_SECRET) bytes.
    pub fn new(id: i32, secret: &[u8]) -> Result<Self, ShortSecretError> {
        if secret.len() < Self::MIN_SECRET {
            return Err(ShortSecretError(()));
        }
        let mut block = [0; Self::BLOCK];
        if secret.len() > Self::BLOCK {
            block[..32].copy_from_slice(&Sha256::digest(secret));
        } else {
            block[..secret.len()].copy_from_slice(secret);
        }
        let mac: Hmac<Sha256> = Hmac::new(&block.into());
        let half = |label: &[u8]| mac.clone().chain_update(label).finalize().into_bytes();
        let token = Sha256::new().chain_update(half(TOKEN_DOMAINS[0])).chain_update(half(TOKEN_DOMAINS[1]));
        Ok(Self { id, block, mac, token })
    }

    /// Parses a key of the form `ID:HEX`: its id, and its secret in hexadecimal digits.
    ///
    /// `tenancy-pg key generate` writes this form.
    ///
    /// ```
    /// use tenancy_postgres::SigningKey;
    ///
    /// let key = SigningKey::parse("1:8f0c2d5b7a9e1436c58b0d2f4a6e8c1379b5d3f1e0a2c4b6d8fa1c3e5079bd2f")?;
    /// assert_eq!(key.id(), 1);
    /// # Ok::<(), tenancy_postgres::ParseKeyError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ParseKeyError`] if the text has another form, or the secret has fewer than
    /// [`MIN_SECRET`](Self::MIN_SECRET) bytes. The error does not contain the text.
    pub fn parse(text: &str) -> Result<Self, ParseKeyError> {
        let (id, digits) = text.split_once(':').ok_or(ParseKeyError(()))?;
        // `i32::from_str` accepts a plus sign, which is not part of the form.
        if id.starts_with('+') {
            return Err(ParseKeyError(()));
        }
        let id = id.parse().map_err(|_| ParseKeyError(()))?;
        let secret = from_hex(digits).ok_or(ParseKeyError(()))?;
        Self::new(id, &secret).map_err(|_| ParseKeyError(()))
    }

    /// Returns the key's id in the database.
    pub fn id(&self) -> i32 {
        self.id
    }

    /// Returns the signature that `tenancy.enter` of context v1 accepts until `expires`, a Unix time in seconds.
    pub(crate) fn sign(&self, tenant: TenantId, expires: i64) -> [u8; 32] {
        let mac = self.mac.clone().chain_update(DOMAIN).chain_update(tenant.as_bytes());
        let mac = mac.chain_update(self.id.to_be_bytes()).chain_update(expires.to_be_bytes());
        mac.finalize().into_bytes().into()
    }

    /// Returns the token that the domain `tenancy.entering` accepts until `expires`.
    pub(crate) fn token(&self, tenant: TenantId, expires: SystemTime) -> [u8; TOKEN_LEN] {
        let mut token = [0; TOKEN_LEN];
        token[..16].copy_from_slice(tenant.as_bytes());
        token[16..20].copy_from_slice(&self.id.to_be_bytes());
        token[20..28].copy_from_slice(&postgres_micros(expires).to_be_bytes());
        let mac = self.token.clone().chain_update(&token[..28]).finalize();
        token[28..].copy_from_slice(&mac);
        token
    }

    /// Returns the Unix time in seconds at which a signature that is created now with this lifetime expires.
    pub(crate) fn expiry(lifetime: Duration) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from((now + lifetime).as_secs()).unwrap_or(i64::MAX)
    }

    /// Returns an equivalent secret for the database, of one block.
    pub(crate) fn secret(&self) -> &[u8] {
        &self.block
    }
}

/// Converts a time to the microseconds since 2000-01-01 UTC of Postgres's `timestamptz`. A time before 2000 becomes 0.
fn postgres_micros(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH + Duration::from_secs(946_684_800)).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let byte = |&[high, low]: &[u8; 2]| u8::try_from(digit(high)? * 16 + digit(low)?).ok();
    pairs.iter().map(byte).collect()
}

/// Parses as [`SigningKey::parse`].
impl FromStr for SigningKey {
    type Err = ParseKeyError;

    fn from_str(text: &str) -> Result<Self, ParseKeyError> {
        Self::parse(text)
    }
}

/// Shows the id without the secret.
impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// The error for a secret of fewer than [`SigningKey::MIN_SECRET`] bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShortSecretError(());

impl fmt::Display for ShortSecretError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret is shorter than {} bytes", SigningKey::MIN_SECRET)
    }
}

impl StdError for ShortSecretError {}

/// The error for a text that is not a key. It does not contain the text, which may contain a secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ParseKeyError(());

impl fmt::Display for ParseKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let min = SigningKey::MIN_SECRET;
        write!(f, "invalid key: expected ID:HEX, an id and {min} or more pairs of hexadecimal digits")
    }
}

impl StdError for ParseKeyError {}

#[cfg(test)]
mod tests {
    use super::*;
    use tenancy::tenant_id;

    const ACME: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
    const SECRET: &[u8; 32] = b"an example of a secret, 32 bytes";
    const EXPIRES: i64 = 1_700_000_000;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
    }

    #[test]
    fn signatures_match_those_of_other_programs() {
        let key = SigningKey::new(7, SECRET).expect("a key");
        // Computed with Python's hmac and hashlib.
        assert_eq!(
            hex(&key.sign(ACME, EXPIRES)),
            "1dc221d58335f744a7576ccf5d750b32aedbf8a27332d0d2978213f95c555a61"
        );
        let long = SigningKey::new(7, &SECRET.repeat(3)).expect("a key");
        assert_eq!(
            hex(&long.sign(ACME, EXPIRES)),
            "5038f5ab8f4df60a4a816536d8c4576332d4fd66a5365ab4463561edcafa37cc"
        );
    }

    #[test]
    fn tokens_match_those_of_other_programs() {
        let key = SigningKey::new(7, SECRET).expect("a key");
        let expires = UNIX_EPOCH + Duration::from_micros(1_700_000_000_123_456);
        // Computed with Python's hmac and hashlib.
        assert_eq!(
            hex(&key.token(ACME, expires)),
            "550e8400e29b41d4a716446655440000000000070002ad22dce84240f8a65e442777f03d9c60a8bfbdda571c56de6dd41212c3e6c6be2b08a35b715a"
        );
        let long = SigningKey::new(-7, &SECRET.repeat(3)).expect("a key");
        assert_eq!(
            hex(&long.token(ACME, expires)),
            "550e8400e29b41d4a716446655440000fffffff90002ad22dce8424094013f7e1fe0b3ceedc2826bdcb166e03a5d6fa60489685b2a1f2a008c5a30fe"
        );
    }

    #[test]
    fn token_expiry_is_clamped_to_timestamps_from_2000() {
        let key = SigningKey::new(7, SECRET).expect("a key");
        for (time, micros) in [
            (UNIX_EPOCH, 0),
            (UNIX_EPOCH + Duration::from_secs(946_684_799), 0),
            (UNIX_EPOCH + Duration::from_secs(946_684_801), 1_000_000),
        ] {
            assert_eq!(key.token(ACME, time)[20..28], i64::to_be_bytes(micros), "{time:?}");
        }
    }

    #[test]
    fn secret_for_the_database_creates_the_same_signatures() {
        for length in [32, 63, 64, 65, 200] {
            let key = SigningKey::new(7, &vec![b'x'; length]).expect("a key");
            let again = SigningKey::new(7, key.secret()).expect("a key");
            assert_eq!(key.sign(ACME, EXPIRES), again.sign(ACME, EXPIRES), "{length}");
        }
    }

    #[test]
    fn signature_depends_on_tenant_expiry_id_and_secret() {
        let key = SigningKey::new(7, SECRET).expect("a key");
        let mut other = *SECRET;
        other[31] ^= 1;
        let signatures = [
            key.sign(ACME, EXPIRES),
            key.sign(TenantId::PLATFORM, EXPIRES),
            key.sign(ACME, EXPIRES + 1),
            SigningKey::new(8, SECRET).expect("a key").sign(ACME, EXPIRES),
            SigningKey::new(7, &other).expect("a key").sign(ACME, EXPIRES),
        ];
        for (at, signature) in signatures.iter().enumerate() {
            assert!(!signatures[..at].contains(signature), "{at}");
        }
    }

    #[test]
    fn rejects_a_short_secret() {
        let error = SigningKey::new(7, &SECRET[1..]).expect_err("31 bytes");
        assert_eq!(error.to_string(), "secret is shorter than 32 bytes");
    }

    #[test]
    fn parses_the_written_form() {
        for length in [32, 33, 64, 100] {
            let secret: Vec<u8> = (0x70..).take(length).collect();
            for digits in [hex(&secret), hex(&secret).to_uppercase()] {
                let read: SigningKey = format!("-7:{digits}").parse().expect("a key");
                let key = SigningKey::new(-7, &secret).expect("a key");
                assert_eq!(read.id(), -7);
                assert_eq!(read.sign(ACME, EXPIRES), key.sign(ACME, EXPIRES), "{length}");
            }
        }
    }

    #[test]
    fn error_does_not_repeat_an_invalid_key() {
        let digits = hex(SECRET);
        let (short, odd) = (&digits[2..], &digits[1..]);
        for text in [
            String::new(),
            ":".to_owned(),
            digits.clone(),
            format!(":{digits}"),
            format!("7:{short}"),
            format!("7:{digits}{odd}"),
            format!("7: {digits}"),
            format!(" 7:{digits}"),
            format!("7:{digits}\n"),
            format!("+7:{digits}"),
            format!("2147483648:{digits}"),
            format!("7:{short}g0"),
            format!("7:{short}+0"),
            format!("7:{short}\u{e9}"),
            format!("7:7:{digits}"),
        ] {
            let error = SigningKey::parse(&text).expect_err(&text);
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains(&digits[2..10]), "{shown}");
        }
    }

    #[test]
    fn debug_shows_no_secret() {
        let shown = format!("{:?}", SigningKey::new(7, SECRET).expect("a key"));
        assert_eq!(shown, "SigningKey { id: 7, .. }");
    }
}
