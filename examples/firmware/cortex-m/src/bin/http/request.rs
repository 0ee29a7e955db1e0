//! From a request's head to its answer.

use core::fmt::Write;
use core::time::Duration;

use httparse::{EMPTY_HEADER, Error, Header, Request, Status};
use tenancy::{ResolveTenantError, TENANT_HEADER, TenantClaims, TenantContext, TenantId};

use crate::agents;
use crate::answer::{Answer, Body, Served};
use crate::refusal::{Extra, Refusal};
use crate::route::Route;
use crate::tenants::Tenants;

/// The most bytes that a head may have, and the most header fields.
pub(crate) const HEAD: usize = 1024;
const FIELDS: usize = 24;

/// Answers what has come so far; false while the head is not complete.
pub(crate) fn answer(received: &[u8], tenants: &mut Tenants, now: Duration, answer: &mut Answer) -> bool {
    let mut fields = [EMPTY_HEADER; FIELDS];
    let mut request = Request::new(&mut fields);
    // The answer before is another tenant's, perhaps.
    answer.body.clear();
    let outcome = match request.parse(received) {
        Ok(Status::Partial) if received.len() < HEAD => return false,
        Ok(Status::Partial) | Err(Error::TooManyHeaders) => {
            Err(Refusal(431, "Request Header Fields Too Large", "the head is too large", Extra::None))
        }
        Ok(Status::Complete(_)) => serve(&request, tenants, now, &mut answer.body),
        Err(_) => Err(Refusal(400, "Bad Request", "not an HTTP request", Extra::None)),
    };
    match outcome {
        Ok(served) => answer.serve(served),
        Err(refusal) => answer.refuse(&refusal),
    }
    if request.method == Some("HEAD") {
        answer.body.clear();
    }
    true
}

/// What it is about first, then for whom; and in the tenant's context what it asks for.
fn serve(
    request: &Request<'_, '_>,
    tenants: &mut Tenants,
    now: Duration,
    body: &mut Body,
) -> Result<Served, Refusal> {
    let route = Route::of(request.method, request.path)?;
    let tenant = tenants.verify(claimed(request.headers)?)?;
    tenants.limit(&tenant, now)?;
    let served = TenantContext::scope(tenant.id(), || {
        match TenantContext::get() {
            Ok(tenant) => defmt::info!("context set: {}", tenant),
            Err(error) => defmt::error!("{}", error),
        }
        in_context(&route, tenants, body)
    });
    match TenantContext::get_optional() {
        None => defmt::info!("context cleared"),
        Some(left) => defmt::error!("context left behind: {}", left),
    }
    served
}

/// The tenant is not among the arguments.
fn in_context(route: &Route, tenants: &mut Tenants, body: &mut Body) -> Result<Served, Refusal> {
    let requests = tenants.count_request()?;
    match route {
        Route::Counter => {
            let tenant = TenantContext::get().map_err(tenancy::TenantError::from)?;
            // It fits: two numbers.
            let _ = writeln!(body, "{{\"tenant\":\"{tenant}\",\"requests\":{requests}}}");
            Ok(Served::Json)
        }
        Route::Agents(query) => agents::list(query, body),
        Route::Agent(id) => agents::read(*id, body),
        Route::Heartbeat(id) => agents::heartbeat(*id),
    }
}

/// The tenant that the one `X-Tenant-ID` names.
fn claimed(fields: &[Header<'_>]) -> Result<TenantId, ResolveTenantError> {
    let named = fields.iter().filter(|field| field.name.eq_ignore_ascii_case(TENANT_HEADER));
    let mut claims = TenantClaims::new();
    claims.header(named.map(|field| field.value))?;
    claims.resolve()
}
