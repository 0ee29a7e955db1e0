//! Agents as JSON: flat, with times by RFC 3339.

mod parts;

use std::string::ToString;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use tenancy::TenantId;

use crate::agent::{Agent, AgentContent, AgentName, Capabilities, Tier};
use crate::card::Card;
use crate::clock::UnixMillis;
use crate::id::AgentId;
use crate::status::AgentStatus;
use crate::text::{Endpoint, Text};
use crate::visibility::Visibility;

/// The members of both kinds, in one object: `flatten` could not refuse a member that is not known.
macro_rules! forms {
    ($($(#[$attribute:meta])* $member:ident: $type:ty,)+) => {
        #[derive(Serialize, Deserialize, Default)]
        #[serde(default, deny_unknown_fields)]
        struct ContentForm {$(
            $(#[$attribute])* $member: $type,
        )+}

        #[derive(Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct AgentForm {
            id: AgentId,
            tenant: TenantId,
            name: AgentName,
            $(#[serde(default)] $(#[$attribute])* $member: $type,)+
            status: AgentStatus,
            revision: u64,
            created_at: UnixMillis,
            updated_at: UnixMillis,
            last_seen_at: Option<UnixMillis>,
        }

        impl From<AgentContent> for ContentForm {
            fn from(AgentContent { $($member),+ }: AgentContent) -> Self {
                Self { $($member),+ }
            }
        }

        impl From<ContentForm> for AgentContent {
            fn from(ContentForm { $($member),+ }: ContentForm) -> Self {
                Self { $($member),+ }
            }
        }

        impl From<Agent> for AgentForm {
            fn from(agent: Agent) -> Self {
                let Agent { id, tenant, name, content, status, revision, created_at, updated_at, last_seen_at } = agent;
                let AgentContent { $($member),+ } = content;
                Self { id, tenant, name, $($member,)+ status, revision, created_at, updated_at, last_seen_at }
            }
        }

        impl From<AgentForm> for Agent {
            fn from(form: AgentForm) -> Self {
                let AgentForm { id, tenant, name, $($member,)+ status, revision, created_at, updated_at, last_seen_at } =
                    form;
                let content = AgentContent { $($member),+ };
                Self { id, tenant, name, content, status, revision, created_at, updated_at, last_seen_at }
            }
        }
    };
}

forms! {
    display_name: Text<128>,
    description: Text<512>,
    version: Text<32>,
    tier: Tier,
    visibility: Visibility,
    capabilities: Capabilities,
    endpoint: Endpoint,
    owner: Text<64>,
    card: Option<Card>,
}

impl Serialize for AgentContent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ContentForm::from(self.clone()).serialize(serializer)
    }
}

/// What is left out is empty, or as it is by default; a member that is not known is an error.
impl<'de> Deserialize<'de> for AgentContent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        ContentForm::deserialize(deserializer).map(Self::from)
    }
}

impl Serialize for Agent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        AgentForm::from(self.clone()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Agent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        AgentForm::deserialize(deserializer).map(Self::from)
    }
}

impl Serialize for UnixMillis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let millis =
            i64::try_from(self.0).ok().and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
        match millis {
            Some(timestamp) => serializer.serialize_str(&timestamp.to_string()),
            None => Err(serde::ser::Error::custom("a time behind the year 9999")),
        }
    }
}

impl<'de> Deserialize<'de> for UnixMillis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::string::String::deserialize(deserializer)?;
        let timestamp: jiff::Timestamp = text.parse().map_err(de::Error::custom)?;
        let millis = u64::try_from(timestamp.as_millisecond());
        millis.map(Self).map_err(|_| de::Error::custom("a time before 1970"))
    }
}
