//! A2A's agent card.

use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::json::Card;
use crate::agent::{Agent, AgentContent, Capabilities, Capability};
use crate::error::{Field, InvalidAgentError, InvalidAgentKind};
use crate::text::{Endpoint, Text};

/// An `AgentCard` of the [A2A protocol](https://a2a-protocol.org/latest/specification/), version 1.0: the members that
/// each has, and whatever others.
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
    /// The agent's name for people.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Its version.
    pub version: String,
    /// Where it is reached; the first is preferred.
    pub supported_interfaces: Vec<A2aInterface>,
    /// What of the protocol it can do.
    pub capabilities: Map<String, Value>,
    /// The media types that it takes.
    pub default_input_modes: Vec<String>,
    /// The media types that it gives.
    pub default_output_modes: Vec<String>,
    /// What it can do.
    pub skills: Vec<A2aSkill>,
    /// All other members, as they are.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// Where an agent is reached: A2A's `AgentInterface`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct A2aInterface {
    /// Its URL.
    pub url: String,
    /// `JSONRPC`, `GRPC` or `HTTP+JSON`, or another.
    pub protocol_binding: String,
    /// `1.0`, for one.
    pub protocol_version: String,
    /// All other members, as they are.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// What an agent can do: A2A's `AgentSkill`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct A2aSkill {
    /// Its id within the agent.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// What it does.
    pub description: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// All other members, as they are.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

impl A2aCard {
    /// The card of an agent: the one that it has, with the name, description, version and endpoint that it has now, as
    /// far as there are any. Without one, or with one that is not A2A's, it is made of what there is. Where neither has
    /// a name for people, it is the one that the agent is registered by.
    pub fn of(agent: &Agent) -> Self {
        let content = &agent.content;
        let kept = content.card.as_ref().and_then(|card| serde_json::from_str(card.as_str()).ok());
        let mut card: Self = kept.unwrap_or_else(|| Self::made_of(content));
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
        card
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

    /// What an agent with this card is said to be. [`of`](Self::of) gives the same card back, if it has a name.
    ///
    /// Its tags are the ids and the tags of the skills, as far as they are such and there is room for 16: all of them
    /// stay in the card. Tier, visibility and owner are no part of A2A.
    ///
    /// # Errors
    ///
    /// Where a member is too long or no URL, or the card is: which, and why.
    pub fn to_content(&self) -> Result<AgentContent, InvalidAgentError> {
        let endpoint = self.supported_interfaces.first().map_or("", |interface| &interface.url);
        Ok(AgentContent {
            display_name: Text::parse(&self.name).map_err(|kind| kind.of(Field::DisplayName))?,
            description: Text::parse(&self.description).map_err(|kind| kind.of(Field::Description))?,
            version: Text::parse(&self.version).map_err(|kind| kind.of(Field::Version))?,
            endpoint: Endpoint::parse(endpoint).map_err(|kind| kind.of(Field::Endpoint))?,
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
