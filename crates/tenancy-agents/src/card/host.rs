//! An agent's card, and its form in A2A.

mod a2a;

use std::fmt;
use std::str::FromStr;
use std::string::{String, ToString};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};

use crate::error::InvalidAgentKind;

pub use a2a::{A2aCard, A2aInterface, A2aSkill};

/// A JSON object that says more of an agent than its other members do: at most 64 KiB, written without spaces.
///
/// ```
/// use tenancy_agents::Card;
///
/// let card = Card::parse(r#"{ "b": 1, "a": [] }"#)?;
/// assert_eq!(card, Card::parse(r#"{"a":[],"b":1}"#)?);
/// assert!(Card::parse("[]").is_err());
/// # Ok::<(), tenancy_agents::InvalidAgentKind>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Card(Arc<str>);

impl Card {
    /// The most bytes of a card.
    pub const LIMIT: usize = 64 * 1024;

    /// The most levels of objects and lists, the card's own among them: what is made of a card, an agent's JSON for one,
    /// stays within what parsers read.
    pub const DEPTH: usize = 64;

    /// Reads a card.
    ///
    /// # Errors
    ///
    /// [`TooLong`](InvalidAgentKind::TooLong), [`TooDeep`](InvalidAgentKind::TooDeep), and [`Json`](InvalidAgentKind::Json) for what is no JSON object, or has
    /// U+0000 in it, which Postgres does not keep.
    pub fn parse(json: &str) -> Result<Self, InvalidAgentKind> {
        if json.len() > Self::LIMIT {
            return Err(InvalidAgentKind::TooLong { limit: Self::LIMIT });
        }
        let object: Map<String, Value> = serde_json::from_str(json).map_err(|_| InvalidAgentKind::Json)?;
        Self::from_object(object)
    }

    /// The card of an object.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn from_object(object: Map<String, Value>) -> Result<Self, InvalidAgentKind> {
        let value = Value::Object(object);
        let json = value.to_string();
        if json.len() > Self::LIMIT {
            return Err(InvalidAgentKind::TooLong { limit: Self::LIMIT });
        }
        if is_deeper(&value, Self::DEPTH) {
            return Err(InvalidAgentKind::TooDeep { limit: Self::DEPTH });
        }
        if json.contains("\\u0000") {
            return Err(InvalidAgentKind::Json);
        }
        Ok(Self(json.into()))
    }

    /// As JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As an object.
    pub fn to_object(&self) -> Map<String, Value> {
        serde_json::from_str(&self.0).unwrap_or_default()
    }
}

/// Whether there are more levels than these. It goes no deeper than that.
fn is_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Object(members) => levels == 0 || members.values().any(|value| is_deeper(value, levels - 1)),
        Value::Array(items) => levels == 0 || items.iter().any(|value| is_deeper(value, levels - 1)),
        _ => false,
    }
}

impl FromStr for Card {
    type Err = InvalidAgentKind;

    fn from_str(json: &str) -> Result<Self, InvalidAgentKind> {
        Self::parse(json)
    }
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Card {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_object().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Card {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_object(Map::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}
