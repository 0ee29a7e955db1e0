//! Layers that count requests.

use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use tenancy::TenantContext;

use crate::operations::Operations;

/// A request in progress. It is counted when it is dropped, also if it is cancelled.
struct Counted {
    operations: Arc<Operations>,
    start: Instant,
    status: Option<StatusCode>,
}

/// Counts all requests.
pub async fn all(State(operations): State<Arc<Operations>>, request: Request, next: Next) -> Response {
    operations.metrics.begin();
    let mut counted = Counted { operations, start: Instant::now(), status: None };
    let response = next.run(request).await;
    counted.status = Some(response.status());
    response
}

/// Counts the requests of the current tenant. A claimed tenant is not counted before it is authorized.
pub async fn of_tenant(State(operations): State<Arc<Operations>>, request: Request, next: Next) -> Response {
    if let Some(tenant) = TenantContext::get_optional() {
        operations.metrics.tenant(tenant);
    }
    next.run(request).await
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.operations.metrics.end(self.status, self.start.elapsed());
    }
}
