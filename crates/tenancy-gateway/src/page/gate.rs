//! The layer that turns the cookie of a session into a principal and a tenant.

use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tenancy::TenantId;

use super::paths::{HOME, SCRIPT, SIGN_IN, SIGN_OUT, STYLE};
use super::session::Sessions;
use super::{asset, cookie, headers, html, origin, sign_in};
use crate::middleware::auth;
use crate::principals::{Principal, Principals};
use crate::problem::Problem;
use crate::tenants::Tenants;

const X_TENANT_ID: HeaderName = HeaderName::from_static("x-tenant-id");
/// The maximum length of a problem.
const LONGEST_PROBLEM: usize = 8 * 1024;

/// The state of the layer.
#[derive(Clone, Debug)]
pub struct PageLayer {
    pub(super) principals: Arc<Principals>,
    pub(super) tenants: Arc<Tenants>,
    pub(super) sessions: Arc<Sessions>,
}

/// The methods of the page, and of its forms.
const READ: &str = "GET, HEAD";
const SEND: &str = "POST";

/// Responds to paths of the page, or passes them on as requests of the signed-in user. Requests for other paths are
/// unchanged, and their cookies have no effect.
pub async fn gate(State(page): State<PageLayer>, request: Request, next: Next) -> Response {
    let response = match request.uri().path() {
        HOME | SIGN_IN | SIGN_OUT | SCRIPT | STYLE => page.answer(request, next).await,
        _ => return next.run(request).await,
    };
    headers::strict(response)
}

impl PageLayer {
    /// Creates the layer, with the lifetime of sessions.
    pub fn new(principals: Arc<Principals>, tenants: Arc<Tenants>, lifetime: Duration) -> Self {
        Self { principals, tenants, sessions: Arc::new(Sessions::new(lifetime)) }
    }

    async fn answer(&self, request: Request, next: Next) -> Response {
        let path = request.uri().path();
        let is_form = path == SIGN_IN || path == SIGN_OUT;
        let is_read = request.method() == Method::GET || request.method() == Method::HEAD;
        let is_allowed = if is_form { request.method() == Method::POST } else { is_read };
        if !is_allowed {
            let allow = HeaderValue::from_static(if is_form { SEND } else { READ });
            return readable(([(ALLOW, allow)], Problem::METHOD).into_response(), false).await;
        }
        match path {
            SCRIPT => asset::script(),
            STYLE => asset::style(),
            SIGN_IN => readable(self.sign_in(request, next).await, false).await,
            SIGN_OUT => readable(self.sign_out(&request.into_parts().0), false).await,
            _ => self.home(request, next).await,
        }
    }

    /// Responds with the page of the signed-in user, or with the form to sign in.
    async fn home(&self, request: Request, next: Next) -> Response {
        let (mut parts, body) = request.into_parts();
        if is_for_the_api(&parts.headers) {
            return readable(Problem::PAGE_HEADERS.into_response(), false).await;
        }
        let Some(session) = session_id(&parts).and_then(|id| self.sessions.get(id)) else {
            return html::sign_in(None).into_response();
        };
        // Inner layers do not need the cookie, and cannot disclose it.
        parts.headers.remove(COOKIE);
        let request = Request::from_parts(parts, body);
        let response = next.run(named(request, session.principal, session.tenant)).await;
        readable(response, true).await
    }

    /// Passes the request on as a request of the token's principal, so that the same is checked as for each request.
    async fn sign_in(&self, request: Request, next: Next) -> Response {
        let (parts, body) = request.into_parts();
        if let Err(problem) = is_own_form(&parts) {
            return problem.into_response();
        }
        let before = session_id(&parts).map(str::to_owned);
        let form = match sign_in::read(Request::from_parts(parts.clone(), body)).await {
            Ok(form) => form,
            Err(problem) => return problem.into_response(),
        };
        let Some(principal) = self.principals.of_token(form.token()).cloned() else {
            return auth::unknown_token();
        };
        let tenant = match sign_in::tenant(&form, &principal, &self.tenants).await {
            Ok(tenant) => tenant,
            Err(problem) => return problem.into_response(),
        };
        let mut request = named(Request::from_parts(parts, axum::body::Body::empty()), principal, tenant);
        for name in [COOKIE, CONTENT_LENGTH, CONTENT_TYPE] {
            request.headers_mut().remove(name);
        }
        request.extensions_mut().insert(Arc::clone(&self.sessions));
        let response = next.run(request).await;
        if let (StatusCode::SEE_OTHER, Some(before)) = (response.status(), before) {
            self.sessions.close(&before);
        }
        response
    }

    /// Ends the session, also if the tenant is suspended.
    fn sign_out(&self, parts: &Parts) -> Response {
        if let Err(problem) = is_own_form(parts) {
            return problem.into_response();
        }
        if let Some(id) = session_id(parts) {
            self.sessions.close(id);
        }
        let gone = cookie::set("", 0, origin::is_loopback(parts));
        cookie::redirect_home(&gone).unwrap_or_else(Problem::into_response)
    }
}

fn session_id(parts: &Parts) -> Option<&str> {
    cookie::id(&parts.headers, origin::is_loopback(parts))
}

/// Sets the principal and the tenant for inner layers.
fn named(mut request: Request, principal: Principal, tenant: TenantId) -> Request {
    auth::admit(&mut request, principal);
    if let Ok(tenant) = HeaderValue::from_str(&tenant.to_text()) {
        request.headers_mut().insert(X_TENANT_ID, tenant);
    }
    request
}

/// Returns whether a request has header fields of the API. A request for both could act for the wrong caller.
fn is_for_the_api(headers: &HeaderMap) -> bool {
    headers.contains_key(AUTHORIZATION) || headers.contains_key(X_TENANT_ID)
}

fn is_own_form(parts: &Parts) -> Result<(), Problem> {
    if !origin::is_own(parts) {
        return Err(Problem::CROSS_SITE);
    }
    if is_for_the_api(&parts.headers) { Err(Problem::PAGE_HEADERS) } else { Ok(()) }
}

/// Turns a problem into a page, with the same status and header fields. Other responses are unchanged.
async fn readable(response: Response, is_signed_in: bool) -> Response {
    if response.headers().get(CONTENT_TYPE).is_none_or(|kind| kind != "application/problem+json") {
        return response;
    }
    let (parts, body) = response.into_parts();
    let problem = match to_bytes(body, LONGEST_PROBLEM).await {
        Ok(_) if parts.status == StatusCode::UNAUTHORIZED => html::ErrorMessage::unknown_token(),
        Ok(json) => serde_json::from_slice(&json).unwrap_or_default(),
        Err(_) => html::ErrorMessage::default(),
    };
    let page = if is_signed_in { html::refused(&problem) } else { html::sign_in(Some(&problem)) };
    let mut page = (parts.status, page).into_response();
    for (name, value) in &parts.headers {
        if name != CONTENT_TYPE && name != CONTENT_LENGTH {
            page.headers_mut().insert(name, value.clone());
        }
    }
    page
}
