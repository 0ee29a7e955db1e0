//! What goes wrong, as the caller hears of it.

use axum::Json;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// A problem of RFC 9457, with texts that are always the same: nothing of the request is in them.
///
/// What concerns the tenant is refused by the layer of `tenancy-tower`, with problems of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'static str,
}

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident = $status:literal $kind:literal $title:literal $detail:literal;)+) => {
        impl Problem {$(
            $(#[$doc])*
            pub const $name: Self = Self {
                kind: concat!("urn:problem-type:gateway:", $kind),
                title: $title,
                status: $status,
                detail: $detail,
            };
        )+}
    };
}

problems! {
    /// Who calls is not known.
    UNAUTHENTICATED = 401 "unauthenticated" "The caller is not known"
        "Send a token that this service knows: Authorization: Bearer TOKEN";
    /// The resource is the platform tenant's.
    PLATFORM_ONLY = 403 "platform-only" "This is for the platform tenant"
        "Tenants are managed in the platform tenant, 00000000-0000-0000-0000-000000000001, and in no other.";
    /// There is no such route.
    NO_ROUTE = 404 "no-such-resource" "There is no such resource" "No resource has this path.";
    /// The tenant has no such note, whoever else may have one.
    NO_NOTE = 404 "no-such-note" "There is no such note" "The tenant has no note with this id.";
    /// There is no such tenant.
    NO_TENANT = 404 "no-such-tenant" "There is no such tenant" "No tenant has this id.";
    /// The resource has no such method.
    METHOD = 405 "method-not-allowed" "The resource has no such method"
        "The header Allow names the methods that it has.";
    /// The request took too long.
    TOO_SLOW = 408 "too-slow" "The request took too long"
        "The request was not there, or not done, within the time that a request has.";
    /// The tenant has as many notes as it may have. It is a 409, and no 507: the service is well, and the
    /// caller can mend it by deleting a note.
    NOTES_FULL = 409 "notes-full" "The tenant has as many notes as it may have"
        "Delete a note, then try again.";
    /// There are as many tenants as there may be.
    TENANTS_FULL = 409 "tenants-full" "There are as many tenants as there may be"
        "This service has no room for another tenant.";
    /// Another tenant has the id or the slug.
    TENANT_TAKEN = 409 "tenant-taken" "The tenant's id or slug is taken"
        "Another tenant has the same id, or the same slug.";
    /// The platform tenant can't be suspended: nobody could resume it.
    PLATFORM_STAYS = 409 "platform-stays" "The platform tenant can't be suspended"
        "It is the one that resumes others.";
    /// A tenant that is deleted stays so.
    TENANT_DELETED = 409 "tenant-deleted" "The tenant is deleted" "A tenant that is deleted stays so.";
    /// The body is too large.
    TOO_LARGE = 413 "too-large" "The body is too large" "A body has at most 65,536 bytes.";
    /// The body is no JSON, as its type says.
    CONTENT_TYPE = 415 "content-type" "The body is not said to be JSON"
        "Send JSON, and Content-Type: application/json.";
    /// The body could not be read.
    BODY = 400 "unreadable-body" "The body could not be read" "The connection broke, or the body did.";
    /// The body is no JSON.
    SYNTAX = 400 "malformed-json" "The body is not JSON" "The body does not follow RFC 8259.";
    /// The query makes no sense.
    QUERY = 400 "malformed-query" "The query makes no sense"
        "A page has a limit, from 1 to 200, and comes after an id: both may be left out, and nothing else is there.";
    /// The JSON is not what is wanted here.
    SHAPE = 422 "wrong-shape" "The JSON is not what is wanted here"
        "A member is missing, not known, there twice, or of the wrong type.";
    /// A note's text is too short or too long, or has a character that Postgres keeps in no text.
    TEXT = 422 "text-length" "The text is too short or too long" "A text has 1 to 4,096 characters, and none is U+0000.";
    /// A tenant's id or slug is none.
    TENANT_FORM = 422 "tenant-form" "The tenant's id or slug is malformed"
        "An id is a UUID, and neither nil nor max; a slug is 1 to 63 of a-z, 0-9 and -, with no hyphen first or last.";
    /// The tenant has as many streams open as it may have.
    STREAMS_FULL = 429 "too-many-streams" "The tenant has as many streams open as it may have"
        "A tenant may have 16 streams of events open. Close one, then try again.";
    /// Something broke.
    INTERNAL = 500 "internal" "Something broke" "The fault is not the caller's, and its operator can read about it.";
    /// What tenants or notes are kept in does not answer.
    UNAVAILABLE = 503 "unavailable" "It can't be done now" "What things are kept in does not answer. Try again.";
}

impl Problem {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let fields = [
            (CONTENT_TYPE, HeaderValue::from_static("application/problem+json")),
            // A 404 may be cached without it (RFC 9111, section 4.2.2).
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        let mut response = (self.status(), fields, Json(self)).into_response();
        if self == Self::UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
