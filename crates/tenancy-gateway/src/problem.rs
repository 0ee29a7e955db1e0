//! Errors as problem documents.

use axum::Json;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Serialize, Serializer};
use tenancy::{TenantContextNotSetError, TenantId};
use tenancy_agents::{AgentStatus, InvalidAgentKind};
use utoipa::ToSchema;

/// A problem of RFC 9457. Its texts are constant and contain nothing from the request.
///
/// The layer of `tenancy-tower` has problems of its own, about the tenant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'static str,
    #[serde(flatten)]
    more: Option<More>,
}

/// The result of a check.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckResult {
    /// The check passed.
    Ok,
    /// The check failed.
    Failing,
    /// The shutdown has begun.
    InProgress,
}

/// The results of the checks of readiness.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub struct Checks {
    /// The store of tenants: `ok` or `failing`.
    pub tenants: CheckResult,
    /// The store of notes: `ok` or `failing`.
    pub notes: CheckResult,
    /// Redis, if it is used: `ok` or `failing`. The service is ready without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redis: Option<CheckResult>,
    /// `in_progress` after the first signal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shutdown: Option<CheckResult>,
}

impl Checks {
    /// Returns whether the service can serve requests.
    pub fn are_passed(&self) -> bool {
        self.tenants == CheckResult::Ok && self.notes == CheckResult::Ok && self.shutdown.is_none()
    }
}

/// The extension members of a problem.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(untagged)]
pub enum More {
    /// For an invalid transition.
    Step {
        /// The agent's status.
        from: AgentStatus,
        /// The requested status.
        to: AgentStatus,
    },
    /// For an invalid member of the body.
    Member {
        /// The name of the member in the schema.
        member: &'static str,
        /// The rule that it breaks.
        #[serde(serialize_with = "display")]
        rule: InvalidAgentKind,
    },
    /// For JSON that does not match the schema.
    Shape {
        /// The name of the member in the schema, if it is known.
        #[serde(skip_serializing_if = "Option::is_none")]
        member: Option<&'static str>,
        /// The rule that is broken.
        rule: &'static str,
    },
    /// For a service that is not ready, for the operator only.
    Checks {
        /// The results.
        checks: Checks,
    },
    /// For a name in use, for the platform only.
    Holders {
        /// The tenant with the lowest id that has the name.
        holder: TenantId,
        /// The number of other tenants that have it.
        others: u64,
    },
}

fn display<S: Serializer>(rule: &InvalidAgentKind, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(rule)
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
                more: None,
            };
        )+}
    };
}

problems! {
    /// The caller is unknown.
    UNAUTHENTICATED = 401 "unauthenticated" "Unknown caller"
        "Send a token that this service knows: Authorization: Bearer TOKEN";
    /// The resource is for the platform tenant.
    PLATFORM_ONLY = 403 "platform-only" "Only for the platform tenant"
        "Tenants are managed, and agents approved, in the platform tenant, 00000000-0000-0000-0000-000000000001.";
    /// The agent is a shared one of the platform.
    AGENT_READ_ONLY = 403 "agent-read-only" "Agent of the platform"
        "The platform shares the agent with all tenants. Only the platform can change it.";
    /// No route has the path.
    NO_ROUTE = 404 "no-such-resource" "Resource not found" "No resource has this path.";
    /// The tenant has no such note, even if another tenant has.
    NO_NOTE = 404 "no-such-note" "Note not found" "The tenant has no note with this id.";
    /// The tenant sees no such agent, even if another tenant does.
    NO_AGENT = 404 "no-such-agent" "Agent not found" "The tenant sees no agent with this id or name.";
    /// The tenant does not exist.
    NO_TENANT = 404 "no-such-tenant" "Tenant not found" "No tenant has this id.";
    /// The resource does not have the method.
    METHOD = 405 "method-not-allowed" "Method not allowed"
        "The header field Allow lists the methods of the resource.";
    /// The request took too long.
    TOO_SLOW = 408 "too-slow" "Request took too long"
        "The request did not arrive, or was not completed, within the time limit.";
    /// The tenant has the maximum number of notes. Not a 507: the caller can delete a note.
    NOTES_FULL = 409 "notes-full" "Maximum number of notes reached"
        "Delete a note, then try again.";
    /// There is the maximum number of tenants.
    TENANTS_FULL = 409 "tenants-full" "Maximum number of tenants reached"
        "This service cannot store another tenant.";
    /// Another tenant has the id or the slug.
    TENANT_TAKEN = 409 "tenant-taken" "Tenant exists"
        "Another tenant has the same id or slug.";
    /// The platform tenant cannot be suspended.
    PLATFORM_STAYS = 409 "platform-stays" "Platform tenant cannot be suspended"
        "Only the platform tenant can resume tenants.";
    /// The tenant is deleted.
    TENANT_DELETED = 409 "tenant-deleted" "Tenant is deleted" "A deleted tenant cannot be changed.";
    /// Another agent of the tenant has the name.
    NAME_TAKEN = 409 "name-taken" "Name of another agent"
        "The tenant has an agent with this name and other content. Choose another name, or change that agent.";
    /// A shared agent of the platform has the name.
    NAME_SHARED = 409 "name-shared" "Name of a shared agent"
        "The platform shares an agent with this name with all tenants. Choose another name.";
    /// Agents of tenants have the name of an agent that the platform would share.
    NAME_HELD = 409 "name-held" "Name of tenants' agents"
        "A shared agent cannot have the name of a tenant's agent. The member holder is the tenant with the lowest id that has such an agent, and others is the number of other tenants.";
    /// The status of the agent does not allow the change.
    TRANSITION = 409 "invalid-transition" "Invalid transition"
        "The member from is the agent's status, and to is the requested one.";
    /// The tenant has the maximum number of agents.
    AGENTS_FULL = 409 "agents-full" "Maximum number of agents reached"
        "Delete an agent, then try again.";
    /// The agent is deleted.
    AGENT_DELETED = 410 "agent-deleted" "Agent is deleted" "A deleted agent cannot be changed.";
    /// A precondition names another revision.
    REVISION = 412 "revision" "Precondition failed"
        "The agent has another revision than the one in the precondition. Read the agent, then try again.";
    /// Notes have no entity tag, so a precondition with one fails.
    NO_TAG = 412 "no-entity-tag" "Precondition failed"
        "Notes have no entity tags. They match If-Match: * only, and do not match If-None-Match: *.";
    /// The request is for another host, and the demo's public tokens are accepted.
    MISDIRECTED = 421 "misdirected" "Host is not allowed"
        "The tokens are those of the demo, which are accepted on this machine only. Use 127.0.0.1 or localhost, or set other tokens by --principals.";
    /// A change needs a precondition.
    PRECONDITION = 428 "precondition-required" "Precondition required"
        "Send If-Match with the ETag of the agent.";
    /// The body is too large.
    TOO_LARGE = 413 "too-large" "Body too large"
        "The operator of this service sets the maximum.";
    /// The body has another type.
    CONTENT_TYPE = 415 "content-type" "Unsupported type of the body"
        "Send JSON, with Content-Type: application/json.";
    /// The body could not be read.
    BODY = 400 "unreadable-body" "Body could not be read" "The connection failed, or the body is incomplete.";
    /// The body is not JSON.
    SYNTAX = 400 "malformed-json" "Malformed JSON" "The body does not follow RFC 8259.";
    /// The JSON is nested too deeply.
    TOO_DEEP = 400 "json-too-deep" "JSON is nested too deeply" "The maximum depth is 127.";
    /// The query is malformed.
    QUERY = 400 "malformed-query" "Malformed query"
        "The optional parameters are limit, from 1 to 200, and after, an id.";
    /// The query of agents is malformed.
    AGENTS_QUERY = 400 "malformed-query" "Malformed query"
        "A list has the optional parameters status, capability, tier, visibility, limit, from 1 to 200, and after, an id. A search has capability, limit and after. A count has no limit and no after. Each is allowed once.";
    /// The host is missing or malformed.
    HOST = 400 "malformed-host" "Missing or malformed Host" "Send the host of this service, with its port.";
    /// The request names several hosts.
    HOSTS = 400 "several-hosts" "Several hosts" "Send one Host field, which is equal to the host in the request's target.";
    /// `If-Match` is malformed.
    IF_MATCH = 400 "malformed-if-match" "Malformed If-Match"
        "If-Match is * or a list of entity tags (RFC 9110, section 13.1.1), for example \"7\".";
    /// The body is compressed.
    CONTENT_ENCODING = 415 "content-encoding" "Compressed body" "Send the body without Content-Encoding.";
    /// The body is not declared as a patch.
    PATCH_TYPE = 415 "content-type" "Unsupported type of the body"
        "Send a merge patch (RFC 7396), with Content-Type: application/merge-patch+json or application/json.";
    /// The query of the page is malformed.
    PAGE_QUERY = 400 "malformed-query" "Malformed query"
        "The optional parameters of the page are status, after and tenants_after.";
    /// A request for the page has header fields of the API.
    PAGE_HEADERS = 400 "page-headers" "Header fields of the API"
        "Authorization and X-Tenant-ID are for /v1. To use the page, sign in.";
    /// A form came from another site.
    CROSS_SITE = 403 "cross-site" "Form of another site"
        "The form was sent from another site, or its origin is unknown. Open this page itself, and try again there.";
    /// A form of the page is malformed.
    FORM = 422 "wrong-form" "Malformed form"
        "Fill in the token and the tenant.";
    /// The JSON does not match the schema.
    SHAPE = 422 "wrong-shape" "Invalid JSON members"
        "A member is missing, unknown, duplicated or of the wrong type.";
    /// A note's text has an invalid length, or a character that Postgres cannot store.
    TEXT = 422 "text-length" "Invalid text" "A text has 1 to 4,096 characters other than U+0000.";
    /// A member of an agent is invalid.
    AGENT_FORM = 422 "agent-form" "Invalid member of the agent"
        "The member breaks the rule.";
    /// A patch has members that cannot be changed.
    PATCH_MEMBER = 422 "wrong-shape" "Invalid JSON members"
        "A merge patch is an object without duplicate members. It can change the content of an agent, but not its name, its status or what the service sets.";
    /// The id or slug of a tenant is malformed.
    TENANT_FORM = 422 "tenant-form" "Malformed id or slug"
        "An id is a UUID that is neither nil nor max. A slug is 1 to 63 characters of a-z, 0-9 and -, not starting or ending with a hyphen.";
    /// The tenant has the maximum number of open streams.
    STREAMS_FULL = 429 "too-many-streams" "Maximum number of streams reached"
        "A tenant can have 16 open streams of events. Close one, then try again.";
    /// Internal error.
    INTERNAL = 500 "internal" "Internal error" "The cause is in the log of the service.";
    /// The service is not ready.
    NOT_READY = 503 "not-ready" "Not ready" "The operator of this service can see the reasons with a token.";
    /// There is the maximum number of sessions.
    SESSIONS_FULL = 503 "too-many-sessions" "Maximum number of sessions reached"
        "Try again later.";
    /// The disk or the memory is full.
    NO_ROOM = 503 "no-room" "No space left" "The store is full. The operator can find the cause in the log.";
    /// A store does not answer.
    UNAVAILABLE = 503 "unavailable" "Temporarily unavailable" "A store does not answer. Try again.";
}

impl Problem {
    /// Adds extension members.
    #[must_use]
    pub const fn with(self, more: More) -> Self {
        Self { more: Some(more), ..self }
    }

    /// Returns the status of the response.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let fields = [
            (CONTENT_TYPE, HeaderValue::from_static("application/problem+json")),
            // Without it, a 404 can be cached (RFC 9111, section 4.2.2).
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        let mut response = (self.status(), fields, Json(self)).into_response();
        if self == Self::UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// Outside of the tenant layer no tenant is set, so the store of a tenant is not used.
impl From<TenantContextNotSetError> for Problem {
    fn from(error: TenantContextNotSetError) -> Self {
        tracing::error!(%error, "route outside of the tenant layer");
        Self::INTERNAL
    }
}
