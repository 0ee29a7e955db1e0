//! Agents in responses.

use axum::Json;
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Map, Value};
use tenancy_agents::{Agent, AgentId, AgentStatus, UnixMillis};
use utoipa::ToSchema;
use uuid::Uuid;

use super::etag;

/// An agent, with its revision as a strong entity tag.
pub(super) struct AgentResponse(pub(super) Agent);

impl IntoResponse for AgentResponse {
    fn into_response(self) -> Response {
        ([(ETAG, etag::of(&self.0))], Json(self.0)).into_response()
    }
}

/// The result of a decision. It contains nothing else of the agent: deciding does not let the platform read it.
pub(super) struct DecisionResponse(pub(super) Agent);

impl IntoResponse for DecisionResponse {
    fn into_response(self) -> Response {
        let Self(agent) = self;
        let view = DecisionView {
            id: agent.id,
            status: agent.status,
            revision: agent.revision,
            updated_at: agent.updated_at,
        };
        ([(ETAG, etag::of(&agent))], Json(view)).into_response()
    }
}

/// The result of a decision.
#[derive(Serialize, ToSchema)]
#[schema(as = Decision)]
pub(super) struct DecisionView {
    /// The agent's id.
    #[schema(value_type = Uuid)]
    id: AgentId,
    /// The agent's status.
    #[schema(value_type = StatusView)]
    status: AgentStatus,
    /// The agent's revision after the decision.
    revision: u64,
    /// The time of the decision.
    #[schema(value_type = String, format = DateTime)]
    updated_at: UnixMillis,
}

// `tenancy_agents` serializes agents. A test compares the members.
/// An agent.
#[derive(Serialize, ToSchema)]
#[schema(as = Agent)]
#[allow(dead_code, reason = "the document uses its types")]
pub(super) struct AgentView {
    /// The id. Ids increase with time.
    id: Uuid,
    /// The tenant that the agent belongs to. It never changes.
    tenant: Uuid,
    /// The agent's name. It is immutable and unique among the tenant's agents that are not deleted.
    name: String,
    /// The name to show to users.
    display_name: String,
    /// The purpose of the agent.
    description: String,
    /// The version, in any format.
    version: String,
    /// The service tier.
    tier: TierView,
    /// Which tenants see the agent.
    visibility: VisibilityView,
    /// The capability tags, sorted.
    capabilities: Vec<String>,
    /// The URL of the agent, or an empty string.
    endpoint: String,
    /// The person or team that is responsible for the agent.
    owner: String,
    /// Any other data about the agent.
    #[schema(required)]
    card: Option<Map<String, Value>>,
    /// The status.
    status: StatusView,
    /// The revision: 1 at first, and one more after each change. The entity tag contains it.
    revision: u64,
    /// The time of the registration.
    #[schema(value_type = String, format = DateTime)]
    created_at: (),
    /// The time of the last change.
    #[schema(value_type = String, format = DateTime)]
    updated_at: (),
    /// The time of the last heartbeat. A heartbeat does not change the revision.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    last_seen_at: (),
}

/// The status of an agent.
#[derive(Serialize, ToSchema)]
#[schema(as = AgentStatus, rename_all = "snake_case")]
#[allow(dead_code, reason = "the document uses its names")]
pub(super) enum StatusView {
    Draft,
    PendingApproval,
    Active,
    Rejected,
    Suspended,
    Deprecated,
    Deleted,
}

/// The service tier of an agent.
#[derive(Serialize, ToSchema)]
#[schema(as = Tier, rename_all = "snake_case", default = "standard")]
#[allow(dead_code, reason = "the document uses its names")]
pub(super) enum TierView {
    Basic,
    Standard,
    Premium,
}

/// Which tenants see an agent: its own, or all tenants once it is active. Only agents of the platform can be shared.
#[derive(Serialize, ToSchema)]
#[schema(as = Visibility, rename_all = "snake_case", default = "private")]
#[allow(dead_code, reason = "the document uses its names")]
pub(super) enum VisibilityView {
    Private,
    Shared,
}

/// An `AgentCard` of A2A 1.0, see <https://a2a-protocol.org>. Other members are kept unchanged.
#[derive(Serialize, ToSchema)]
#[schema(as = AgentCard, rename_all = "camelCase")]
#[allow(dead_code, reason = "the document uses its types")]
pub(super) struct CardView {
    name: String,
    description: String,
    version: String,
    supported_interfaces: Vec<Map<String, Value>>,
    capabilities: Map<String, Value>,
    default_input_modes: Vec<String>,
    default_output_modes: Vec<String>,
    skills: Vec<Map<String, Value>>,
}
