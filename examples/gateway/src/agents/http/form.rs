//! An agent as it is sent.

use serde::Deserialize;
use serde_json::{Map, Value};
use tenancy_agents::{
    A2aCard, AgentContent, AgentName, Capabilities, Card, Description, Endpoint, Field, InvalidAgentError,
    Text, Tier, Visibility,
};
use utoipa::ToSchema;

/// An agent to register. What is left out is empty, or as it is by default.
#[derive(Deserialize, ToSchema)]
#[schema(as = AgentDraft)]
#[serde(deny_unknown_fields)]
pub(super) struct Draft {
    /// Its name within its tenant, for good: 1 to 63 of `a-z`, `0-9` and `-`, and no `-` first.
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{0,62}$", example = "support")]
    pub(super) name: String,
    /// Its name for people, of at most 128 bytes.
    #[serde(default)]
    display_name: String,
    /// What it is for, in at most 4096 bytes.
    #[serde(default)]
    description: String,
    /// Its version, in whatever form, of at most 32 bytes.
    #[serde(default)]
    version: String,
    /// How important it is: `basic`, `standard` or `premium`.
    #[serde(default)]
    #[schema(value_type = super::view::TierView)]
    tier: Tier,
    /// Who sees it: `private`; or `shared`, which shares what is the platform's, and nothing of another tenant.
    #[serde(default)]
    #[schema(value_type = super::view::VisibilityView)]
    visibility: Visibility,
    /// What it can do: up to 16 tags, each 1 to 32 of `a-z`, `0-9` and `-._:`, with a letter or digit first.
    #[serde(default)]
    #[schema(max_items = 16, example = json!(["chat"]))]
    capabilities: Vec<String>,
    /// Where it is reached: a URL of at most 256 bytes, or nothing.
    #[serde(default)]
    endpoint: String,
    /// Who answers for it, in at most 64 bytes.
    #[serde(default)]
    owner: String,
    /// Whatever else is said of it: an object of at most 64 KiB of JSON.
    #[serde(default)]
    card: Option<Map<String, Value>>,
}

/// An agent to register by its A2A `AgentCard`. What A2A does not say may stand beside the card.
#[derive(Deserialize, ToSchema)]
#[schema(as = AgentCardDraft)]
#[serde(deny_unknown_fields)]
pub(super) struct CardDraft {
    /// Its name within its tenant, for good: the card's is the one for people.
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{0,62}$", example = "support")]
    name: String,
    /// An `AgentCard` of A2A 1.0.
    #[schema(value_type = super::view::CardView)]
    card: A2aCard,
    /// How important it is: `basic`, `standard` or `premium`.
    #[serde(default)]
    #[schema(value_type = super::view::TierView)]
    tier: Tier,
    /// Who sees it: `private`; or `shared`, which shares what is the platform's, and nothing of another tenant.
    #[serde(default)]
    #[schema(value_type = super::view::VisibilityView)]
    visibility: Visibility,
    /// Who answers for it, in at most 64 bytes.
    #[serde(default)]
    owner: String,
}

impl Draft {
    pub(super) fn read(self) -> Result<(AgentName, AgentContent), InvalidAgentError> {
        let tags = self.capabilities.iter().map(String::as_str);
        let content = AgentContent {
            display_name: Text::parse(&self.display_name).map_err(|kind| kind.of(Field::DisplayName))?,
            description: Description::parse(&self.description).map_err(|kind| kind.of(Field::Description))?,
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
