//! The sources that name a request's tenant, and their agreement.

use axum::body::Body;
use http::{HeaderName, Request};
use tenancy::TenantId;
use tenancy_tower::{Rejection, TenantLayer, TenantSource, claim_equals};
use tower::{Layer, ServiceExt};

use crate::support::{directory, echo, tenant, text};

/// Returns the body of the response: the tenant, or the rejection.
async fn outcome(sources: Vec<TenantSource>, request: Request<Body>) -> String {
    let builder = TenantLayer::builder().directory(directory()).trust_header();
    let layer = sources.into_iter().fold(builder, tenancy_tower::TenantLayerBuilder::source).build();
    text(layer.layer(echo()).oneshot(request).await.unwrap()).await
}

fn is_rejected(answer: &str, rejection: Rejection) -> bool {
    answer == rejection.problem()
}

#[tokio::test]
async fn reads_a_header_of_another_name() {
    let source = || vec![TenantSource::header(HeaderName::from_static("x-org"))];
    let request =
        |name: &str| Request::get("/").header(name, tenant(1).to_string()).body(Body::empty()).unwrap();
    assert_eq!(outcome(source(), request("X-Org")).await, tenant(1).to_string());
    assert!(is_rejected(&outcome(source(), request("X-Tenant-ID")).await, Rejection::Missing));
}

#[tokio::test]
async fn reads_a_segment_of_the_path() {
    let source = || vec![TenantSource::path("/v1/tenants/{tenant}")];
    let request = |path: String| Request::get(path).body(Body::empty()).unwrap();
    let id = tenant(1).to_string();
    assert_eq!(outcome(source(), request(format!("/v1/tenants/{id}/agents"))).await, id);
    for (path, rejection) in [
        ("/v1/tenants/acme".to_owned(), Rejection::Malformed),
        ("/v1/tenants/".to_owned(), Rejection::Malformed),
        ("/v1/agents".to_owned(), Rejection::Missing),
        (format!("/v1/tenants/%7B{id}%7D"), Rejection::Malformed),
        (format!("/v1//tenants/{id}"), Rejection::Missing),
    ] {
        assert!(is_rejected(&outcome(source(), request(path.clone())).await, rejection), "{path}");
    }
}

fn at_host(host: &str) -> Request<Body> {
    Request::get("/").header("host", host).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn reads_an_id_from_the_subdomain() {
    let source = || vec![TenantSource::subdomain("Example.com")];
    let id = tenant(1).to_string();
    for host in [format!("{id}.example.com"), format!("{id}.EXAMPLE.com:8443"), format!("{id}.example.com.")]
    {
        assert_eq!(outcome(source(), at_host(&host)).await, id, "{host}");
    }
    // HTTP/2 has the host in the target.
    let target = format!("http://{id}.example.com/");
    assert_eq!(outcome(source(), Request::get(&target).body(Body::empty()).unwrap()).await, id);
    for (host, rejection) in [
        ("example.com".to_owned(), Rejection::Missing),
        ("example.com:80".to_owned(), Rejection::Missing),
        (format!("{id}.evil.com"), Rejection::Missing),
        (format!("{id}.example.com.evil.com"), Rejection::Missing),
        (format!("{id}.exbmple.com"), Rejection::Missing),
        (format!("{id}.notexample.com"), Rejection::Missing),
        (format!("{id}example.com"), Rejection::Missing),
        (format!("a.{id}.example.com"), Rejection::Malformed),
        (format!("{id}..example.com"), Rejection::Malformed),
        (".example.com".to_owned(), Rejection::Malformed),
        ("acme.example.com".to_owned(), Rejection::Malformed),
        ("[::1]:80".to_owned(), Rejection::Missing),
        (String::new(), Rejection::Missing),
    ] {
        assert!(is_rejected(&outcome(source(), at_host(&host)).await, rejection), "{host}");
    }
}

#[tokio::test]
async fn rejects_duplicate_and_conflicting_hosts() {
    let source = || vec![TenantSource::subdomain("example.com")];
    let (one, other) = (format!("{}.example.com", tenant(1)), format!("{}.example.com", tenant(2)));
    let request = Request::get("/").header("host", &one).header("host", &other).body(Body::empty()).unwrap();
    assert!(is_rejected(&outcome(source(), request).await, Rejection::Duplicate));
    let request = Request::get(format!("http://{one}/")).header("host", &other).body(Body::empty()).unwrap();
    assert!(is_rejected(&outcome(source(), request).await, Rejection::Conflict));
    let request = Request::get(format!("http://{one}/")).header("host", &one).body(Body::empty()).unwrap();
    assert_eq!(outcome(source(), request).await, tenant(1).to_string());
}

fn tenant_of(slug: &str) -> Option<TenantId> {
    (slug == "acme").then(|| tenant(1))
}

#[tokio::test]
async fn reads_a_slug_from_the_subdomain() {
    let source = || vec![TenantSource::slug_subdomain("example.com", tenant_of)];
    assert_eq!(outcome(source(), at_host("Acme.example.com")).await, tenant(1).to_string());
    assert!(is_rejected(&outcome(source(), at_host("globex.example.com")).await, Rejection::Unknown));
    assert!(is_rejected(&outcome(source(), at_host("example.com")).await, Rejection::Missing));
}

#[tokio::test]
async fn reads_a_slug_from_a_header() {
    let header = || http::HeaderName::from_static("x-tenant");
    let source = || vec![TenantSource::slug_header(header(), tenant_of)];
    let named = |names: &[&str]| {
        let request = names.iter().fold(Request::get("/"), |request, name| request.header("X-Tenant", *name));
        request.body(Body::empty()).unwrap()
    };
    for name in ["acme", "Acme", "ACME"] {
        assert_eq!(outcome(source(), named(&[name])).await, tenant(1).to_string(), "{name}");
    }
    let long = "a".repeat(64);
    for (names, rejection) in [
        (&[][..], Rejection::Missing),
        (&["globex"], Rejection::Unknown),
        (&["acme", "acme"], Rejection::Duplicate),
        (&[""], Rejection::Malformed),
        (&["-acme"], Rejection::Malformed),
        (&["acme corp"], Rejection::Malformed),
        (&["acm\u{e9}"], Rejection::Malformed),
        (&[long.as_str()], Rejection::Malformed),
    ] {
        assert!(is_rejected(&outcome(source(), named(names)).await, rejection), "{names:?}");
    }
    // A slug and an id must agree.
    let both = || vec![TenantSource::slug_header(header(), tenant_of), TenantSource::tenant_header()];
    for (number, is_served) in [(1, true), (2, false)] {
        let mut request = named(&["acme"]);
        request.headers_mut().insert("x-tenant-id", tenant(number).to_string().parse().unwrap());
        let outcome = outcome(both(), request).await;
        assert_eq!(outcome == tenant(1).to_string(), is_served);
        assert_eq!(is_rejected(&outcome, Rejection::Conflict), !is_served);
    }
}

#[tokio::test]
async fn unknown_slug_is_rejected_like_a_foreign_tenant() {
    let layer = TenantLayer::builder()
        .directory(directory())
        .authorize(claim_equals(|tenant: &TenantId| Some(*tenant)))
        .source(TenantSource::slug_subdomain("example.com", tenant_of))
        .source(TenantSource::tenant_header())
        .build();
    let answer = |host: &'static str, header: bool| {
        let layer = layer.clone();
        async move {
            let mut request = at_host(host);
            request.extensions_mut().insert(tenant(2));
            if header {
                request.headers_mut().insert("x-tenant-id", tenant(2).to_string().parse().unwrap());
            }
            text(layer.layer(echo()).oneshot(request).await.unwrap()).await
        }
    };
    assert!(is_rejected(&answer("acme.example.com", false).await, Rejection::Forbidden));
    assert!(is_rejected(&answer("globex.example.com", false).await, Rejection::Forbidden));
    assert!(is_rejected(&answer("acme.example.com", true).await, Rejection::Conflict));
    assert!(is_rejected(&answer("globex.example.com", true).await, Rejection::Conflict));
    assert_eq!(answer("example.com", true).await, tenant(2).to_string());
}

/// The reported error must not depend on whether a slug exists.
#[tokio::test]
async fn rejection_does_not_reveal_whether_a_slug_exists() {
    let layer = TenantLayer::builder()
        .directory(directory())
        .authorize(|_: &tenancy_tower::RequestHead<'_>, _: TenantId| {
            tenancy_tower::Access::later(async { Err("down") })
        })
        .source(TenantSource::slug_subdomain("example.com", tenant_of))
        .source(TenantSource::tenant_header())
        .source(TenantSource::path("/t/{tenant}"))
        .build();
    let own = tenant(2).to_string();
    for (header, path, rejection) in [
        (Some(own.as_str()), "/t/x", Rejection::Malformed),
        (Some(own.as_str()), "/", Rejection::Conflict),
        (Some("x"), "/", Rejection::Malformed),
        (None, "/", Rejection::Unavailable),
    ] {
        for host in ["acme.example.com", "globex.example.com"] {
            let mut request = at_host(host);
            *request.uri_mut() = path.parse().unwrap();
            if let Some(header) = header {
                request.headers_mut().insert("x-tenant-id", header.parse().unwrap());
            }
            let answer = text(layer.layer(echo()).oneshot(request).await.unwrap()).await;
            assert!(is_rejected(&answer, rejection), "{host} {header:?} {path}: {answer}");
        }
    }
}

#[tokio::test]
async fn slug_that_is_too_long_is_unknown() {
    let source = vec![TenantSource::slug_subdomain("example.com", |_| Some(tenant(1)))];
    let host = format!("{}.example.com", "a".repeat(64));
    assert!(is_rejected(&outcome(source, at_host(&host)).await, Rejection::Unknown));
}

/// A source that never matches would silently disable the comparison with the others.
#[test]
fn rejects_invalid_base_domains() {
    for domain in
        ["", ".", "example..com", "example.com:8443", "https://example.com", "*.example.com", "a/b", "[::1]"]
    {
        assert!(std::panic::catch_unwind(|| TenantSource::subdomain(domain)).is_err(), "{domain}");
    }
}

#[tokio::test]
async fn accepts_one_host_in_two_spellings() {
    let sources = || vec![TenantSource::subdomain("example.com"), TenantSource::tenant_header()];
    let id = tenant(1).to_string();
    for (target, host) in [
        ("http://[::1]:80/", "[::1]:80"),
        ("http://[::1]/", "[::1]"),
        ("http://example.com./", "EXAMPLE.com:80"),
        ("http://example.com/", "example.com.:"),
    ] {
        let request = Request::get(target).header("host", host).header("x-tenant-id", &id);
        assert_eq!(outcome(sources(), request.body(Body::empty()).unwrap()).await, id, "{target} {host}");
    }
    for host in ["x.example.com:80@evil.com", "x@example.com", "example.com:x", "[::1", "example.com:99999"] {
        let request = Request::get("/").header("host", host).header("x-tenant-id", &id);
        let answer = outcome(sources(), request.body(Body::empty()).unwrap()).await;
        assert!(is_rejected(&answer, Rejection::Malformed), "{host}");
    }
}

#[tokio::test]
async fn reads_a_claim_of_the_extensions() {
    let source = || vec![TenantSource::claim(|tenant: &Option<TenantId>| *tenant)];
    let request = |claim: Option<Option<TenantId>>| {
        let mut request = Request::new(Body::empty());
        if let Some(claim) = claim {
            request.extensions_mut().insert(claim);
        }
        request
    };
    assert_eq!(outcome(source(), request(Some(Some(tenant(1))))).await, tenant(1).to_string());
    assert!(is_rejected(&outcome(source(), request(Some(None))).await, Rejection::Missing));
    assert!(is_rejected(&outcome(source(), request(None)).await, Rejection::Missing));
}

/// Checks every subset of four sources, with one of them naming another tenant.
#[tokio::test]
async fn all_sources_that_name_a_tenant_must_agree() {
    let sources = || {
        vec![
            TenantSource::tenant_header(),
            TenantSource::path("/t/{tenant}"),
            TenantSource::subdomain("example.com"),
            TenantSource::claim(|tenant: &TenantId| Some(*tenant)),
        ]
    };
    for places in 0..1_u8 << 4 {
        for odd in [None, Some(0), Some(1), Some(2), Some(3)] {
            let named = |place: u8| {
                (places >> place & 1 == 1).then(|| if odd == Some(place) { tenant(2) } else { tenant(1) })
            };
            let path = named(1).map_or_else(|| "/".to_owned(), |tenant| format!("/t/{tenant}"));
            let host =
                named(2).map_or_else(|| "example.com".to_owned(), |tenant| format!("{tenant}.example.com"));
            let mut request = Request::get(path).header("host", host);
            if let Some(tenant) = named(0) {
                request = request.header("x-tenant-id", tenant.to_string());
            }
            if let Some(tenant) = named(3) {
                request = request.extension(tenant);
            }
            let answer = outcome(sources(), request.body(Body::empty()).unwrap()).await;
            let odd_is_named = odd.is_some_and(|odd| places >> odd & 1 == 1);
            let expected = match (places.count_ones(), odd_is_named) {
                (0, _) => Rejection::Missing.problem().to_owned(),
                (1, true) => tenant(2).to_string(),
                (_, false) => tenant(1).to_string(),
                (_, true) => Rejection::Conflict.problem().to_owned(),
            };
            assert_eq!(answer, expected, "places {places:04b}, odd {odd:?}");
        }
    }
}
