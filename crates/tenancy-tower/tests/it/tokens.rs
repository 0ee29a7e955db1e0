//! Signed tokens: a request's token names its tenant, and outbound requests get one.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue, Request};
use tenancy::{TenantContext, TenantId};
use tenancy_token::{Claims, MAX_TEXT, MAX_TOKEN, TokenKey, UnixSeconds, Verifier, encode_text};
use tenancy_tower::{
    Policy, PropagateTenantLayer, Rejection, SnapshotDirectory, TenantLayer, TenantSource, holder_of_token,
};
use tower::{Layer, Service, ServiceExt};

use crate::support::{SUSPENDED, UNKNOWN, directory, echo, get_of, tenant, text};

const LIFETIME: Duration = Duration::from_secs(300);

pub(crate) fn key() -> TokenKey {
    TokenKey::hmac(b"2026-12", &[7; 32]).expect("a key")
}

pub(crate) fn verifier() -> Verifier<2> {
    Verifier::new("agents").key(key()).expect("room for a key")
}

fn now() -> UnixSeconds {
    UnixSeconds::now().expect("the time")
}

fn claims(tenant: TenantId) -> Claims<'static> {
    Claims::new(tenant, "agents", now().after(300))
}

fn minted(key: &TokenKey, claims: &Claims<'_>) -> String {
    let mut buffer = [0; MAX_TOKEN];
    let token = key.mint(claims, &mut buffer).expect("a token");
    encode_text(token, &mut [0; MAX_TEXT]).expect("its text").to_owned()
}

/// Returns the token of a tenant as text.
fn token_of(tenant: TenantId) -> String {
    minted(&key(), &claims(tenant))
}

pub(crate) fn holders() -> TenantLayer<SnapshotDirectory, impl Policy> {
    TenantLayer::builder()
        .directory(directory())
        .source(TenantSource::token(verifier()))
        .authorize(holder_of_token())
        .exempt("/healthz")
        .expose_rejections()
        .build()
}

/// Returns the current tenant of the handler, or why the request was rejected.
async fn answer<P: Policy>(
    layer: &TenantLayer<SnapshotDirectory, P>,
    fields: &[(&str, &str)],
) -> Result<String, Rejection> {
    let mut request = Request::get("/").body(Body::empty()).expect("a request");
    for (name, value) in fields {
        let name: HeaderName = name.parse().expect("a name");
        request.headers_mut().append(name, value.parse().expect("a value"));
    }
    let response = layer.layer(echo()).oneshot(request).await.expect("infallible");
    match response.extensions().get::<Rejection>() {
        Some(rejection) => {
            assert_eq!(response.status(), rejection.status());
            Err(*rejection)
        }
        None => Ok(text(response).await),
    }
}

#[tokio::test]
async fn token_names_and_authorizes_its_tenant() {
    let token = token_of(tenant(1));
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let seen = answer(&holders(), &[("authorization", &format!("{scheme} {token}"))]).await;
        assert_eq!(seen, Ok(tenant(1).to_string()));
    }
    assert!(!TenantContext::is_set());
}

#[tokio::test]
async fn token_must_agree_with_the_header() {
    let token = format!("Bearer {}", token_of(tenant(1)));
    let with = |header: &str| [("authorization", token.clone()), ("x-tenant-id", header.to_owned())];
    for (header, expected) in [
        (tenant(1).to_string(), Ok(tenant(1).to_string())),
        (tenant(2).to_string(), Err(Rejection::Conflict)),
        ("acme".to_owned(), Err(Rejection::Malformed)),
        (String::new(), Err(Rejection::Malformed)),
    ] {
        let fields = with(&header);
        let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
        assert_eq!(answer(&holders(), &fields).await, expected, "{header}");
    }
    let id = tenant(1).to_string();
    let fields = [("authorization", &*token), ("x-tenant-id", &*id), ("x-tenant-id", &*id)];
    assert_eq!(answer(&holders(), &fields).await, Err(Rejection::Duplicate));
}

#[tokio::test]
async fn header_alone_is_not_a_token() {
    let id = tenant(1).to_string();
    assert_eq!(answer(&holders(), &[("x-tenant-id", &id)]).await, Err(Rejection::Missing));
    assert_eq!(answer(&holders(), &[]).await, Err(Rejection::Missing));
    // Another scheme is a credential of another kind.
    let basic = [("authorization", "Basic YWxhZGRpbjpvcGVuc2VzYW1l"), ("x-tenant-id", &id)];
    assert_eq!(answer(&holders(), &basic).await, Err(Rejection::Missing));
    // Also if the header is a source, only a token is a permission.
    let layer = TenantLayer::builder()
        .directory(directory())
        .source(TenantSource::tenant_header())
        .source(TenantSource::token(verifier()))
        .authorize(holder_of_token())
        .expose_rejections()
        .build();
    assert_eq!(answer(&layer, &[("x-tenant-id", &id)]).await, Err(Rejection::Forbidden));
    let token = format!("Bearer {}", token_of(tenant(1)));
    assert_eq!(answer(&layer, &[("x-tenant-id", &id), ("authorization", &token)]).await, Ok(id));
}

#[tokio::test]
async fn policy_denies_access_without_a_token_source() {
    let layer = TenantLayer::builder()
        .directory(directory())
        .authorize(holder_of_token())
        .expose_rejections()
        .build();
    let token = format!("Bearer {}", token_of(tenant(1)));
    let id = tenant(1).to_string();
    let fields = [("x-tenant-id", &*id), ("authorization", &*token)];
    assert_eq!(answer(&layer, &fields).await, Err(Rejection::Forbidden));
}

#[tokio::test]
async fn rejects_tokens_that_are_not_valid() {
    let own = tenant(1);
    let good = token_of(own);
    let forged = minted(&TokenKey::hmac(b"2026-12", &[8; 32]).unwrap(), &claims(own));
    let unknown_key = minted(&TokenKey::hmac(b"2026-11", &[7; 32]).unwrap(), &claims(own));
    let expired = minted(&key(), &Claims::new(own, "agents", now()));
    let early = minted(&key(), &claims(own).not_before(now().after(100)));
    let elsewhere = minted(&key(), &Claims::new(own, "billing", now().after(300)));
    let sealed = minted(&key(), &claims(own).payload(b"a job"));
    let (short, long) = (&good[..good.len() - 4], format!("{good}AAAA"));
    let flipped = format!("{}A{}", &good[..40], &good[41..]);
    let (jwt, padded, twice) = ("eyJhbGciOiJub25lIn0.e30.", format!("{good}="), format!("{good} {good}"));
    let huge = "A".repeat(5000);
    for token in [
        &*forged,
        &unknown_key,
        &expired,
        &early,
        &elsewhere,
        &sealed,
        short,
        &long,
        &flipped,
        jwt,
        &padded,
        &twice,
        &huge,
        "",
        " ",
    ] {
        let field = format!("Bearer {token}");
        let found = answer(&holders(), &[("authorization", &field)]).await;
        // A value that ends with a space is cut by no parser here: it has the scheme, and a text that is no token.
        assert_eq!(found, Err(Rejection::InvalidToken), "{token}");
    }
    let field = format!("Bearer {good}");
    let twice = [("authorization", &*field), ("authorization", &*field)];
    assert_eq!(answer(&holders(), &twice).await, Err(Rejection::Duplicate));
}

#[tokio::test]
async fn holders_of_tokens_need_an_active_tenant() {
    for (number, expected) in [(SUSPENDED, Rejection::Suspended), (UNKNOWN, Rejection::Unknown)] {
        let token = format!("Bearer {}", token_of(tenant(number)));
        assert_eq!(answer(&holders(), &[("authorization", &token)]).await, Err(expected));
    }
}

#[tokio::test]
async fn rejection_asks_for_a_bearer_token() {
    let response = holders().layer(echo()).oneshot(with_bearer("x")).await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.headers()["www-authenticate"], r#"Bearer error="invalid_token""#);
    assert!(text(response).await.contains("urn:problem-type:tenancy:tenant-token-invalid"));
}

fn with_bearer(token: &str) -> Request<Body> {
    let value = format!("Bearer {token}");
    Request::get("/").header(AUTHORIZATION, value).body(Body::empty()).expect("a request")
}

#[tokio::test]
async fn named_header_leaves_authorization_to_the_application() {
    let layer = TenantLayer::builder()
        .directory(directory())
        .source(TenantSource::token_header(HeaderName::from_static("x-tenant-token"), verifier()))
        .authorize(holder_of_token())
        .expose_rejections()
        .build();
    let token = token_of(tenant(1));
    let fields = [("authorization", "Bearer eyJhbGciOiJub25lIn0.e30."), ("x-tenant-token", &*token)];
    assert_eq!(answer(&layer, &fields).await, Ok(tenant(1).to_string()));
    let fields = [("x-tenant-token", &*format!("Bearer {token}"))];
    assert_eq!(answer(&layer, &fields).await, Ok(tenant(1).to_string()));
    let fields = [("authorization", &*format!("Bearer {token}"))];
    assert_eq!(answer(&layer, &fields).await, Err(Rejection::Missing));
    assert_eq!(answer(&layer, &[("x-tenant-token", "")]).await, Err(Rejection::InvalidToken));
}

/// Returns the header fields of a request after the layer.
fn sent(layer: &PropagateTenantLayer, target: &str, fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut client = layer.layer(tower::service_fn(|request: Request<()>| {
        headers.clone_from(request.headers());
        std::future::ready(Ok::<_, Infallible>(()))
    }));
    let mut request = Request::get(target).body(()).unwrap();
    for (name, value) in fields {
        let name: HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, value.parse().unwrap());
    }
    _ = client.call(request);
    drop(client);
    headers
}

fn signing() -> PropagateTenantLayer {
    PropagateTenantLayer::to(["agents.internal"]).signed(key(), "agents", LIFETIME)
}

#[tokio::test]
async fn receiver_accepts_what_the_client_layer_signs() {
    let fields = TenantContext::scope(tenant(3), || sent(&signing(), "http://agents.internal/", &[]));
    let value = &fields[AUTHORIZATION];
    assert!(value.is_sensitive());
    assert_eq!(fields["x-tenant-id"], tenant(3).to_string());
    let mut request = get_of(tenant(3));
    *request.headers_mut() = fields;
    let response = holders().layer(echo()).oneshot(request).await.unwrap();
    assert_eq!(text(response).await, tenant(3).to_string());
}

#[test]
fn each_request_gets_a_token_of_its_own() {
    TenantContext::scope(tenant(3), || {
        let layer = signing();
        let value = |layer: &PropagateTenantLayer| {
            sent(layer, "http://agents.internal/", &[])[AUTHORIZATION].to_str().unwrap().to_owned()
        };
        let tokens = [value(&layer), value(&layer), value(&layer.clone()), value(&signing())];
        let different: std::collections::HashSet<_> = tokens.iter().collect();
        assert_eq!(different.len(), tokens.len());
    });
}

#[test]
fn other_hosts_get_no_token() {
    let token = format!("Bearer {}", token_of(tenant(1)));
    let metadata = [("authorization", &*token), ("tenant-token-bin", "AAAA"), ("x-tenant-id", "x")];
    TenantContext::scope(tenant(1), || {
        for target in ["http://evil.com/", "http://agents.internal.evil.com/", "/"] {
            assert!(sent(&signing(), target, &[]).is_empty(), "{target}");
            // A forwarded request has the token that it came with.
            assert!(sent(&signing(), target, &metadata).is_empty(), "{target}");
        }
    });
    // Without a tenant a listed host gets none either.
    assert!(sent(&signing(), "http://agents.internal/", &metadata).is_empty());
}

#[test]
fn credentials_of_another_kind_stay() {
    let basic = [("authorization", "Basic YWxhZGRpbjpvcGVuc2VzYW1l")];
    assert_eq!(sent(&signing(), "http://evil.com/", &basic)[AUTHORIZATION], basic[0].1);
    let header = HeaderName::from_static("x-tenant-token");
    let layer = PropagateTenantLayer::to(["agents.internal"]);
    let layer = layer.signed_in(header, key(), "agents", LIFETIME);
    TenantContext::scope(tenant(1), || {
        // A listed host gets the token instead.
        let fields = sent(&signing(), "http://agents.internal/", &basic);
        assert_eq!(fields.get_all(AUTHORIZATION).iter().count(), 1);
        assert!(fields[AUTHORIZATION].to_str().unwrap().starts_with("Bearer "));
        // In a header of its own it replaces nothing.
        let fields = sent(&layer, "http://agents.internal/", &basic);
        assert_eq!(fields[AUTHORIZATION], basic[0].1);
        assert!(fields.get("x-tenant-token").is_some_and(HeaderValue::is_sensitive));
    });
}

#[test]
fn rejects_keys_and_lifetimes_that_cannot_sign() {
    for (audience, lifetime) in
        [("", LIFETIME), ("agents", Duration::from_millis(999)), (&"a".repeat(512), LIFETIME)]
    {
        let signed = || PropagateTenantLayer::to_connected().signed(key(), audience, lifetime);
        assert!(std::panic::catch_unwind(signed).is_err());
    }
}
