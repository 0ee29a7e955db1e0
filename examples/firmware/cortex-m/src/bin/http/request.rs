//! From a request's head to its answer.

use core::fmt::Write;

use heapless::String;
use httparse::{EMPTY_HEADER, Error, Header, Request, Status};
use tenancy::{InvalidTenantIdKind, TenantContext, TenantError, TenantId};

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
struct Refusal(u16, &'static str, &'static str);

impl From<TenantError> for Refusal {
    fn from(error: TenantError) -> Self {
        match error {
            TenantError::InvalidTenantId(error) => match error.kind() {
                InvalidTenantIdKind::Nil | InvalidTenantIdKind::Max => {
                    Self(400, "Bad Request", "X-Tenant-ID is a reserved id")
                }
                _ => Self(400, "Bad Request", "X-Tenant-ID is not a tenant id"),
            },
            TenantError::TenantNotFound(_) => Self(404, "Not Found", "no such tenant"),
            TenantError::TenantValidation(_) => Self(403, "Forbidden", "the tenant is suspended"),
            TenantError::UnauthorizedTenantAccess(_) => Self(403, "Forbidden", "not your tenant"),
            _ => Self(500, "Internal Server Error", "no tenant context"),
        }
    }
}

/// The answer to what has come so far; `None` while the head is not complete.
pub(crate) fn answer(received: &[u8], tenants: &mut Tenants) -> Option<Answer> {
    let mut fields = [EMPTY_HEADER; FIELDS];
    let mut request = Request::new(&mut fields);
    let outcome = match request.parse(received) {
        Ok(Status::Partial) if received.len() < HEAD => return None,
        Ok(Status::Partial) | Err(Error::TooManyHeaders) => {
            Err(Refusal(431, "Request Header Fields Too Large", "the head is too large"))
        }
        Ok(Status::Complete(_)) => serve(&request, tenants),
        Err(_) => Err(Refusal(400, "Bad Request", "not an HTTP request")),
    };
    let outcome = match outcome {
        Ok((tenant, number)) => Outcome::Served(tenant, number),
        Err(refusal) => Outcome::Refused(refusal),
    };
    Some(written(&outcome, request.method == Some("HEAD")))
}

fn serve(request: &Request<'_, '_>, tenants: &mut Tenants) -> Result<(TenantId, u32), Refusal> {
    if !matches!(request.method, Some("GET" | "HEAD")) {
        return Err(Refusal(405, "Method Not Allowed", "GET and HEAD alone"));
    }
    let tenant = tenants.verify(claimed(request.headers)?)?;
    let served = TenantContext::scope(tenant, || {
        match TenantContext::get() {
            Ok(tenant) => defmt::info!("context set: {}", tenant),
            Err(error) => defmt::error!("{}", error),
        }
        tenants.count_request().map(|number| (tenant, number))
    });
    match TenantContext::get_optional() {
        None => defmt::info!("context cleared"),
        Some(left) => defmt::error!("context left behind: {}", left),
    }
    Ok(served?)
}

/// The tenant that the one `X-Tenant-ID` names.
fn claimed(fields: &[Header<'_>]) -> Result<TenantId, Refusal> {
    let mut values = fields.iter().filter(|field| field.name.eq_ignore_ascii_case("X-Tenant-ID"));
    match (values.next(), values.next()) {
        (Some(field), None) => Ok(TenantId::parse_ascii(field.value).map_err(TenantError::from)?),
        (None, _) => Err(Refusal(400, "Bad Request", "X-Tenant-ID is missing")),
        (Some(_), Some(_)) => Err(Refusal(400, "Bad Request", "X-Tenant-ID stands twice")),
    }
}

fn written(outcome: &Outcome, head_only: bool) -> Answer {
    let mut body = String::<128>::new();
    let (status, reason) = match outcome {
        Outcome::Served(tenant, number) => {
            let _ = writeln!(body, "{{\"tenant\":\"{tenant}\",\"requests\":{number}}}");
            (200, "OK")
        }
        Outcome::Refused(Refusal(status, reason, detail)) => {
            let _ = writeln!(body, "{{\"status\":{status},\"detail\":\"{detail}\"}}");
            (*status, *reason)
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
    if status == 405 {
        let _ = answer.push_str("Allow: GET, HEAD\r\n");
    }
    let _ = answer.push_str("\r\n");
    if !head_only {
        let _ = answer.push_str(&body);
    }
    answer
}
