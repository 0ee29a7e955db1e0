//! The steps of the layer. Each has a test that fails without it.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use axum::body::Body;
use http::{HeaderValue, Request, Response, StatusCode};
use tenancy::{TenantContext, TenantFutureExt, TenantId, TenantStatus};
use tenancy_tower::{Access, Rejection, RequestHead, TenantLayer, claim_equals, member_of};
use tower::{Layer, Service, ServiceExt};

use crate::support::{
    Caller, DELETED, SUSPENDED, UNKNOWN, authorizing, directory, echo, get, get_of, seen, tenant, text,
    trusting,
};

async fn refusal_of(request: Request<Body>) -> (StatusCode, String) {
    let response = trusting().layer(echo()).oneshot(request).await.unwrap();
    (response.status(), text(response).await)
}

// Resolve.

#[tokio::test]
async fn accepts_every_spelling_of_an_id() {
    let id = tenant(7).to_string();
    for value in
        [id.clone(), id.to_uppercase(), id.replace('-', ""), format!("{{{id}}}"), format!("urn:uuid:{id}")]
    {
        let response = trusting().layer(echo()).oneshot(get(&value)).await.unwrap();
        assert_eq!((response.status(), text(response).await), (StatusCode::OK, id.clone()), "{value}");
    }
}

#[tokio::test]
async fn rejects_malformed_and_reserved_headers() {
    let id = tenant(7).to_string();
    let cases = [
        (String::new(), Rejection::Malformed),
        ("acme".to_owned(), Rejection::Malformed),
        (id[..35].to_owned(), Rejection::Malformed),
        (format!("{id}, {id}"), Rejection::Malformed),
        (format!("{id} "), Rejection::Malformed),
        (format!(" {id}"), Rejection::Malformed),
        ("a".repeat(10_000), Rejection::Malformed),
        ("00000000-0000-0000-0000-000000000000".to_owned(), Rejection::Reserved),
        ("ffffffff-ffff-ffff-ffff-ffffffffffff".to_owned(), Rejection::Reserved),
    ];
    for (value, rejection) in cases {
        assert_eq!(
            refusal_of(get(&value)).await,
            (StatusCode::BAD_REQUEST, rejection.problem().to_owned()),
            "{value}"
        );
    }
    let mut request = get(&id);
    request.headers_mut().insert("X-Tenant-ID", HeaderValue::from_bytes(b"\xff\xfe").unwrap());
    assert_eq!(refusal_of(request).await.1, Rejection::Malformed.problem());
}

#[tokio::test]
async fn rejects_missing_and_duplicate_headers() {
    let request = Request::new(Body::empty());
    assert_eq!(refusal_of(request).await, (StatusCode::BAD_REQUEST, Rejection::Missing.problem().to_owned()));
    for second in [tenant(7), tenant(8)] {
        let mut request = get_of(tenant(7));
        request.headers_mut().append("x-tenant-id", HeaderValue::from_str(&second.to_string()).unwrap());
        assert_eq!(refusal_of(request).await.1, Rejection::Duplicate.problem());
    }
}

/// In grafana/pyroscope PR#5251, a malformed header left the previous tenant in place.
#[tokio::test]
async fn inherited_context_is_replaced_or_hidden() {
    for (request, expected) in [
        (get("acme"), Rejection::Malformed.problem().to_owned()),
        (Request::new(Body::empty()), Rejection::Missing.problem().to_owned()),
        (Request::get("/healthz").body(Body::empty()).unwrap(), "none".to_owned()),
        (get_of(tenant(1)), tenant(1).to_string()),
    ] {
        let mut service = trusting().layer(echo());
        let answer = async { text(service.ready().await.unwrap().call(request).await.unwrap()).await };
        assert_eq!(answer.in_tenant(tenant(2)).await, expected);
    }
}

// Authorize.

#[tokio::test]
async fn rejects_tenants_that_the_caller_may_not_use() {
    let call = |request: Request<Body>| authorizing().layer(echo()).oneshot(request);
    let with = |mut request: Request<Body>, tenants: &[TenantId]| {
        request.extensions_mut().insert(Caller(tenants.to_vec()));
        request
    };
    assert_eq!(call(with(get_of(tenant(1)), &[tenant(1)])).await.unwrap().status(), 200);
    assert_eq!(call(with(get_of(tenant(2)), &[tenant(1)])).await.unwrap().status(), 403);
    assert_eq!(call(with(get_of(tenant(1)), &[])).await.unwrap().status(), 403);
    assert_eq!(call(get_of(tenant(1))).await.unwrap().status(), 403);
}

/// bigcapitalhq/bigcapital#990 (GHSA-2g96-86rw-qmvg). A 404 would reveal which tenants exist.
#[tokio::test]
async fn foreign_tenant_receives_the_same_bytes_in_every_state() {
    let mut answers = Vec::new();
    for number in [2, SUSPENDED, DELETED, UNKNOWN] {
        let mut request = get_of(tenant(number));
        request.extensions_mut().insert(Caller(vec![tenant(1)]));
        let response = authorizing().layer(echo()).oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        answers.push((parts.status, parts.headers, text(Response::new(body)).await));
    }
    assert_eq!(answers[0].0, 403);
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
}

#[tokio::test]
async fn unauthorized_request_queries_no_directory() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let directory = move |_: TenantId| {
        count.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, Infallible>(Some(TenantStatus::Active)) }
    };
    let layer = TenantLayer::builder()
        .directory(directory)
        .authorize(claim_equals(|tenant: &TenantId| Some(*tenant)))
        .build();
    assert_eq!(layer.layer(echo()).oneshot(get_of(tenant(1))).await.unwrap().status(), 403);
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    let mut request = get_of(tenant(1));
    request.extensions_mut().insert(tenant(1));
    assert_eq!(layer.layer(echo()).oneshot(request).await.unwrap().status(), 200);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn ready_made_policies_reject_without_their_extension() {
    let claim = TenantLayer::builder()
        .directory(directory())
        .authorize(claim_equals(|claim: &Option<TenantId>| *claim))
        .build();
    for (extension, status) in
        [(None, 403), (Some(None), 403), (Some(Some(tenant(2))), 403), (Some(Some(tenant(1))), 200)]
    {
        let mut request = get_of(tenant(1));
        if let Some(extension) = extension {
            request.extensions_mut().insert::<Option<TenantId>>(extension);
        }
        assert_eq!(claim.layer(echo()).oneshot(request).await.unwrap().status(), status, "{extension:?}");
    }
    let member = TenantLayer::builder()
        .directory(directory())
        .authorize(member_of(|caller: &Caller, tenant| caller.0.contains(&tenant)))
        .build();
    assert_eq!(member.layer(echo()).oneshot(get_of(tenant(1))).await.unwrap().status(), 403);
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_asks_elsewhere() {
    let policy = |_: &RequestHead<'_>, id: TenantId| {
        Access::later(async move {
            tokio::task::yield_now().await;
            assert!(!TenantContext::is_set());
            match id {
                id if id == tenant(1) => Ok(true),
                id if id == tenant(2) => Ok(false),
                id if id == tenant(3) => Err("the database is down"),
                _ => std::future::pending().await,
            }
        })
    };
    let layer = TenantLayer::builder().directory(directory()).authorize(policy).build();
    for (number, status) in [(1, 200), (2, 403), (3, 503), (4, 503)] {
        let response =
            layer.layer(echo()).oneshot(get_of(tenant(number))).in_tenant(tenant(9)).await.unwrap();
        assert_eq!(response.status(), status, "{number}");
    }
}

#[tokio::test]
async fn policy_and_directory_run_without_a_tenant() {
    let policy = |_: &RequestHead<'_>, _: TenantId| !TenantContext::is_set();
    let by_closure = |_: TenantId| async {
        Ok::<_, Infallible>((!TenantContext::is_set()).then_some(TenantStatus::Active))
    };
    let layer = TenantLayer::builder().directory(by_closure).authorize(policy).build();
    let response = layer.layer(echo()).oneshot(get_of(tenant(1))).in_tenant(tenant(9)).await.unwrap();
    assert_eq!(text(response).await, tenant(1).to_string());
}

// Verify.

#[tokio::test]
async fn rejects_inactive_tenants() {
    for (number, rejection) in
        [(SUSPENDED, Rejection::Suspended), (DELETED, Rejection::Unknown), (UNKNOWN, Rejection::Unknown)]
    {
        let answer = refusal_of(get_of(tenant(number))).await;
        assert_eq!(answer, (rejection.status(), rejection.problem().to_owned()), "{number}");
    }
}

// Run.

#[tokio::test]
async fn inner_service_is_called_and_polled_in_the_tenant() {
    let service = tower::service_fn(|_: Request<Body>| {
        let called = seen();
        async move { Ok::<_, Infallible>(Response::new(Body::from(format!("{called} {}", seen())))) }
    });
    let response = trusting().layer(service).oneshot(get_of(tenant(1))).await.unwrap();
    assert_eq!(text(response).await, format!("{0} {0}", tenant(1)));
}

/// A service that panics if it is called before it was ready.
#[derive(Default)]
struct Ready(bool);

impl Clone for Ready {
    fn clone(&self) -> Self {
        Self(false)
    }
}

impl Service<Request<Body>> for Ready {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        assert!(!TenantContext::is_set());
        self.0 = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        assert!(self.0, "called before it was ready");
        std::future::ready(Ok(Response::new(Body::from(seen()))))
    }
}

/// In tower-rs/tower-http#561, a clone was called that had not been ready.
#[tokio::test]
async fn calls_the_service_that_was_ready() {
    async fn slow(_: TenantId) -> Result<Option<TenantStatus>, Infallible> {
        tokio::task::yield_now().await;
        Ok(Some(TenantStatus::Active))
    }
    let at_once = TenantLayer::builder().directory(directory()).trust_header().build();
    let later = TenantLayer::builder().directory(slow).trust_header().build();
    let mut at_once = at_once.layer(Ready::default());
    let mut later = later.layer(Ready::default());
    for _ in 0..2 {
        let response = at_once.ready().await.unwrap().call(get_of(tenant(1))).await.unwrap();
        assert_eq!(text(response).await, tenant(1).to_string());
        let response =
            later.ready().in_tenant(tenant(9)).await.unwrap().call(get_of(tenant(1))).await.unwrap();
        assert_eq!(text(response).await, tenant(1).to_string());
    }
}

// Clean up.

#[tokio::test]
async fn leaves_no_tenant_after_success_error_and_panic() {
    let outcomes = |outcome: u8| {
        tower::service_fn(move |_: Request<Body>| async move {
            TenantContext::set(tenant(3));
            std::mem::forget(TenantContext::enter(tenant(4)));
            tokio::task::yield_now().await;
            match outcome {
                0 => Ok(Response::new(Body::empty())),
                1 => Err("an error"),
                _ => std::panic::resume_unwind(Box::new("on purpose")),
            }
        })
    };
    for outcome in 0..3 {
        let call = trusting().layer(outcomes(outcome)).oneshot(get_of(tenant(1)));
        let mut call = pin!(call);
        let mut context = Context::from_waker(Waker::noop());
        let mut polls = 0;
        loop {
            let polled =
                std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| call.as_mut().poll(&mut context)));
            assert!(!TenantContext::is_set(), "{outcome}");
            polls += 1;
            if !matches!(polled, Ok(Poll::Pending)) {
                break;
            }
        }
        assert!(polls > 1);
    }
}

/// Records the current tenant when it is dropped.
struct SeenInDrop(Arc<std::sync::Mutex<Vec<String>>>);

impl Drop for SeenInDrop {
    fn drop(&mut self) {
        self.0.lock().unwrap().push(seen());
    }
}

#[tokio::test]
async fn cancelled_request_is_dropped_in_its_tenant() {
    let drops = Arc::default();
    let service = tower::service_fn(|_: Request<Body>| {
        let dropped = SeenInDrop(Arc::clone(&drops));
        async move {
            std::future::pending::<()>().await;
            drop(dropped);
            Ok::<_, Infallible>(Response::new(Body::empty()))
        }
    });
    let mut call = Box::pin(trusting().layer(service).oneshot(get_of(tenant(1))));
    assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    drop(call);
    assert!(!TenantContext::is_set());
    assert_eq!(*drops.lock().unwrap(), [tenant(1).to_string()]);
}

// Rejections.

#[tokio::test]
async fn rejection_repeats_nothing_of_the_request() {
    let mut request = get("550e8400-secret-secret");
    request.headers_mut().insert("authorization", HeaderValue::from_static("Bearer secret"));
    let response = trusting().layer(echo()).oneshot(request).await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert_eq!(response.headers().len(), 2);
    assert!(!text(response).await.contains("secret"));
}

const REFUSALS: [Rejection; 11] = [
    Rejection::Missing,
    Rejection::Duplicate,
    Rejection::Malformed,
    Rejection::Reserved,
    Rejection::Conflict,
    Rejection::Forbidden,
    Rejection::Suspended,
    Rejection::Unknown,
    Rejection::RateLimited,
    Rejection::Unavailable,
    Rejection::NotInstalled,
];

#[test]
fn problems_are_json_with_status_and_distinct_type() {
    let mut types = std::collections::HashSet::new();
    for rejection in REFUSALS {
        let problem: serde_json::Value = serde_json::from_str(rejection.problem()).expect("JSON");
        assert_eq!(problem["status"], rejection.status().as_u16(), "{rejection:?}");
        assert_eq!(problem["title"], rejection.to_string());
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
        let kind = problem["type"].as_str().unwrap().to_owned();
        assert!(kind.starts_with("urn:problem-type:tenancy:tenant-"), "{kind}");
        assert!(types.insert(kind));
        let response: Response<Body> = rejection.into_response();
        assert_eq!(response.headers().contains_key("retry-after"), rejection == Rejection::Unavailable);
    }
}

fn grpc(value: &str, kind: &'static str) -> Request<Body> {
    let mut request = get(value);
    *request.method_mut() = http::Method::POST;
    *request.version_mut() = http::Version::HTTP_2;
    request.headers_mut().insert("content-type", HeaderValue::from_static(kind));
    request
}

#[tokio::test]
async fn rejects_grpc_requests_by_grpc_statuses() {
    let cases =
        [("acme".to_owned(), "3"), (tenant(SUSPENDED).to_string(), "7"), (tenant(UNKNOWN).to_string(), "5")];
    for (value, code) in cases {
        for kind in ["application/grpc", "application/grpc+proto", "application/grpc;charset=x"] {
            let response = trusting().layer(echo()).oneshot(grpc(&value, kind)).await.unwrap();
            assert_eq!(response.status(), 200);
            assert_eq!(response.headers()["grpc-status"], code);
            assert_eq!(response.headers()["content-type"], "application/grpc");
            assert_eq!(response.headers()["cache-control"], "no-store");
            assert_eq!(text(response).await, "");
        }
    }
}

/// A proxy that authorizes by a subrequest takes a 200 for permission, and forwards the client's header fields.
#[tokio::test]
async fn only_grpc_requests_are_rejected_with_status_200() {
    let kind = "application/grpc";
    let mut by_get = grpc("acme", kind);
    *by_get.method_mut() = http::Method::GET;
    let mut over_http1 = grpc("acme", kind);
    *over_http1.version_mut() = http::Version::HTTP_11;
    let others =
        ["application/grpcfoo", "application/grpc-web", "application/grpc-web+proto", "application/json"];
    let others = others.map(|kind| grpc("acme", kind));
    for request in [by_get, over_http1].into_iter().chain(others) {
        let shown = format!("{request:?}");
        let response = trusting().layer(echo()).oneshot(request).await.unwrap();
        assert_eq!(response.status(), 400, "{shown}");
        assert_eq!(text(response).await, Rejection::Malformed.problem());
    }
}

/// The caller may serve another request next, so a tenant set by a policy must not remain.
#[tokio::test]
async fn tenant_set_by_a_policy_does_not_leak() {
    let sets = |_: &RequestHead<'_>, tenant: TenantId| {
        TenantContext::set(tenant);
        true
    };
    let layer = TenantLayer::builder().directory(directory()).authorize(sets).build();
    for (number, status) in [(1, 200), (SUSPENDED, 403)] {
        let response = layer.layer(echo()).oneshot(get_of(tenant(number))).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(TenantContext::get_optional(), None);
        let call = layer.layer(echo()).oneshot(get_of(tenant(number)));
        async {
            call.await.unwrap();
            assert_eq!(TenantContext::get_optional(), Some(tenant(9)));
        }
        .in_tenant(tenant(9))
        .await;
    }
}

/// Extensions of a rejected request are dropped without a tenant, not in the caller's.
#[tokio::test(start_paused = true)]
async fn rejected_request_is_dropped_without_a_tenant() {
    async fn hangs(_: TenantId) -> Result<Option<TenantStatus>, Infallible> {
        std::future::pending().await
    }
    let drops: Arc<std::sync::Mutex<Vec<String>>> = Arc::default();
    let request = |value: &str| {
        let mut request = get(value);
        request.extensions_mut().insert(Arc::new(SeenInDrop(Arc::clone(&drops))));
        request
    };
    let waits = TenantLayer::builder().directory(hangs).trust_header().build();
    let calls = async {
        trusting().layer(echo()).oneshot(request("acme")).await.unwrap();
        waits.layer(echo()).oneshot(request(&tenant(1).to_string())).await.unwrap();
        let call = waits.layer(echo()).oneshot(request(&tenant(1).to_string()));
        assert!(tokio::time::timeout(std::time::Duration::from_millis(1), call).await.is_err());
    };
    calls.in_tenant(tenant(9)).await;
    assert_eq!(*drops.lock().unwrap(), ["none"; 3]);
}

// Exemptions.

#[tokio::test]
async fn exempts_only_the_listed_paths() {
    let layer = TenantLayer::builder()
        .directory(directory())
        .trust_header()
        .exempt("/healthz")
        .exempt("/assets/*")
        .build();
    for (path, status) in [
        ("/healthz", 200),
        ("/healthz?x=1", 200),
        ("/assets/a/b.css", 200),
        ("/assets/", 200),
        ("/assets", 400),
        ("/healthz/", 400),
        ("/healthz2", 400),
        ("/HEALTHZ", 400),
        ("//healthz", 400),
        ("/%68ealthz", 400),
        ("/", 400),
    ] {
        let request = Request::get(path).body(Body::empty()).unwrap();
        assert_eq!(layer.layer(echo()).oneshot(request).await.unwrap().status(), status, "{path}");
    }
    // The header does not matter on an exempt path.
    let mut request = get_of(tenant(1));
    *request.uri_mut() = "/healthz".parse().unwrap();
    assert_eq!(text(layer.layer(echo()).oneshot(request).await.unwrap()).await, "none");
}
