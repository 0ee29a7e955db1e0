//! The layers around the routes.

pub mod access_log;
pub mod auth;
pub mod body;
pub mod count;
pub mod deadline;
pub mod head;
pub mod host;
pub mod limit;
pub mod platform;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, VARY};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tenancy::TenantId;
use tenancy_tower::{TenantLayer, TenantLayerBuilder, member_of};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::database;
use crate::operations::Operations;
use crate::page::{PageLayer, gate};
use crate::paths::OPEN;
use crate::principals::{Principal, Principals};
use crate::problem::Problem;
use crate::security;
use crate::service::HttpService;
use crate::tenants::Tenants;
use body::BodyLimits;
use limit::RateLimit;

const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-cache");
const BY_CALLER: HeaderValue = HeaderValue::from_static("authorization, x-tenant-id");
/// The default lifetime of a session of the page.
const SESSION: Duration = Duration::from_secs(30 * 60);
/// The default time limit of requests.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The layers that identify callers and enforce limits.
#[derive(Clone, Debug)]
pub struct Middleware {
    principals: Arc<Principals>,
    tenants: Arc<Tenants>,
    limit: Arc<RateLimit>,
    session: Duration,
    timeout: Duration,
    bodies: BodyLimits,
    operations: Arc<Operations>,
}

impl Middleware {
    /// Creates layers for these principals, tenants and limits.
    pub fn new(principals: impl Into<Arc<Principals>>, tenants: Arc<Tenants>, limit: RateLimit) -> Self {
        Self {
            principals: principals.into(),
            tenants,
            limit: Arc::new(limit),
            session: SESSION,
            timeout: TIMEOUT,
            bodies: BodyLimits::default(),
            operations: Arc::default(),
        }
    }

    /// Sets the lifetime of the page's sessions. The default is 30 minutes.
    #[must_use]
    pub fn sessions(self, session: Duration) -> Self {
        Self { session, ..self }
    }

    /// Sets the time limit of requests. The default is 30 s.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sets the maximum lengths of bodies.
    #[must_use]
    pub fn bodies(self, bodies: BodyLimits) -> Self {
        Self { bodies, ..self }
    }

    /// Sets the state that counts requests.
    #[must_use]
    pub fn operations(self, operations: Arc<Operations>) -> Self {
        Self { operations, ..self }
    }

    /// Puts the layers around routes, the outermost first.
    ///
    /// The layers also surround the fallback, so only authorized callers learn that a path does not exist.
    pub fn around(self, router: Router) -> impl HttpService {
        let Self { principals, tenants, limit: rate, session, timeout, bodies, operations } = self;
        let page = PageLayer::new(Arc::clone(&principals), Arc::clone(&tenants), session);
        let has_demo_tokens = principals.has_demo_tokens();
        let tenant = TenantLayer::builder()
            .directory(tenants)
            .timeout(database::LONGEST)
            .authorize(member_of(is_member));
        let tenant = OPEN.into_iter().fold(tenant, TenantLayerBuilder::exempt).build();
        ServiceBuilder::new()
            .layer(from_fn(access_log::log))
            .layer(from_fn_with_state(Arc::clone(&operations), count::all))
            .layer(from_fn(head::bodiless))
            .layer(CatchPanicLayer::custom(internal_error))
            .layer(from_fn_with_state(timeout, deadline::deadline))
            .layer(from_fn_with_state(has_demo_tokens, host::check))
            .layer(from_fn(body::reject_compressed))
            .layer(from_fn_with_state(page, gate))
            .layer(from_fn_with_state(principals, auth::authenticate))
            .layer(tenant)
            .layer(from_fn_with_state(operations, count::of_tenant))
            .layer(from_fn_with_state(rate, limit::limit))
            // A response is for one caller and one tenant (RFC 9111, sections 4.1 and 5.2.2.7). A browser may store it, but
            // asks again each time. Responses with a stricter rule keep it.
            .layer(SetResponseHeaderLayer::if_not_present(CACHE_CONTROL, PRIVATE))
            .layer(SetResponseHeaderLayer::appending(VARY, BY_CALLER))
            .layer(from_fn_with_state(bodies, body::limit))
            .service(router)
    }
}

/// Returns whether a caller may act for a tenant, and records a security event if not.
fn is_member(principal: &Principal, tenant: TenantId) -> bool {
    let is_member = principal.is_member_of(tenant);
    if !is_member {
        security::tenant_forbidden(principal, tenant);
    }
    is_member
}

/// Responds to a panic. The panic hook logs the message, which can contain data of the request.
#[allow(clippy::needless_pass_by_value, reason = "the layer passes a value")]
fn internal_error(_panic: Box<dyn Any + Send>) -> Response {
    Problem::INTERNAL.into_response()
}
