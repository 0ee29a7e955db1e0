//! Requests: from the received bytes to a response.

use core::fmt::Write;
use core::time::Duration;

use httparse::{EMPTY_HEADER, Error, Header, Request, Status};
use tenancy::{TENANT_HEADER, TenantClaims, TenantContext, TenantId};
use tenancy_token::TimeFloor;

use crate::agents;
use crate::rejection::Rejection;
use crate::response::{Body, Outcome, Response};
use crate::route::Route;
use crate::tenants::Tenants;
use crate::token;

/// The size of the longest request head.
pub(crate) const HEAD: usize = 1024;
/// The largest number of header fields.
const FIELDS: usize = 24;

/// Writes the response to a request. Returns false if the request head is not complete yet.
pub(crate) fn respond(
    received: &[u8],
    tenants: &mut Tenants,
    now: Duration,
    response: &mut Response,
) -> bool {
    let mut fields = [EMPTY_HEADER; FIELDS];
    let mut request = Request::new(&mut fields);
    // The previous response may have been for another tenant.
    response.body.clear();
    let outcome = match request.parse(received) {
        Ok(Status::Partial) if received.len() < HEAD => return false,
        Ok(Status::Partial) | Err(Error::TooManyHeaders) => Err(Rejection::HEAD_TOO_LARGE),
        Ok(Status::Complete(_)) => serve(&request, tenants, now, &mut response.body),
        Err(_) => Err(Rejection::INVALID_REQUEST),
    };
    match outcome {
        Ok(outcome) => response.complete(outcome),
        Err(rejection) => response.reject(&rejection),
    }
    if request.method == Some("HEAD") {
        response.body.clear();
    }
    true
}

/// Finds the route and the tenant, then performs the operation in the tenant's context.
fn serve(
    request: &Request<'_, '_>,
    tenants: &mut Tenants,
    now: Duration,
    body: &mut Body,
) -> Result<Outcome, Rejection> {
    let route = Route::find(request.method, request.path)?;
    let claimed = claimed_tenant(request.headers, tenants.time_floor())?;
    let tenant = tenants.verify(claimed)?;
    tenants.limit(&tenant, now)?;
    let outcome = TenantContext::scope(tenant.id(), || {
        match TenantContext::get() {
            Ok(tenant) => defmt::info!("context set: {}", tenant),
            Err(error) => defmt::error!("{}", error),
        }
        perform(&route, tenants, body)
    });
    match TenantContext::get_optional() {
        None => defmt::info!("context cleared"),
        Some(tenant) => defmt::error!("context not cleared: {}", tenant),
    }
    outcome
}

/// Performs the operation for the current tenant, which is not among the arguments.
fn perform(route: &Route, tenants: &mut Tenants, body: &mut Body) -> Result<Outcome, Rejection> {
    let requests = tenants.count_request()?;
    match route {
        Route::Counter => {
            let tenant = TenantContext::get().map_err(tenancy::TenantError::from)?;
            // The write cannot fail: an id and a number fit.
            let _ = writeln!(body, "{{\"tenant\":\"{tenant}\",\"requests\":{requests}}}");
            Ok(Outcome::Json)
        }
        Route::Agents(query) => agents::list(query, body),
        Route::Agent(id) => agents::read(*id, body),
        Route::Heartbeat(id) => agents::heartbeat(*id),
    }
}

/// Returns the tenant named by the request: by a token, by one `X-Tenant-ID`, or by both if they agree.
fn claimed_tenant(fields: &[Header<'_>], floor: &mut TimeFloor) -> Result<TenantId, Rejection> {
    let named = fields.iter().filter(|field| field.name.eq_ignore_ascii_case(TENANT_HEADER));
    let mut claims = TenantClaims::new();
    if let Some(tenant) = token::tenant_of(fields, floor)? {
        claims.tenant(tenant)?;
    }
    claims.header(named.map(|field| field.value))?;
    Ok(claims.resolve()?)
}
