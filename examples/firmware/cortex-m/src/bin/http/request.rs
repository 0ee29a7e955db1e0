//! From a request's head to its answer.

use core::fmt::Write;
use core::time::Duration;

use heapless::String;
use httparse::{EMPTY_HEADER, Error, Header, Request, Status};
use tenancy::{
    InvalidTenantIdKind, RateLimitedError, ResolveTenantError, TENANT_HEADER, TenantClaims, TenantContext,
    TenantError, TenantId,
};

use crate::tenants::Tenants;

/// The most bytes that a head may have, and the most header fields.
pub(crate) const HEAD: usize = 1024;
const FIELDS: usize = 24;

pub(crate) type Answer = String<320>;

/// What a head came to.
enum Outcome {
    /// Served in this tenant, as its n-th request.
    Served(TenantId, u32),
    Refused(Refusal),
}

/// Why a request is refused: a status and a sentence of this program's own, nothing of the request's.
struct Refusal(u16, &'static str, &'static str, Extra);

/// A header field that the status asks for.
#[derive(Clone, Copy)]
enum Extra {
    None,
    Allow,
    RetryAfter(u64),
}

impl From<ResolveTenantError> for Refusal {
    fn from(error: ResolveTenantError) -> Self {
        let detail = match error {
            ResolveTenantError::Missing => "X-Tenant-ID is missing",
            ResolveTenantError::Duplicate => "X-Tenant-ID stands twice",
            ResolveTenantError::Conflict => "more than one tenant is named",
            ResolveTenantError::Invalid(error) => match error.kind() {
                InvalidTenantIdKind::Nil | InvalidTenantIdKind::Max => "X-Tenant-ID is a reserved id",
                _ => "X-Tenant-ID is not a tenant id",
            },
        };
        Self(400, "Bad Request", detail, Extra::None)
    }
}

impl From<TenantError> for Refusal {
    fn from(error: TenantError) -> Self {
        match error {
            TenantError::TenantNotFound(_) => Self(404, "Not Found", "no such tenant", Extra::None),
            TenantError::TenantValidation(_) => {
                Self(403, "Forbidden", "the tenant is suspended", Extra::None)
            }
            // Nothing else is asked here.
            _ => Self(500, "Internal Server Error", "no tenant context", Extra::None),
        }
    }
}

impl From<RateLimitedError> for Refusal {
    fn from(error: RateLimitedError) -> Self {
        let extra = Extra::RetryAfter(error.retry_after_seconds());
        Self(429, "Too Many Requests", "the tenant is over its limit", extra)
    }
}

/// The answer to what has come so far; `None` while the head is not complete.
pub(crate) fn answer(received: &[u8], tenants: &mut Tenants, now: Duration) -> Option<Answer> {
    let mut fields = [EMPTY_HEADER; FIELDS];
    let mut request = Request::new(&mut fields);
    let outcome = match request.parse(received) {
        Ok(Status::Partial) if received.len() < HEAD => return None,
        Ok(Status::Partial) | Err(Error::TooManyHeaders) => {
            Err(Refusal(431, "Request Header Fields Too Large", "the head is too large", Extra::None))
        }
        Ok(Status::Complete(_)) => serve(&request, tenants, now),
        Err(_) => Err(Refusal(400, "Bad Request", "not an HTTP request", Extra::None)),
    };
    let outcome = match outcome {
        Ok((tenant, number)) => Outcome::Served(tenant, number),
        Err(refusal) => Outcome::Refused(refusal),
    };
    Some(written(&outcome, request.method == Some("HEAD")))
}

fn serve(
    request: &Request<'_, '_>,
    tenants: &mut Tenants,
    now: Duration,
) -> Result<(TenantId, u32), Refusal> {
    if !matches!(request.method, Some("GET" | "HEAD")) {
        return Err(Refusal(405, "Method Not Allowed", "GET and HEAD alone", Extra::Allow));
    }
    let tenant = tenants.verify(claimed(request.headers)?)?;
    tenants.limit(&tenant, now)?;
    let served = TenantContext::scope(tenant.id(), || {
        match TenantContext::get() {
            Ok(tenant) => defmt::info!("context set: {}", tenant),
            Err(error) => defmt::error!("{}", error),
        }
        tenants.count_request().map(|number| (tenant.id(), number))
    });
    match TenantContext::get_optional() {
        None => defmt::info!("context cleared"),
        Some(left) => defmt::error!("context left behind: {}", left),
    }
    Ok(served?)
}

/// The tenant that the one `X-Tenant-ID` names.
fn claimed(fields: &[Header<'_>]) -> Result<TenantId, ResolveTenantError> {
    let named = fields.iter().filter(|field| field.name.eq_ignore_ascii_case(TENANT_HEADER));
    let mut claims = TenantClaims::new();
    claims.header(named.map(|field| field.value))?;
    claims.resolve()
}

fn written(outcome: &Outcome, head_only: bool) -> Answer {
    let mut body = String::<128>::new();
    let (status, reason, extra) = match outcome {
        Outcome::Served(tenant, number) => {
            let _ = writeln!(body, "{{\"tenant\":\"{tenant}\",\"requests\":{number}}}");
            (200, "OK", Extra::None)
        }
        Outcome::Refused(Refusal(status, reason, detail, extra)) => {
            let _ = writeln!(body, "{{\"status\":{status},\"detail\":\"{detail}\"}}");
            (*status, *reason, *extra)
        }
    };
    defmt::info!("answer {=u16}", status);
    let media_type = if status == 200 { "application/json" } else { "application/problem+json" };
    let mut answer = Answer::new();
    // All of it fits: the texts are this program's own.
    let _ = write!(
        answer,
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\nConnection: close\r\n",
        body.len()
    );
    let _ = match extra {
        Extra::None => answer.write_str("\r\n"),
        Extra::Allow => answer.write_str("Allow: GET, HEAD\r\n\r\n"),
        Extra::RetryAfter(seconds) => write!(answer, "Retry-After: {seconds}\r\n\r\n"),
    };
    if !head_only {
        let _ = answer.push_str(&body);
    }
    answer
}
