//! A2A's agent card.

use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::json::Card;
use super::schema::invalid_member;
use crate::agent::{Agent, AgentContent, Capabilities, Capability};
use crate::error::{Field, InvalidAgentError, InvalidAgentKind};
use crate::text::{Description, Endpoint, Text};

/// An `AgentCard` of the [A2A protocol](https://a2a-protocol.org/latest/specification/), version 1.0.
///
/// The members that each card has are fields; all other members are in [`others`](Self::others).
/// [`to_content`](Self::to_content) checks all members that A2A 1.0 defines, so that a client which reads the card later
/// does not refuse it. Members that A2A does not define are accepted.
///
/// ```
/// use tenancy_agents::A2aCard;
///
/// let card: A2aCard = serde_json::from_str(r#"{
///     "name": "Support", "description": "Answers", "version": "1.2.0",
///     "supportedInterfaces": [
///         { "url": "https://agents.example/a2a", "protocolBinding": "JSONRPC", "protocolVersion": "1.0" }
///     ],
///     "capabilities": { "streaming": true },
///     "defaultInputModes": ["text/plain"], "defaultOutputModes": ["text/plain"],
///     "skills": [{ "id": "refund", "name": "Refund", "description": "Pays back", "tags": ["billing"] }],
///     "iconUrl": "https://agents.example/icon.png"
/// }"#)?;
/// let content = card.to_content()?;
/// assert_eq!(content.display_name.as_str(), "Support");
/// assert_eq!(content.capabilities.len(), 2);      // refund, billing
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct A2aCard {
    /// The agent's name for display.
    pub name: String,
    /// The agent's purpose.
    pub description: String,
    /// The agent's version.
    pub version: String,
    /// The agent's interfaces, the preferred one first.
    pub supported_interfaces: Vec<A2aInterface>,
    /// The optional parts of the protocol that the agent supports.
    pub capabilities: Map<String, Value>,
    /// The media types that the agent accepts.
    pub default_input_modes: Vec<String>,
    /// The media types that the agent returns.
    pub default_output_modes: Vec<String>,
    /// The agent's skills.
    pub skills: Vec<A2aSkill>,
    /// All other members.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// An interface of an agent: A2A's `AgentInterface`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct A2aInterface {
    /// The interface's URL.
    pub url: String,
    /// The protocol: `JSONRPC`, `GRPC`, `HTTP+JSON`, or another one.
    pub protocol_binding: String,
    /// The version of A2A, for example `1.0`.
    pub protocol_version: String,
    /// All other members.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// A skill of an agent: A2A's `AgentSkill`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct A2aSkill {
    /// The skill's id, unique within the agent.
    pub id: String,
    /// The skill's name for display.
    pub name: String,
    /// The skill's purpose.
    pub description: String,
    /// Keywords of the skill.
    pub tags: Vec<String>,
    /// All other members.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

impl A2aCard {
    /// Returns the card of an agent.
    ///
    /// If the agent has an A2A card, it is that card with the agent's present name, description, version and endpoint, as
    /// far as the agent has any. Otherwise the card is created from the agent's content. If there is no display name, the
    /// card has the name under which the agent is registered.
    ///
    /// If the result differs from the stored card, its `signatures` are removed: they do not cover the present text.
    pub fn of(agent: &Agent) -> Self {
        let content = &agent.content;
        let stored = content.card.as_ref().and_then(Self::stored);
        let mut card: Self = stored.unwrap_or_else(|| Self::made_of(content));
        let before = card.clone();
        let texts = [
            (&mut card.name, content.display_name.as_str()),
            (&mut card.description, content.description.as_str()),
            (&mut card.version, content.version.as_str()),
        ];
        for (of_card, text) in texts {
            if !text.is_empty() {
                *of_card = text.to_string();
            }
        }
        if card.name.is_empty() {
            card.name = agent.name.as_str().to_string();
        }
        if !content.endpoint.is_empty() {
            let url = content.endpoint.as_str().to_string();
            match card.supported_interfaces.first_mut() {
                Some(interface) => interface.url = url,
                None => card.supported_interfaces.push(A2aInterface::json_rpc(url)),
            }
        }
        if card != before {
            card.others.remove("signatures");
        }
        card
    }

    /// Reads a card that is an A2A card.
    pub(super) fn stored(card: &Card) -> Option<Self> {
        let card: Self = serde_json::from_str(card.as_str()).ok()?;
        card.invalid_member().is_none().then_some(card)
    }

    /// Returns the name of a member that A2A 1.0 defines and whose value a client would refuse, if there is one.
    fn invalid_member(&self) -> Option<&'static str> {
        match serde_json::to_value(self) {
            Ok(Value::Object(object)) => invalid_member(&object),
            _ => None,
        }
    }

    fn made_of(content: &AgentContent) -> Self {
        let text = || vec!["text/plain".to_string()];
        Self {
            name: String::new(),
            description: String::new(),
            version: String::new(),
            supported_interfaces: Vec::new(),
            capabilities: Map::new(),
            default_input_modes: text(),
            default_output_modes: text(),
            skills: content.capabilities.iter().map(A2aSkill::of).collect(),
            others: Map::new(),
        }
    }

    /// Returns the content of an agent with this card. [`of`](Self::of) returns the same card for it, if the card has a
    /// name.
    ///
    /// The agent's capabilities are those ids and tags of the skills that are valid tags, up to 16; the card keeps all of
    /// them. Tier, visibility and owner are not part of A2A.
    ///
    /// # Errors
    ///
    /// The first field that is too long, has a character or URL that is rejected, or does not follow A2A 1.0, and the
    /// reason.
    pub fn to_content(&self) -> Result<AgentContent, InvalidAgentError> {
        let endpoint = self.supported_interfaces.first().map_or("", |interface| &interface.url);
        let endpoint = Endpoint::parse(endpoint).map_err(|kind| kind.of(Field::Endpoint))?;
        if let Some(member) = self.invalid_member() {
            return Err(InvalidAgentKind::A2a { member }.of(Field::Card));
        }
        Ok(AgentContent {
            display_name: Text::parse(&self.name).map_err(|kind| kind.of(Field::DisplayName))?,
            description: Description::parse(&self.description).map_err(|kind| kind.of(Field::Description))?,
            version: Text::parse(&self.version).map_err(|kind| kind.of(Field::Version))?,
            endpoint,
            capabilities: self.tags(),
            card: Some(self.to_card().map_err(|kind| kind.of(Field::Card))?),
            ..AgentContent::default()
        })
    }

    fn tags(&self) -> Capabilities {
        let ids = self.skills.iter().map(|skill| &skill.id);
        let words = ids.chain(self.skills.iter().flat_map(|skill| &skill.tags));
        let mut tags = Capabilities::default();
        for tag in words.filter_map(|word| Capability::parse(word).ok()) {
            if tags.insert(tag).is_err() {
                break;
            }
        }
        tags
    }

    fn to_card(&self) -> Result<Card, InvalidAgentKind> {
        match serde_json::to_value(self) {
            Ok(Value::Object(object)) => Card::from_object(object),
            _ => Err(InvalidAgentKind::Json),
        }
    }
}

impl A2aInterface {
    fn json_rpc(url: String) -> Self {
        let (protocol_binding, protocol_version) = ("JSONRPC".to_string(), "1.0".to_string());
        Self { url, protocol_binding, protocol_version, others: Map::new() }
    }
}

impl A2aSkill {
    fn of(tag: &Capability) -> Self {
        let word = || tag.as_str().to_string();
        Self { id: word(), name: word(), description: word(), tags: vec![word()], others: Map::new() }
    }
}

/// Removes the signatures from an A2A card if they are those of a card with other content.
pub(crate) fn drop_stale_signatures(old: Option<&Card>, new: &mut Option<Card>) {
    let (Some(old), Some(changed)) = (old, new.as_ref()) else { return };
    if old == changed {
        return;
    }
    let signatures = |card: &A2aCard| card.others.get("signatures").cloned();
    if let (Some(old), Some(mut card)) = (A2aCard::stored(old), A2aCard::stored(changed))
        && signatures(&card).is_some()
        && signatures(&card) == signatures(&old)
    {
        card.others.remove("signatures");
        // Without a member the card is still within all limits.
        if let Ok(card) = card.to_card() {
            *new = Some(card);
        }
    }
}
