//! Routes of the platform tenant.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use tenancy::TenantContext;

use crate::problem::Problem;

/// Rejects requests that do not act for the platform tenant.
pub(crate) async fn platform_only(request: Request, next: Next) -> Result<Response, Problem> {
    if TenantContext::get()?.is_platform() {
        Ok(next.run(request).await)
    } else {
        Err(Problem::PLATFORM_ONLY)
    }
}
