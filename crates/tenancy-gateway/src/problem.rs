//! What goes wrong, as the caller hears of it.

use axum::Json;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Serialize, Serializer};
use tenancy::TenantId;
use tenancy_agents::{AgentStatus, InvalidAgentKind};

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
    #[serde(flatten)]
    more: Option<More>,
}

/// What a problem says besides: its extension members.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(untagged)]
pub enum More {
    /// There is no step between these states.
    Step {
        /// What the agent is.
        from: AgentStatus,
        /// What it should have become.
        to: AgentStatus,
    },
    /// A member of what was sent, and the rule that it breaks.
    Member {
        /// Which: a name that the document has, and not one that was sent.
        member: &'static str,
        /// What is wrong with it.
        #[serde(serialize_with = "display")]
        rule: InvalidAgentKind,
    },
    /// Who has a name: for the platform alone.
    Holders {
        /// The tenant with the least id.
        holder: TenantId,
        /// How many have it besides.
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
    /// Who calls is not known.
    UNAUTHENTICATED = 401 "unauthenticated" "The caller is not known"
        "Send a token that this service knows: Authorization: Bearer TOKEN";
    /// The resource is the platform tenant's.
    PLATFORM_ONLY = 403 "platform-only" "This is for the platform tenant"
        "Tenants are managed, and agents decided on, in the platform tenant, 00000000-0000-0000-0000-000000000001.";
    /// The agent is the platform's, which shares it: others read it.
    AGENT_READ_ONLY = 403 "agent-read-only" "The agent is the platform's"
        "The platform shares it with all tenants, and changes it alone.";
    /// There is no such route.
    NO_ROUTE = 404 "no-such-resource" "There is no such resource" "No resource has this path.";
    /// The tenant has no such note, whoever else may have one.
    NO_NOTE = 404 "no-such-note" "There is no such note" "The tenant has no note with this id.";
    /// The tenant sees no such agent, whoever else may have one.
    NO_AGENT = 404 "no-such-agent" "There is no such agent" "The tenant sees no agent with this id or name.";
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
    /// The tenant has another agent of the name.
    NAME_TAKEN = 409 "name-taken" "The tenant has another agent of this name"
        "It says something else. Take another name, or change that agent.";
    /// The platform shares an agent of the name.
    NAME_SHARED = 409 "name-shared" "The platform shares an agent of this name"
        "All tenants see it by this name. Take another.";
    /// Tenants have the name of an agent that the platform would share.
    NAME_HELD = 409 "name-held" "Tenants have agents of this name"
        "An agent that is shared takes no tenant's name. The member holder is the tenant with the least id that has it, and others is how many have it besides.";
    /// There is no such step between these states.
    TRANSITION = 409 "invalid-transition" "The agent can't become this by this"
        "The members from and to are what it is, and what it should have become.";
    /// The tenant has as many agents as it may have.
    AGENTS_FULL = 409 "agents-full" "The tenant has as many agents as it may have"
        "Delete an agent, then try again.";
    /// The agent is deleted, and stays as it was.
    AGENT_DELETED = 410 "agent-deleted" "The agent is deleted" "An agent that is deleted stays as it was.";
    /// The agent has another revision than If-Match names.
    REVISION = 412 "revision" "The agent has another revision"
        "If-Match names no revision that it has, as a strong entity tag. Read it, then try again.";
    /// A note has no entity tag, so that no condition on it holds.
    NO_TAG = 412 "no-entity-tag" "A note has no entity tag"
        "It meets If-Match: * alone, and no If-None-Match: *.";
    /// The request takes this service for a site, and its tokens are the demo's.
    MISDIRECTED = 421 "misdirected" "This is no site on the Internet"
        "The tokens are the demo's, for this machine alone. Ask for 127.0.0.1 or localhost, or name tokens of your own by --principals.";
    /// A change needs the revision that it was made from.
    PRECONDITION = 428 "precondition-required" "The change does not say from which revision it was made"
        "Send If-Match, with the ETag that the agent was read with.";
    /// The body is too large.
    TOO_LARGE = 413 "too-large" "The body is too large"
        "A body has at most 65,536 bytes, and one for an agent 409,600.";
    /// The body is no JSON, as its type says.
    CONTENT_TYPE = 415 "content-type" "The body is not said to be of a type that is taken here"
        "Send JSON, and Content-Type: application/json.";
    /// The body could not be read.
    BODY = 400 "unreadable-body" "The body could not be read" "The connection broke, or the body did.";
    /// The body is no JSON.
    SYNTAX = 400 "malformed-json" "The body is not JSON" "The body does not follow RFC 8259.";
    /// The query makes no sense.
    QUERY = 400 "malformed-query" "The query makes no sense"
        "A page has a limit, from 1 to 200, and comes after an id: both may be left out, and nothing else is there.";
    /// The query for agents makes no sense.
    AGENTS_QUERY = 400 "malformed-query" "The query makes no sense"
        "A list has status, capability, tier, visibility, a limit from 1 to 200 and after, which is an id; a search a capability, a limit and after; a count has no page. Each is there once at most, and nothing else is.";
    /// There is more than one Host.
    HOSTS = 400 "several-hosts" "The request has more than one Host" "Send one.";
    /// If-Match is none.
    IF_MATCH = 400 "malformed-if-match" "If-Match makes no sense"
        "It is * or a list of entity tags (RFC 9110, section 13.1.1): \"7\", say.";
    /// The patch is not said to be one.
    PATCH_TYPE = 415 "content-type" "The body is not said to be of a type that is taken here"
        "Send a merge patch (RFC 7396), and Content-Type: application/merge-patch+json, or application/json.";
    /// The page's query makes no sense.
    PAGE_QUERY = 400 "malformed-query" "The query makes no sense"
        "The page has a status, after and tenants_after, and each may be left out.";
    /// The page is asked by a cookie, and not by what the API is asked by.
    PAGE_HEADERS = 400 "page-headers" "The page takes neither a token nor a tenant of header fields"
        "Authorization and X-Tenant-ID are for /v1. The page is for who has signed in, and for the tenant of that.";
    /// A form of another site, or of nobody knows where.
    CROSS_SITE = 403 "cross-site" "The form is not this page's"
        "It was sent from another site, or nothing says from where. Open the page itself, and try there.";
    /// The form of the page is not as the page has it.
    FORM = 422 "wrong-form" "The form is not as the page has it"
        "It has a token and a tenant, and is small.";
    /// The JSON is not what is wanted here.
    SHAPE = 422 "wrong-shape" "The JSON is not what is wanted here"
        "A member is missing, not known, there twice, or of the wrong type.";
    /// A note's text is too short or too long, or has a character that Postgres keeps in no text.
    TEXT = 422 "text-length" "The text is too short or too long" "A text has 1 to 4,096 characters, and none is U+0000.";
    /// A member of an agent is not as it should be.
    AGENT_FORM = 422 "agent-form" "A member of the agent is malformed"
        "The member that is named breaks the rule that is named.";
    /// What can't be patched.
    PATCH_MEMBER = 422 "wrong-shape" "The JSON is not what is wanted here"
        "A merge patch is an object that has each member once, and changes what a tenant says of an agent: neither its name nor its state, nor what the service says of it.";
    /// A tenant's id or slug is none.
    TENANT_FORM = 422 "tenant-form" "The tenant's id or slug is malformed"
        "An id is a UUID, and neither nil nor max; a slug is 1 to 63 of a-z, 0-9 and -, with no hyphen first or last.";
    /// The tenant has as many streams open as it may have.
    STREAMS_FULL = 429 "too-many-streams" "The tenant has as many streams open as it may have"
        "A tenant may have 16 streams of events open. Close one, then try again.";
    /// Something broke.
    INTERNAL = 500 "internal" "Something broke" "The fault is not the caller's, and its operator can read about it.";
    /// There are as many sessions as there may be.
    SESSIONS_FULL = 503 "too-many-sessions" "Too many are signed in"
        "This service has no room for another session. Try again later.";
    /// What things are kept in is full, whoever filled it.
    NO_ROOM = 503 "no-room" "There is no room for it now" "What things are kept in is full, and its operator can read about it.";
    /// What tenants, agents or notes are kept in does not answer.
    UNAVAILABLE = 503 "unavailable" "It can't be done now" "What things are kept in does not answer. Try again.";
}

impl Problem {
    /// The same, and this besides.
    #[must_use]
    pub const fn with(self, more: More) -> Self {
        Self { more: Some(more), ..self }
    }

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
