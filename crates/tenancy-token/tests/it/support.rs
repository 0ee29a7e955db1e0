//! An independent writer of tokens, which can also write wrong ones.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use tenancy::{TenantId, tenant_id};
use tenancy_token::{
    Claims, MAX_TOKEN, TokenError, TokenErrorKind, TokenKey, UnixSeconds, Verified, Verifier,
};

pub(crate) const TENANT: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
pub(crate) const OTHER: TenantId = tenant_id!("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
pub(crate) const NOW: UnixSeconds = UnixSeconds(1_796_083_200);
pub(crate) const KID: &[u8] = b"2026-12";
pub(crate) const SECRET: [u8; 32] = [7; 32];

pub(crate) fn key() -> TokenKey {
    TokenKey::hmac(KID, &SECRET).expect("a key")
}

pub(crate) fn verifier() -> Verifier<2> {
    Verifier::new("jobs").key(key()).expect("room for a key")
}

/// Claims that are valid for 300 seconds.
pub(crate) fn claims() -> Claims<'static> {
    Claims::new(TENANT, "jobs", NOW.after(300))
}

pub(crate) fn mint(key: &TokenKey, claims: &Claims<'_>) -> Vec<u8> {
    key.mint(claims, &mut [0; MAX_TOKEN]).expect("a token").to_vec()
}

pub(crate) fn kind<T>(result: Result<T, TokenError>) -> TokenErrorKind {
    result.err().expect("an error").kind()
}

/// The kind of the error of a token at `NOW`, or `None` if it is accepted.
pub(crate) fn verdict(token: &[u8]) -> Option<TokenErrorKind> {
    verifier().verify(token, NOW).err().map(|error| error.kind())
}

/// A data item's head, in its shortest form.
pub(crate) fn head(kind: u8, argument: u64) -> Vec<u8> {
    let bytes = argument.to_be_bytes();
    let (short, size) = match argument {
        0..24 => (bytes[7], 0),
        24..0x100 => (24, 1),
        0x100..0x1_0000 => (25, 2),
        0x1_0000..0x1_0000_0000 => (26, 4),
        _ => (27, 8),
    };
    [&[kind << 5 | short], &bytes[8 - size..]].concat()
}

pub(crate) fn unsigned(value: u64) -> Vec<u8> {
    head(0, value)
}

/// The integer `-1 - argument`.
pub(crate) fn negative(argument: u64) -> Vec<u8> {
    head(1, argument)
}

pub(crate) fn bytes(content: &[u8]) -> Vec<u8> {
    [head(2, content.len() as u64), content.to_vec()].concat()
}

pub(crate) fn text(content: &str) -> Vec<u8> {
    [head(3, content.len() as u64), content.as_bytes().to_vec()].concat()
}

pub(crate) fn map(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let content: Vec<_> =
        entries.iter().flat_map(|(key, value)| [key.clone(), value.clone()].concat()).collect();
    [head(5, entries.len() as u64), content].concat()
}

/// The required claims, as encoded labels and values.
pub(crate) fn required() -> Vec<(Vec<u8>, Vec<u8>)> {
    vec![
        (unsigned(3), text("jobs")),
        (unsigned(4), unsigned(NOW.0 + 300)),
        (negative(70_000), bytes(TENANT.as_bytes())),
    ]
}

pub(crate) fn protected() -> Vec<u8> {
    map(&[(unsigned(1), unsigned(5)), (unsigned(4), bytes(KID))])
}

/// Returns the code of a message, by the secret of `key`.
pub(crate) fn code(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let covered = [b"\x84\x64MAC0", &bytes(protected)[..], b"\x40", &bytes(payload)].concat();
    Hmac::<Sha256>::new_from_slice(&SECRET)
        .expect("any length")
        .chain_update(covered)
        .finalize()
        .into_bytes()
        .to_vec()
}

/// Returns a message with these headers and claims, and the right code.
pub(crate) fn message(protected: &[u8], unprotected: &[u8], claims: &[u8]) -> Vec<u8> {
    let code = code(protected, claims);
    [b"\xd1\x84", &bytes(protected)[..], unprotected, &bytes(claims), &bytes(&code)].concat()
}

/// Returns a message with these claims, and right headers and code.
pub(crate) fn with_claims(claims: &[u8]) -> Vec<u8> {
    message(&protected(), &map(&[]), claims)
}

pub(crate) fn expect(result: Result<Verified<'_>, TokenError>) -> Verified<'_> {
    result.expect("the token is accepted")
}
