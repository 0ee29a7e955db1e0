//! Keys, tokens and messages.

use std::time::Duration;

use async_nats::HeaderMap;
use bytes::Bytes;
use tenancy::{TenantId, tenant_id};
use tenancy_nats::{TOKEN_HEADER, TenantPublisher};
use tenancy_token::{
    Claims, Issuer, MAX_TEXT, MAX_TOKEN, TokenErrorKind, TokenKey, UnixSeconds, Verifier, encode_text,
};

pub(crate) const A: TenantId = tenant_id!("0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a");
pub(crate) const B: TenantId = tenant_id!("0b0b0b0b-0b0b-0b0b-0b0b-0b0b0b0b0b0b");
pub(crate) const LIFETIME: Duration = Duration::from_secs(300);

pub(crate) fn key() -> TokenKey {
    TokenKey::hmac(b"2026-12", &[7; 32]).expect("a key")
}

pub(crate) fn verifier() -> Verifier<1> {
    Verifier::new("jobs").key(key()).expect("room for a key")
}

pub(crate) fn publisher() -> TenantPublisher {
    TenantPublisher::new(Issuer::new(key(), "jobs", LIFETIME).expect("an issuer"))
}

/// Returns the tenant of a number.
pub(crate) fn tenant(number: usize) -> TenantId {
    let mut bytes = [0xa5; 16];
    bytes[8..].copy_from_slice(&(number as u64).to_be_bytes());
    TenantId::from_bytes(bytes).expect("neither nil nor max")
}

pub(crate) fn claims(tenant: TenantId) -> Claims<'static> {
    Claims::new(tenant, "jobs", UnixSeconds::now().expect("the time").after(300)).id(b"12345678")
}

pub(crate) fn mint(key: &TokenKey, claims: &Claims<'_>) -> String {
    let mut buffer = [0; MAX_TOKEN];
    let token = key.mint(claims, &mut buffer).expect("a token");
    encode_text(token, &mut [0; MAX_TEXT]).expect("its text").to_owned()
}

pub(crate) fn with_tokens(tokens: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for token in tokens {
        headers.append(TOKEN_HEADER, *token);
    }
    headers
}

/// Messages that must not run, and why.
pub(crate) fn hostile() -> Vec<(HeaderMap, Bytes, TokenErrorKind)> {
    let sealed = claims(A).payload(b"a job");
    let good = mint(&key(), &sealed);
    let forged = mint(&TokenKey::hmac(b"2026-12", &[8; 32]).expect("a key"), &sealed);
    let elsewhere = Claims::new(A, "mail", UnixSeconds(u64::MAX)).id(b"12345678").payload(b"a job");
    let past = Claims::new(A, "jobs", UnixSeconds(1)).id(b"12345678").payload(b"a job");
    let nameless = Claims::new(A, "jobs", UnixSeconds(u64::MAX)).payload(b"a job");
    let plain = {
        let mut headers = HeaderMap::new();
        headers.insert("X-Tenant-ID", A.to_string());
        headers
    };
    let job = || Bytes::from_static(b"a job");
    vec![
        (HeaderMap::new(), job(), TokenErrorKind::Malformed),
        (plain, job(), TokenErrorKind::Malformed),
        (with_tokens(&["not a token"]), job(), TokenErrorKind::Malformed),
        (with_tokens(&[&good, &good]), job(), TokenErrorKind::Malformed),
        (with_tokens(&[&forged]), job(), TokenErrorKind::Signature),
        (with_tokens(&[&good]), Bytes::from_static(b"another job"), TokenErrorKind::Payload),
        (with_tokens(&[&mint(&key(), &claims(A))]), job(), TokenErrorKind::Payload),
        (with_tokens(&[&mint(&key(), &elsewhere)]), job(), TokenErrorKind::Audience),
        (with_tokens(&[&mint(&key(), &past)]), job(), TokenErrorKind::Expired),
        (with_tokens(&[&mint(&key(), &nameless)]), job(), TokenErrorKind::Replayed),
    ]
}
