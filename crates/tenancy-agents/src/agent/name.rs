//! An agent's name.

use core::fmt;
use core::str::FromStr;

use heapless::String;

use crate::error::InvalidAgentKind;
use crate::text::is_slug;

/// An agent's name within its tenant: 1 to 63 of `a-z`, `0-9` and `-`, and no `-` first.
///
/// ```
/// use tenancy_agents::AgentName;
///
/// assert_eq!(AgentName::parse("support-2")?.as_str(), "support-2");
/// assert!(AgentName::parse("Support").is_err());
/// # Ok::<(), tenancy_agents::InvalidAgentKind>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentName(String<63, u8>);

impl AgentName {
    /// Reads a name.
    ///
    /// # Errors
    ///
    /// [`Slug`](InvalidAgentKind::Slug) for what is none.
    pub fn parse(text: &str) -> Result<Self, InvalidAgentKind> {
        if !is_slug(text, 63, b"-") {
            return Err(InvalidAgentKind::Slug);
        }
        String::try_from(text).map(Self).map_err(|_| InvalidAgentKind::Slug)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AgentName {
    type Err = InvalidAgentKind;

    fn from_str(text: &str) -> Result<Self, InvalidAgentKind> {
        Self::parse(text)
    }
}

impl fmt::Display for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for AgentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}
