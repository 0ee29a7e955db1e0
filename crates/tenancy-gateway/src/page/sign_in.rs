//! Sign-in: a token and a tenant become a session.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::{Form, FromRequest, Request};
use axum::response::Response;
use serde::Deserialize;
use tenancy::{TenantContext, TenantId, TenantSlug};
use uuid::Uuid;

use super::session::Sessions;
use super::{cookie, origin};
use crate::principals::{Membership, Principal};
use crate::problem::Problem;
use crate::tenants::Tenants;

/// The maximum length of the form.
const MOST_BYTES: usize = 4 * 1024;
/// The number of tenants per query when searching for a slug.
const AT_ONCE: usize = 200;

/// The form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SignIn {
    token: String,
    tenant: String,
}

impl SignIn {
    pub(super) fn token(&self) -> &[u8] {
        self.token.trim().as_bytes()
    }
}

/// Reads the form.
pub(super) async fn read(request: Request) -> Result<SignIn, Problem> {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, MOST_BYTES).await.map_err(|_| Problem::FORM)?;
    let request = Request::from_parts(parts, Body::from(bytes));
    let Form(form) = Form::from_request(request, &()).await.map_err(|_| Problem::FORM)?;
    Ok(form)
}

/// Returns the tenant with the id or slug in the form. A slug is searched only among the principal's tenants, so that the
/// caller does not learn which others exist.
pub(super) async fn tenant(
    form: &SignIn,
    principal: &Principal,
    tenants: &Tenants,
) -> Result<TenantId, Problem> {
    let typed = form.tenant.trim();
    if let Ok(id) = TenantId::parse(typed) {
        return Ok(id);
    }
    let found = match TenantSlug::parse(typed) {
        Ok(slug) => of_name(slug, principal.membership(), tenants).await?,
        Err(_) => None,
    };
    match found {
        Some(id) => Ok(id),
        // A random id, so that the tenant layer rejects it as it rejects any unknown tenant.
        None => TenantId::try_from(Uuid::new_v4()).map_err(|_| Problem::INTERNAL),
    }
}

async fn of_name(
    slug: TenantSlug,
    membership: &Membership,
    tenants: &Tenants,
) -> Result<Option<TenantId>, Problem> {
    match membership {
        Membership::Of(ids) => {
            for id in ids {
                if tenants.get(*id).await?.is_some_and(|record| record.slug() == slug) {
                    return Ok(Some(*id));
                }
            }
            Ok(None)
        }
        Membership::All => {
            let mut after = None;
            loop {
                let page = tenants.list(after, AT_ONCE).await?;
                if let Some(record) = page.iter().find(|record| record.slug() == slug) {
                    return Ok(Some(record.id()));
                }
                let Some(last) = page.last() else { return Ok(None) };
                after = Some(last.id());
            }
        }
    }
}

/// Creates a session. The tenant layer has checked that the caller may act for the tenant, and that it is active.
pub(super) async fn open(
    Extension(sessions): Extension<Arc<Sessions>>,
    Extension(principal): Extension<Principal>,
    request: Request,
) -> Result<Response, Problem> {
    let id = sessions.open(principal, TenantContext::get()?)?;
    let is_local = origin::is_loopback(&request.into_parts().0);
    cookie::redirect_home(&cookie::set(&id, sessions.lifetime().as_secs(), is_local))
}
