//! Agents in requests.

use serde::Deserialize;
use serde_json::{Map, Value};
use tenancy_agents::{
    A2aCard, AgentContent, AgentName, Capabilities, Card, Endpoint, Field, InvalidAgentError, Text, Tier,
    Visibility,
};
use utoipa::ToSchema;

/// An agent to register. Members that are missing are empty, or have their default.
#[derive(Deserialize, ToSchema)]
#[schema(as = AgentDraft)]
#[serde(deny_unknown_fields)]
pub(super) struct Draft {
    /// The name, which never changes: 1 to 63 characters of `a-z`, `0-9` and `-`, not starting with `-`.
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{0,62}$", example = "support")]
    pub(super) name: String,
    /// The name to show to users, at most 128 bytes.
    #[serde(default)]
    display_name: String,
    /// The purpose of the agent, at most 512 bytes.
    #[serde(default)]
    description: String,
    /// The version, in any format, at most 32 bytes.
    #[serde(default)]
    version: String,
    /// The service tier: `basic`, `standard` or `premium`.
    #[serde(default)]
    #[schema(value_type = super::view::TierView)]
    tier: Tier,
    /// Which tenants see the agent: `private` or `shared`. `shared` has an effect for agents of the platform only.
    #[serde(default)]
    #[schema(value_type = super::view::VisibilityView)]
    visibility: Visibility,
    /// Up to 16 capability tags, each 1 to 32 characters of `a-z`, `0-9` and `-._:`, starting with a letter or digit.
    #[serde(default)]
    #[schema(max_items = 16, example = json!(["chat"]))]
    capabilities: Vec<String>,
    /// The URL of the agent, at most 256 bytes, or an empty string.
    #[serde(default)]
    endpoint: String,
    /// The person or team that is responsible for the agent, at most 64 bytes.
    #[serde(default)]
    owner: String,
    /// Any other data about the agent: an object of at most 64 KiB of JSON.
    #[serde(default)]
    card: Option<Map<String, Value>>,
}

/// An agent to register by its A2A `AgentCard`, with members that a card does not have.
#[derive(Deserialize, ToSchema)]
#[schema(as = AgentCardDraft)]
#[serde(deny_unknown_fields)]
pub(super) struct CardDraft {
    /// The name, which never changes. The name in the card is the one to show to users.
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{0,62}$", example = "support")]
    name: String,
    /// An `AgentCard` of A2A 1.0.
    #[schema(value_type = super::view::CardView)]
    card: A2aCard,
    /// The service tier: `basic`, `standard` or `premium`.
    #[serde(default)]
    #[schema(value_type = super::view::TierView)]
    tier: Tier,
    /// Which tenants see the agent: `private` or `shared`. `shared` has an effect for agents of the platform only.
    #[serde(default)]
    #[schema(value_type = super::view::VisibilityView)]
    visibility: Visibility,
    /// The person or team that is responsible for the agent, at most 64 bytes.
    #[serde(default)]
    owner: String,
}

impl Draft {
    pub(super) fn read(self) -> Result<(AgentName, AgentContent), InvalidAgentError> {
        let tags = self.capabilities.iter().map(String::as_str);
        let content = AgentContent {
            display_name: Text::parse(&self.display_name).map_err(|kind| kind.of(Field::DisplayName))?,
            description: Text::parse(&self.description).map_err(|kind| kind.of(Field::Description))?,
            version: Text::parse(&self.version).map_err(|kind| kind.of(Field::Version))?,
            tier: self.tier,
            visibility: self.visibility,
            capabilities: Capabilities::parse(tags).map_err(|kind| kind.of(Field::Capabilities))?,
            endpoint: Endpoint::parse(&self.endpoint).map_err(|kind| kind.of(Field::Endpoint))?,
            owner: Text::parse(&self.owner).map_err(|kind| kind.of(Field::Owner))?,
            card: self.card.map(Card::from_object).transpose().map_err(|kind| kind.of(Field::Card))?,
        };
        Ok((name(&self.name)?, content))
    }
}

impl CardDraft {
    pub(super) fn read(self) -> Result<(AgentName, AgentContent), InvalidAgentError> {
        let content = AgentContent {
            tier: self.tier,
            visibility: self.visibility,
            owner: Text::parse(&self.owner).map_err(|kind| kind.of(Field::Owner))?,
            ..self.card.to_content()?
        };
        Ok((name(&self.name)?, content))
    }
}

fn name(name: &str) -> Result<AgentName, InvalidAgentError> {
    AgentName::parse(name).map_err(|kind| kind.of(Field::Name))
}
