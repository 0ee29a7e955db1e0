//! A panic in a handler affects one request only.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use axum::routing::get;
use tenancy::TenantContext;
use tenancy_gateway::middleware::Middleware;
use tenancy_gateway::middleware::limit::RateLimit;
use tenancy_gateway::principals::PrincipalsFile;
use tenancy_gateway::tenants::Tenants;
use tower::ServiceExt;

use crate::support::ACME;

#[tokio::test]
async fn a_panic_is_a_500_and_leaves_no_tenant_behind() {
    let PrincipalsFile { tenants, principals } = PrincipalsFile::demo().unwrap();
    let limit = RateLimit::new(0, NonZeroU32::MIN);
    let router = Router::new()
        .route("/panics", get(async || -> &'static str { panic!("a secret of {:?}", TenantContext::get()) }))
        .route("/tenant", get(async || TenantContext::get().unwrap().to_string()));
    let service = Middleware::new(principals, Arc::new(Tenants::new(tenants)), limit).around(router);
    let request = |path| {
        let request =
            Request::get(path).header("Host", "gateway").header("Authorization", "Bearer demo-alice");
        request.header("X-Tenant-ID", ACME).body(Body::empty()).unwrap()
    };
    let answer = service.clone().oneshot(request("/panics")).await.unwrap();
    assert_eq!(answer.status(), 500);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    let body = to_bytes(answer.into_body(), 1000).await.unwrap();
    let body = std::str::from_utf8(&body).unwrap();
    assert!(body.contains("urn:problem-type:gateway:internal") && !body.contains("secret"), "{body}");
    assert!(!TenantContext::is_set());

    let answer = service.oneshot(request("/tenant")).await.unwrap();
    assert_eq!(to_bytes(answer.into_body(), 1000).await.unwrap(), ACME);
}
