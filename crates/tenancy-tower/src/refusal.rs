//! Why a request is not served, and what the caller hears of it.

use std::fmt;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use tenancy::{InvalidTenantIdKind, ResolveTenantError, TenantStatus};

use crate::TenantBody;

/// Why a request is not served. The caller hears of it as `application/problem+json` (RFC 9457), with texts
/// that are always the same: nothing of the request is in them.
///
/// | refusal | status | `type`, after `urn:problem-type:tenancy:` |
/// | --- | --- | --- |
/// | `Missing` | 400 | `tenant-missing` |
/// | `Duplicate` | 400 | `tenant-duplicate` |
/// | `Malformed` | 400 | `tenant-malformed` |
/// | `Reserved` | 400 | `tenant-reserved` |
/// | `Conflict` | 400 | `tenant-conflict` |
/// | `Forbidden` | 403 | `tenant-forbidden` |
/// | `Suspended` | 403 | `tenant-suspended` |
/// | `Unknown` | 404 | `tenant-unknown` |
/// | `RateLimited` | 429 | `tenant-rate-limited` |
/// | `Unavailable` | 503, `Retry-After: 1` | `tenant-unavailable` |
/// | `NotInstalled` | 503 | `tenant-not-installed` |
///
/// A gRPC request (a POST over HTTP/2 with that content type) gets a status of gRPC without a body instead.
///
/// ```
/// use tenancy_tower::Refusal;
///
/// assert_eq!(Refusal::Forbidden.status(), 403);
/// assert!(Refusal::Forbidden.problem().contains(r#""type":"urn:problem-type:tenancy:tenant-forbidden""#));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// No source names a tenant.
    Missing,
    /// The header is there more than once.
    Duplicate,
    /// What should name a tenant is no id.
    Malformed,
    /// The id is nil or all ones.
    Reserved,
    /// Sources name different tenants.
    Conflict,
    /// The caller may not act for the tenant, whether or not there is one.
    Forbidden,
    /// The tenant is suspended.
    Suspended,
    /// There is no such tenant, or not any more.
    Unknown,
    /// The tenant has used up what it may do for now.
    RateLimited,
    /// Whether the tenant exists, or the caller may act for it, could not be found out in time.
    Unavailable,
    /// A handler that needs a tenant stands outside of the [`TenantLayer`](crate::TenantLayer).
    NotInstalled,
}

/// The number of a status in gRPC (<https://grpc.github.io/grpc/core/md_doc_statuscodes.html>).
#[derive(Clone, Copy)]
enum GrpcCode {
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Internal,
    Unavailable,
}

/// What there is to say of a refusal.
struct Words {
    status: StatusCode,
    grpc: GrpcCode,
    title: &'static str,
    problem: &'static str,
}

macro_rules! words {
    ($status:literal, $constant:ident, $grpc:ident, $kind:literal, $title:literal, $detail:literal) => {
        Words {
            status: StatusCode::$constant,
            grpc: GrpcCode::$grpc,
            title: $title,
            problem: concat!(
                r#"{"type":"urn:problem-type:tenancy:"#,
                $kind,
                r#"","title":""#,
                $title,
                r#"","status":"#,
                $status,
                r#","detail":""#,
                $detail,
                r#""}"#
            ),
        }
    };
}

impl Refusal {
    const fn words(self) -> Words {
        match self {
            Self::Missing => words!(
                400,
                BAD_REQUEST,
                InvalidArgument,
                "tenant-missing",
                "No tenant is named",
                "Name the tenant that the request is for: in the header X-Tenant-ID, where nothing else was agreed."
            ),
            Self::Duplicate => words!(
                400,
                BAD_REQUEST,
                InvalidArgument,
                "tenant-duplicate",
                "The tenant is named twice",
                "Send the header that names the tenant once."
            ),
            Self::Malformed => words!(
                400,
                BAD_REQUEST,
                InvalidArgument,
                "tenant-malformed",
                "The tenant's id is malformed",
                "A tenant's id is one UUID, such as 123e4567-e89b-12d3-a456-426614174000, and nothing else."
            ),
            Self::Reserved => words!(
                400,
                BAD_REQUEST,
                InvalidArgument,
                "tenant-reserved",
                "The tenant's id is reserved",
                "The nil UUID and the max UUID are no tenant's id."
            ),
            Self::Conflict => words!(
                400,
                BAD_REQUEST,
                InvalidArgument,
                "tenant-conflict",
                "The request names more than one tenant",
                "The places in the request that name a tenant must name the same."
            ),
            Self::Forbidden => words!(
                403,
                FORBIDDEN,
                PermissionDenied,
                "tenant-forbidden",
                "The caller may not act for the tenant",
                "The credentials of this request are not good for the tenant that it names."
            ),
            Self::Suspended => words!(
                403,
                FORBIDDEN,
                PermissionDenied,
                "tenant-suspended",
                "The tenant is suspended",
                "Nothing is done for this tenant until the platform resumes it."
            ),
            Self::Unknown => words!(
                404,
                NOT_FOUND,
                NotFound,
                "tenant-unknown",
                "There is no such tenant",
                "No tenant has this id."
            ),
            Self::RateLimited => words!(
                429,
                TOO_MANY_REQUESTS,
                ResourceExhausted,
                "tenant-rate-limited",
                "The tenant is over its limit",
                "The tenant has used up what it may do for now."
            ),
            Self::Unavailable => words!(
                503,
                SERVICE_UNAVAILABLE,
                Unavailable,
                "tenant-unavailable",
                "The tenant could not be verified",
                "Whether the request may be served could not be found out in time. Try again."
            ),
            Self::NotInstalled => words!(
                503,
                SERVICE_UNAVAILABLE,
                Internal,
                "tenant-not-installed",
                "The tenant middleware is not installed",
                "This resource needs a tenant, and stands outside of what establishes one, or on a path that is exempt from it."
            ),
        }
    }

    /// The status of the answer.
    pub const fn status(self) -> StatusCode {
        self.words().status
    }

    /// The body of the answer.
    pub const fn problem(self) -> &'static str {
        self.words().problem
    }

    /// The answer.
    pub fn into_response<B: From<&'static [u8]>>(self) -> Response<B> {
        let mut response = Response::new(B::from(self.problem().as_bytes()));
        *response.status_mut() = self.status();
        self.fill(response.headers_mut());
        response
    }

    fn fill(self, headers: &mut HeaderMap) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        // A 404 may be cached without it (RFC 9111, section 4.2.2), and the next request have a tenant.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self == Self::Unavailable {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
    }

    /// The answer, in the memory of the request's header fields: nothing is allocated where it had some.
    pub(crate) fn answer<B>(self, mut headers: HeaderMap, is_grpc: bool) -> Response<TenantBody<B>> {
        headers.clear();
        let (status, body) = if is_grpc {
            self.fill_grpc(&mut headers);
            (StatusCode::OK, None)
        } else {
            self.fill(&mut headers);
            (self.status(), Some(self))
        };
        let mut response = Response::new(TenantBody::refused(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }

    /// Trailers alone, as header fields: a gRPC client shows no other (gRPC over HTTP/2, Responses).
    fn fill_grpc(self, headers: &mut HeaderMap) {
        let Words { grpc, title, .. } = self.words();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(HeaderName::from_static("grpc-status"), HeaderValue::from_static(grpc.number()));
        headers.insert(HeaderName::from_static("grpc-message"), HeaderValue::from_static(title));
    }

    /// What a directory's answer comes to.
    pub(crate) const fn of_status(status: Option<TenantStatus>) -> Result<(), Self> {
        match status {
            Some(TenantStatus::Active) => Ok(()),
            Some(TenantStatus::Deleted) | None => Err(Self::Unknown),
            // And whatever state there will be besides.
            Some(_) => Err(Self::Suspended),
        }
    }
}

/// Whether the answer is for a client of gRPC, which takes a 200 for no success. Anybody else does, so all that
/// gRPC over HTTP/2 asks of a request has to be there, and its content type is no other's.
pub(crate) fn is_grpc<B>(request: &Request<B>) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let rest = kind.and_then(|kind| kind.strip_prefix(b"application/grpc"));
    let is_kind = rest.is_some_and(|rest| matches!(rest, [] | [b'+' | b';', ..]));
    is_kind && request.method() == Method::POST && request.version() == Version::HTTP_2
}

impl GrpcCode {
    const fn number(self) -> &'static str {
        match self {
            Self::InvalidArgument => "3",
            Self::NotFound => "5",
            Self::PermissionDenied => "7",
            Self::ResourceExhausted => "8",
            Self::Internal => "13",
            Self::Unavailable => "14",
        }
    }
}

impl From<ResolveTenantError> for Refusal {
    fn from(error: ResolveTenantError) -> Self {
        match error {
            ResolveTenantError::Missing => Self::Missing,
            ResolveTenantError::Duplicate => Self::Duplicate,
            ResolveTenantError::Conflict => Self::Conflict,
            ResolveTenantError::Invalid(error) => match error.kind() {
                InvalidTenantIdKind::Nil | InvalidTenantIdKind::Max => Self::Reserved,
                _ => Self::Malformed,
            },
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words().title)
    }
}

impl std::error::Error for Refusal {}
