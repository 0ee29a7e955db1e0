//! An agent as it is answered.

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
pub(super) struct Answer(pub(super) Agent);

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        ([(ETAG, etag::of(&self.0))], Json(self.0)).into_response()
    }
}

/// An agent that was decided on, as far as who decides hears of it: what else a tenant says of its agents the platform
/// does not read by deciding.
pub(super) struct Decision(pub(super) Agent);

impl IntoResponse for Decision {
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

/// What came of a decision.
#[derive(Serialize, ToSchema)]
#[schema(as = Decision)]
pub(super) struct DecisionView {
    /// The agent's id.
    #[schema(value_type = Uuid)]
    id: AgentId,
    /// How far it has come.
    #[schema(value_type = StatusView)]
    status: AgentStatus,
    /// The revision that the decision made.
    revision: u64,
    /// When that was.
    #[schema(value_type = String, format = DateTime)]
    updated_at: UnixMillis,
}

// `tenancy_agents` writes it. A test compares the members.
/// An agent.
#[derive(Serialize, ToSchema)]
#[schema(as = Agent)]
#[allow(dead_code, reason = "the document reads its types")]
pub(super) struct AgentView {
    /// Its id, which grows with time.
    id: Uuid,
    /// Whose it is, for good.
    tenant: Uuid,
    /// By what its tenant calls it, for good.
    name: String,
    /// Its name for people.
    display_name: String,
    /// What it is for.
    description: String,
    /// Its version, in whatever form.
    version: String,
    /// How important it is.
    tier: TierView,
    /// Who sees it.
    visibility: VisibilityView,
    /// What it can do, in order.
    capabilities: Vec<String>,
    /// Where it is reached, if it is.
    endpoint: String,
    /// Who answers for it.
    owner: String,
    /// Whatever else is said of it.
    #[schema(required)]
    card: Option<Map<String, Value>>,
    /// How far it has come.
    status: StatusView,
    /// 1 at first, and one more with each change. It is the entity tag as well.
    revision: u64,
    /// When it was registered.
    #[schema(value_type = String, format = DateTime)]
    created_at: (),
    /// When its revision was made.
    #[schema(value_type = String, format = DateTime)]
    updated_at: (),
    /// Its last heartbeat, which makes no revision.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    last_seen_at: (),
}

/// How far an agent has come.
#[derive(Serialize, ToSchema)]
#[schema(as = AgentStatus, rename_all = "snake_case")]
#[allow(dead_code, reason = "the document reads its names")]
pub(super) enum StatusView {
    Draft,
    PendingApproval,
    Active,
    Rejected,
    Suspended,
    Deprecated,
    Deleted,
}

/// How important an agent is.
#[derive(Serialize, ToSchema)]
#[schema(as = Tier, rename_all = "snake_case", default = "standard")]
#[allow(dead_code, reason = "the document reads its names")]
pub(super) enum TierView {
    Basic,
    Standard,
    Premium,
}

/// Who sees an agent: its tenant alone, or once it is active all tenants, which only the platform's can be.
#[derive(Serialize, ToSchema)]
#[schema(as = Visibility, rename_all = "snake_case", default = "private")]
#[allow(dead_code, reason = "the document reads its names")]
pub(super) enum VisibilityView {
    Private,
    Shared,
}

/// An `AgentCard` of A2A 1.0, as <https://a2a-protocol.org> tells it: other members stay as they are.
#[derive(Serialize, ToSchema)]
#[schema(as = AgentCard, rename_all = "camelCase")]
#[allow(dead_code, reason = "the document reads its types")]
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
