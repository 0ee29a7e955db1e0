//! What stands before the page: a cookie becomes who asks, and for whom.

use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::header::{
    ALLOW, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HeaderName, LOCATION, SET_COOKIE,
};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tenancy::TenantId;

use super::session::Sessions;
use super::{HOME, SCRIPT, SIGN_IN, SIGN_OUT, STYLE, asset, cookie, headers, html, origin, sign_in};
use crate::auth;
use crate::principals::{Principal, Principals};
use crate::problem::Problem;
use crate::tenants::Tenants;

const X_TENANT_ID: HeaderName = HeaderName::from_static("x-tenant-id");
/// No problem is longer.
const LONGEST_PROBLEM: usize = 8 * 1024;

/// What the gate knows.
#[derive(Clone, Debug)]
pub struct PageGate {
    pub(super) principals: Arc<Principals>,
    pub(super) tenants: Arc<Tenants>,
    pub(super) sessions: Arc<Sessions>,
}

/// The methods of what the gate answers or hands on.
const READ: &str = "GET, HEAD";
const SEND: &str = "POST";

/// Answers what is the page's, or lets it through as the request of who is signed in. Any other path goes on as it
/// came, and whatever cookie it has is nobody's.
pub async fn gate(State(page): State<PageGate>, request: Request, next: Next) -> Response {
    let response = match request.uri().path() {
        HOME | SIGN_IN | SIGN_OUT | SCRIPT | STYLE => page.answer(request, next).await,
        _ => return next.run(request).await,
    };
    headers::strict(response)
}

impl PageGate {
    /// With no session yet, and sessions of that length.
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

    /// The page of who is signed in, or the form to do so.
    async fn home(&self, request: Request, next: Next) -> Response {
        let (mut parts, body) = request.into_parts();
        if is_for_the_api(&parts.headers) {
            return readable(Problem::PAGE_HEADERS.into_response(), false).await;
        }
        let Some(session) = session_id(&parts).and_then(|id| self.sessions.get(id)) else {
            return html::sign_in(None).into_response();
        };
        // Nothing behind this needs the cookie, so nothing can tell it.
        parts.headers.remove(COOKIE);
        let request = Request::from_parts(parts, body);
        let response = next.run(named(request, session.principal, session.tenant)).await;
        readable(response, true).await
    }

    /// Asks for the page as the one whose token it is, so that the same is checked as at each request.
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

    /// Ends the session. A tenant that is suspended does not keep anybody from that.
    fn sign_out(&self, parts: &Parts) -> Response {
        if let Err(problem) = is_own_form(parts) {
            return problem.into_response();
        }
        if let Some(id) = session_id(parts) {
            self.sessions.close(id);
        }
        let gone = cookie::set("", 0, origin::is_loopback(parts));
        see_home(&gone).unwrap_or_else(Problem::into_response)
    }
}

fn session_id(parts: &Parts) -> Option<&str> {
    cookie::id(&parts.headers, origin::is_loopback(parts))
}

/// Who asks, and for whom, where the layers behind look for it.
fn named(mut request: Request, principal: Principal, tenant: TenantId) -> Request {
    auth::admit(&mut request, principal);
    if let Ok(tenant) = HeaderValue::from_str(&tenant.to_text()) {
        request.headers_mut().insert(X_TENANT_ID, tenant);
    }
    request
}

/// A request is the page's or the API's. One that would be both might be taken for somebody else's.
fn is_for_the_api(headers: &HeaderMap) -> bool {
    headers.contains_key(AUTHORIZATION) || headers.contains_key(X_TENANT_ID)
}

fn is_own_form(parts: &Parts) -> Result<(), Problem> {
    if !origin::is_own(parts) {
        return Err(Problem::CROSS_SITE);
    }
    if is_for_the_api(&parts.headers) { Err(Problem::PAGE_HEADERS) } else { Ok(()) }
}

/// Back to the page, with a cookie.
pub(super) fn see_home(cookie: &str) -> Result<Response, Problem> {
    let cookie = HeaderValue::from_str(cookie).map_err(|_| Problem::INTERNAL)?;
    let fields = [(LOCATION, HeaderValue::from_static(HOME)), (SET_COOKIE, cookie)];
    Ok((StatusCode::SEE_OTHER, fields).into_response())
}

/// A problem as a page to read; any other answer as it is. Its status and its other fields stay.
async fn readable(response: Response, is_signed_in: bool) -> Response {
    if response.headers().get(CONTENT_TYPE).is_none_or(|kind| kind != "application/problem+json") {
        return response;
    }
    let (parts, body) = response.into_parts();
    let problem = match to_bytes(body, LONGEST_PROBLEM).await {
        Ok(_) if parts.status == StatusCode::UNAUTHORIZED => html::Told::unknown_token(),
        Ok(json) => serde_json::from_slice(&json).unwrap_or_default(),
        Err(_) => html::Told::default(),
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
