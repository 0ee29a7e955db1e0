//! Signed tenants: `Authorization: Bearer` with a token for the audience `device`.
//!
//! The key is 64 hexadecimal digits in the environment variable `TENANCY_TOKEN_KEY` of the build. A real device has a key
//! of its own in protected memory, or a public key of the feature `ed25519`.

use httparse::Header;
use tenancy::TenantId;
use tenancy_token::{MAX_TOKEN, TimeFloor, TokenError, TokenKey, UnixSeconds, Verifier, decode_text};

use crate::clock;
use crate::rejection::Rejection;

const AUDIENCE: &str = "device";
const KEY_ID: &[u8] = b"device";

/// `None` if the build has no key: all tokens are rejected.
const KEY: Option<[u8; 32]> = match option_env!("TENANCY_TOKEN_KEY") {
    Some(text) => Some(parse_key(text)),
    None => None,
};

/// Returns the tenant of the request's token, or `None` if it has no token.
pub(crate) fn tenant_of(fields: &[Header<'_>], floor: &mut TimeFloor) -> Result<Option<TenantId>, Rejection> {
    let mut values = fields.iter().filter(|field| field.name.eq_ignore_ascii_case("authorization"));
    let Some(field) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Rejection::INVALID_TOKEN);
    }
    let Some(text) = bearer(field.value) else { return Ok(None) };
    // Without a known time, no token can be verified.
    let now = clock::unix_time().ok_or(Rejection::UNKNOWN_TIME)?;
    match verify(text, floor, now) {
        Ok(tenant) => Ok(Some(tenant)),
        Err(error) => {
            defmt::info!("token rejected: {}", defmt::Display2Format(&error));
            Err(Rejection::INVALID_TOKEN)
        }
    }
}

/// Returns the text after the scheme `Bearer`, if the value has this scheme.
fn bearer(value: &[u8]) -> Option<&str> {
    let (scheme, text) = value.split_at_checked(7)?;
    // Other bytes than ASCII are in no token: the empty text is rejected.
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| core::str::from_utf8(text).unwrap_or_default())
}

/// Verifies a token. The time does not go below the newest verified time of issue.
#[inline(never)]
fn verify(text: &str, floor: &mut TimeFloor, now: UnixSeconds) -> Result<TenantId, TokenError> {
    let mut buffer = [0; MAX_TOKEN];
    let mut verifier = Verifier::<1>::new(AUDIENCE);
    if let Some(key) = KEY {
        verifier = verifier.key(TokenKey::hmac(KEY_ID, &key)?)?;
    }
    let verified = verifier.verify(decode_text(text, &mut buffer)?, floor.now(now))?;
    floor.observe(&verified);
    Ok(verified.tenant())
}

/// Reads 64 hexadecimal digits. Another text is a compile error.
const fn parse_key(text: &str) -> [u8; 32] {
    let digits = text.as_bytes();
    assert!(digits.len() == 64, "TENANCY_TOKEN_KEY needs 64 hexadecimal digits");
    let mut key = [0; 32];
    let mut at = 0;
    while at < 32 {
        key[at] = digit(digits[2 * at]) << 4 | digit(digits[2 * at + 1]);
        at += 1;
    }
    key
}

const fn digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => panic!("TENANCY_TOKEN_KEY has lower-case hexadecimal digits"),
    }
}
