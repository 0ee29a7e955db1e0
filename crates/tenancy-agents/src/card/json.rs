//! A card as JSON.

use std::fmt;
use std::str::FromStr;
use std::string::{String, ToString};
use std::sync::Arc;

use serde::de;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::error::InvalidAgentKind;

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
    /// [`TooLong`](InvalidAgentKind::TooLong), for what is longer with its spaces too;
    /// [`TooDeep`](InvalidAgentKind::TooDeep); [`Character`](InvalidAgentKind::Character) where a text in it has U+0000,
    /// where many readers would end; [`Json`](InvalidAgentKind::Json) for what is no JSON object, or is nested deeper than 128 levels.
    pub fn parse(json: &str) -> Result<Self, InvalidAgentKind> {
        check_length(json)?;
        let object: Map<String, Value> = serde_json::from_str(json).map_err(|_| InvalidAgentKind::Json)?;
        Self::from_object(object)
    }

    /// One that a store has: it was read and written anew before. Only that it is an object is looked at, for to read it
    /// takes long, and a page has many.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn stored(json: &str) -> Result<Self, InvalidAgentKind> {
        check_length(json)?;
        match serde_json::from_str(json) {
            Ok(de::IgnoredAny) if json.starts_with('{') => Ok(Self(json.into())),
            _ => Err(InvalidAgentKind::Json),
        }
    }

    /// The card of an object.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn from_object(object: Map<String, Value>) -> Result<Self, InvalidAgentKind> {
        let mut value = Value::Object(object);
        check(&value, Self::DEPTH)?;
        // Whatever order a program has its members kept in: two that say the same are equal.
        value.sort_all_objects();
        let json = value.to_string();
        check_length(&json)?;
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

fn check_length(json: &str) -> Result<(), InvalidAgentKind> {
    if json.len() > Card::LIMIT { Err(InvalidAgentKind::TooLong { limit: Card::LIMIT }) } else { Ok(()) }
}

/// Refuses more levels than these, and U+0000. It goes no deeper than that.
fn check(value: &Value, levels: usize) -> Result<(), InvalidAgentKind> {
    let below = || levels.checked_sub(1).ok_or(InvalidAgentKind::TooDeep { limit: Card::DEPTH });
    let text = |text: &str| if text.contains('\0') { Err(InvalidAgentKind::Character) } else { Ok(()) };
    match value {
        Value::Object(members) => {
            let levels = below()?;
            members.iter().try_for_each(|(name, value)| text(name).and_then(|()| check(value, levels)))
        }
        Value::Array(items) => {
            let levels = below()?;
            items.iter().try_for_each(|value| check(value, levels))
        }
        Value::String(value) => text(value),
        _ => Ok(()),
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
