//! Why a request is rejected, and the response that says so.

use std::fmt;

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use tenancy::{InvalidTenantIdKind, ResolveTenantError, TenantStatus};

/// Why a request was rejected.
///
/// The response is `application/problem+json` ([RFC 9457]). Its texts are constant and repeat nothing of the request.
///
/// | rejection | status | `type`, after `urn:problem-type:tenancy:` |
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
/// A gRPC request, which is a POST over HTTP/2 with the content type `application/grpc`, gets a gRPC status without a
/// body instead.
///
/// [RFC 9457]: https://www.rfc-editor.org/rfc/rfc9457
///
/// ```
/// use tenancy_tower::Rejection;
///
/// assert_eq!(Rejection::Forbidden.status(), 403);
/// assert!(Rejection::Forbidden.problem().contains(r#""type":"urn:problem-type:tenancy:tenant-forbidden""#));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Rejection {
    /// No source names a tenant.
    Missing,
    /// The header occurs more than once.
    Duplicate,
    /// The value that should name a tenant is not a tenant id.
    Malformed,
    /// The id is the nil UUID or the max UUID.
    Reserved,
    /// Sources name different tenants.
    Conflict,
    /// The caller may not act for the tenant. The response is the same whether or not the tenant exists.
    Forbidden,
    /// The tenant is suspended.
    Suspended,
    /// The tenant does not exist, or was deleted.
    Unknown,
    /// The tenant exceeded its rate limit.
    RateLimited,
    /// The policy or the directory failed, or did not answer in time.
    Unavailable,
    /// A handler that needs a tenant is not inside a [`TenantLayer`](crate::TenantLayer).
    NotInstalled,
}

/// A gRPC status code (<https://grpc.github.io/grpc/core/md_doc_statuscodes.html>).
#[derive(Clone, Copy)]
enum GrpcCode {
    InvalidArgument,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Internal,
    Unavailable,
}

/// The constant parts of a rejection's response.
struct Message {
    status: StatusCode,
    grpc: GrpcCode,
    title: &'static str,
    problem: &'static str,
}

macro_rules! message {
    ($status:literal, $constant:ident, $grpc:ident, $kind:literal, $title:literal, $detail:literal) => {
        Message {
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

impl Rejection {
    const fn message(self) -> Message {
        match self {
            Self::Missing => message!(
                400,
                BAD_REQUEST,
                InvalidArgument,
                "tenant-missing",
                "No tenant is named",
                "Name the tenant of the request. By default its id is in the header X-Tenant-ID."
            ),
            Self::Duplicate => message!(
                400,
                BAD_REQUEST,
                InvalidArgument,
                "tenant-duplicate",
                "The tenant is named twice",
                "Send the header that names the tenant once."
            ),
            Self::Malformed => message!(
                400,
                BAD_REQUEST,
                InvalidArgument,
                "tenant-malformed",
                "The tenant's id is malformed",
                "A tenant id is a UUID, for example 123e4567-e89b-12d3-a456-426614174000."
            ),
            Self::Reserved => message!(
                400,
                BAD_REQUEST,
                InvalidArgument,
                "tenant-reserved",
                "The tenant's id is reserved",
                "The nil UUID and the max UUID cannot be tenant ids."
            ),
            Self::Conflict => message!(
                400,
                BAD_REQUEST,
                InvalidArgument,
                "tenant-conflict",
                "The request names more than one tenant",
                "All parts of the request that name a tenant must name the same tenant."
            ),
            Self::Forbidden => message!(
                403,
                FORBIDDEN,
                PermissionDenied,
                "tenant-forbidden",
                "The caller may not act for the tenant",
                "The credentials of this request do not permit access to the tenant that it names."
            ),
            Self::Suspended => message!(
                403,
                FORBIDDEN,
                PermissionDenied,
                "tenant-suspended",
                "The tenant is suspended",
                "Requests for this tenant are rejected until the platform resumes it."
            ),
            Self::Unknown => message!(
                404,
                NOT_FOUND,
                NotFound,
                "tenant-unknown",
                "The tenant does not exist",
                "No tenant has this id."
            ),
            Self::RateLimited => message!(
                429,
                TOO_MANY_REQUESTS,
                ResourceExhausted,
                "tenant-rate-limited",
                "The tenant exceeded its rate limit",
                "Send fewer requests, or try again later."
            ),
            Self::Unavailable => message!(
                503,
                SERVICE_UNAVAILABLE,
                Unavailable,
                "tenant-unavailable",
                "The tenant could not be verified",
                "The tenant or the permission of the caller could not be looked up in time. Try again."
            ),
            Self::NotInstalled => message!(
                503,
                SERVICE_UNAVAILABLE,
                Internal,
                "tenant-not-installed",
                "The tenant middleware is not installed",
                "This resource needs a tenant, but the tenant middleware does not cover its path."
            ),
        }
    }

    /// Returns the status code of the response.
    pub const fn status(self) -> StatusCode {
        self.message().status
    }

    /// Returns the body of the response, a JSON object.
    pub const fn problem(self) -> &'static str {
        self.message().problem
    }

    /// Builds the response.
    pub fn into_response<B: From<&'static [u8]>>(self) -> Response<B> {
        let mut response = Response::new(B::from(self.problem().as_bytes()));
        *response.status_mut() = self.status();
        self.fill(response.headers_mut());
        response
    }

    pub(crate) fn fill(self, headers: &mut HeaderMap) {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        // Without this field a 404 may be cached (RFC 9111, section 4.2.2), and the tenant may be created meanwhile.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self == Self::Unavailable {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
    }

    /// Writes a "Trailers-Only" response (gRPC over HTTP/2, Responses).
    pub(crate) fn fill_grpc(self, headers: &mut HeaderMap) {
        let Message { grpc, title, .. } = self.message();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(HeaderName::from_static("grpc-status"), HeaderValue::from_static(grpc.number()));
        headers.insert(HeaderName::from_static("grpc-message"), HeaderValue::from_static(title));
    }

    /// Converts the directory's answer.
    pub(crate) const fn of_status(status: Option<TenantStatus>) -> Result<(), Self> {
        match status {
            Some(TenantStatus::Active) => Ok(()),
            Some(TenantStatus::Deleted) | None => Err(Self::Unknown),
            // Also any status that is added later.
            Some(_) => Err(Self::Suspended),
        }
    }
}

/// Returns whether the request comes from a gRPC client, which does not take a status of 200 for a success.
///
/// Other clients do, so everything that gRPC over HTTP/2 demands of a request is checked.
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

impl From<ResolveTenantError> for Rejection {
    fn from(error: ResolveTenantError) -> Self {
        match error {
            ResolveTenantError::Missing => Self::Missing,
            ResolveTenantError::Duplicate => Self::Duplicate,
            ResolveTenantError::Conflict => Self::Conflict,
            ResolveTenantError::Invalid(error) => match error.kind() {
                InvalidTenantIdKind::Nil | InvalidTenantIdKind::Max => Self::Reserved,
                _ => Self::Malformed,
            },
            // The enum can get more variants.
            _ => Self::Malformed,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message().title)
    }
}

impl std::error::Error for Rejection {}
