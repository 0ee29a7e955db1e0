//! Routes of the platform tenant.

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use tenancy::TenantContext;

use crate::problem::Problem;
use crate::security;

/// Rejects requests that do not act for the platform tenant.
pub(crate) async fn platform_only(request: Request, next: Next) -> Result<Response, Problem> {
    let is_platform = TenantContext::get()?.is_platform();
    let path = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
    if is_platform {
        security::platform_accessed(request.method().as_str(), path);
        Ok(next.run(request).await)
    } else {
        security::platform_forbidden(request.method().as_str(), path);
        Err(Problem::PLATFORM_ONLY)
    }
}
