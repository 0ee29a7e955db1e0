//! An axum server whose requests each run in a tenant's context.
//!
//! `cargo run --example axum --features axum` sends three requests to the service, without a network, and prints
//! the responses. With `-- --serve` it listens on 127.0.0.1:3000 instead.

use std::error::Error;

use axum::{Router, ServiceExt, body::Body, extract::Request, http::Response, routing::get};
use tenancy::{TenantContext, TenantContextNotSetError, TenantId, TenantStatus, tenant_id};
use tenancy_tower::{CurrentTenant, SnapshotDirectory, TenantBody, TenantLayer, member_of};
use tower::{Service, ServiceBuilder, ServiceExt as _};

const ACME: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
const GLOBEX: TenantId = tenant_id!("6ba7b810-9dad-41d1-80b4-00c04fd430c8");

/// The authenticated caller. An authentication layer stores it in the request's extensions.
#[derive(Clone)]
struct Caller {
    tenants: Vec<TenantId>,
}

/// A function below the handler. It needs no parameter for the tenant, and fails without one.
fn list_notes() -> Result<String, TenantContextNotSetError> {
    Ok(format!("notes of {}\n", TenantContext::get()?))
}

/// The extractor rejects requests without a tenant: a route that is exempt from the layer cannot use it.
async fn notes(_tenant: CurrentTenant) -> Result<String, String> {
    list_notes().map_err(|error| error.to_string())
}

fn app()
-> impl Service<Request, Response = Response<Body>, Error = std::convert::Infallible, Future: Send> + Clone + Send
{
    // Which tenants exist. In production: a database behind `CachedDirectory`.
    let directory: SnapshotDirectory =
        [(ACME, TenantStatus::Active), (GLOBEX, TenantStatus::Active)].into_iter().collect();
    let tenants = TenantLayer::builder()
        .directory(directory)
        .authorize(member_of(|caller: &Caller, tenant| caller.tenants.contains(&tenant)))
        .exempt("/healthz")
        .build();
    let router = Router::new().route("/healthz", get(|| async { "ok\n" })).route("/notes", get(notes));
    ServiceBuilder::new()
        // This is where credentials are checked. Here every caller belongs to acme.
        .map_request(|mut request: Request| {
            request.extensions_mut().insert(Caller { tenants: vec![ACME] });
            request
        })
        .map_response(|response: Response<TenantBody<Body>>| response.map(Body::new))
        .layer(tenants)
        .service(router)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    if std::env::args().any(|argument| argument == "--serve") {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
        println!("curl -H 'X-Tenant-ID: {ACME}' http://{}/notes", listener.local_addr()?);
        return Ok(axum::serve(listener, ServiceExt::<Request>::into_make_service(app())).await?);
    }
    // The caller's own tenant, a tenant that the caller does not belong to, and no tenant at all.
    for tenant in [Some(ACME), Some(GLOBEX), None] {
        let mut request = Request::get("/notes");
        if let Some(tenant) = tenant {
            request = request.header("X-Tenant-ID", tenant.to_string());
        }
        let response = app().oneshot(request.body(Body::empty())?).await?;
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 64 * 1024).await?;
        println!("{status}: {}", String::from_utf8_lossy(&body).trim_end());
    }
    Ok(())
}
