//! The tenant as an argument of an axum handler.

use axum_core::body::Body;
use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;
use tenancy::{TenantContext, TenantId};

use crate::Refusal;

/// The request's tenant, for a handler that wants to see it. It is that of the context: a handler does not
/// need it to work in the tenant.
///
/// Outside of a [`TenantLayer`](crate::TenantLayer), and on an exempt path, the request is refused with
/// [`Refusal::NotInstalled`].
///
/// ```
/// use axum::{Router, routing::get};
/// use tenancy_tower::CurrentTenant;
///
/// let router: Router = Router::new().route("/", get(|CurrentTenant(tenant)| async move { tenant.to_string() }));
/// # let _ = router;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CurrentTenant(pub TenantId);

impl<S: Sync> FromRequestParts<S> for CurrentTenant {
    type Rejection = Refusal;

    async fn from_request_parts(_parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        TenantContext::get().map(Self).map_err(|_| Refusal::NotInstalled)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        Refusal::into_response::<Body>(self)
    }
}
