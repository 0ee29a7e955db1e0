//! What an agent is made of, as JSON: texts, and lists of them.

use std::string::String;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::agent::{AgentName, Capabilities, Capability, Tier};
use crate::id::AgentId;
use crate::status::AgentStatus;
use crate::text::{Endpoint, Text};
use crate::visibility::Visibility;

/// A type that is a text: `as_str` writes it, and a function reads it.
macro_rules! text {
    ($type:ty, $read:expr $(, $($generic:tt)+)?) => {
        impl$(<$($generic)+>)? Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de $(, $($generic)+)?> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                $read(&text).map_err(de::Error::custom)
            }
        }
    };
}

text!(Text<N>, Text::parse, const N: usize);
text!(Endpoint, Endpoint::parse);
text!(AgentName, AgentName::parse);
text!(Capability, Capability::parse);
text!(AgentStatus, |text: &str| AgentStatus::from_name(text).ok_or("there is no such status"));
text!(Tier, |text: &str| Tier::from_name(text).ok_or("there is no such tier"));
text!(Visibility, |text: &str| Visibility::from_name(text).ok_or("there is no such visibility"));

impl Serialize for Capabilities {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Capabilities {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut capabilities = Self::default();
        for tag in std::vec::Vec::<Capability>::deserialize(deserializer)? {
            capabilities.insert(tag).map_err(de::Error::custom)?;
        }
        Ok(capabilities)
    }
}

impl Serialize for AgentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_uuid().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AgentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        uuid::Uuid::deserialize(deserializer).map(Self::from_uuid)
    }
}
