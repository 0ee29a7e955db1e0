//! An extractor for the handlers of axum.

use axum_core::body::Body;
use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;
use tenancy::{TenantContext, TenantId};

use crate::Rejection;

/// The tenant of the request, from the current context.
///
/// A handler runs in its tenant also without this extractor. Outside of a [`TenantLayer`](crate::TenantLayer) and on an
/// exempt path, the extractor rejects the request with [`Rejection::NotInstalled`].
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
    type Rejection = Rejection;

    async fn from_request_parts(_parts: &mut Parts, _state: &S) -> Result<Self, Rejection> {
        TenantContext::get().map(Self).map_err(|_| Rejection::NotInstalled)
    }
}

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        Rejection::into_response::<Body>(self)
    }
}
