//! What a cache may keep of the answers: nothing that it would give to another tenant.

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, VARY};
use axum::middleware::Next;
use axum::response::Response;

/// An answer is for who asked, and for the tenant that he named (RFC 9111, sections 4.1 and 5.2.2.7): a browser's cache
/// may keep it, and asks again each time. Where an answer says more, it stays so.
pub async fn private(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
    headers.append(VARY, HeaderValue::from_static("authorization, x-tenant-id"));
    response
}
