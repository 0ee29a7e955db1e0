//! What an agent can do.

use core::fmt;
use core::str::FromStr;

use heapless::{String, Vec};

use crate::error::InvalidAgentKind;
use crate::text::is_slug;

/// A tag for something that agents can do: 1 to 32 of `a-z`, `0-9`, `-`, `.`, `_` and `:`, the first a letter or digit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Capability(String<32, u8>);

/// Up to 16 tags, each once, in their order as text.
///
/// ```
/// use tenancy_agents::Capabilities;
///
/// let capabilities = Capabilities::parse(["translate", "chat", "chat"])?;
/// assert_eq!(capabilities.iter().map(|tag| tag.as_str()).collect::<Vec<_>>(), ["chat", "translate"]);
/// # Ok::<(), tenancy_agents::InvalidAgentKind>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Capabilities(Vec<Capability, 16, u8>);

impl Capability {
    /// Reads a tag.
    ///
    /// # Errors
    ///
    /// [`Tag`](InvalidAgentKind::Tag) for what is none.
    pub fn parse(text: &str) -> Result<Self, InvalidAgentKind> {
        if !is_slug(text, 32, b"-._:") {
            return Err(InvalidAgentKind::Tag);
        }
        String::try_from(text).map(Self).map_err(|_| InvalidAgentKind::Tag)
    }

    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Capabilities {
    /// Reads tags.
    ///
    /// # Errors
    ///
    /// Those of [`Capability::parse`] and of [`insert`](Self::insert).
    pub fn parse<'t>(tags: impl IntoIterator<Item = &'t str>) -> Result<Self, InvalidAgentKind> {
        let mut capabilities = Self::default();
        for tag in tags {
            capabilities.insert(Capability::parse(tag)?)?;
        }
        Ok(capabilities)
    }

    /// Adds a tag, if it is not there.
    ///
    /// # Errors
    ///
    /// [`TooMany`](InvalidAgentKind::TooMany) where there are 16 others.
    pub fn insert(&mut self, tag: Capability) -> Result<(), InvalidAgentKind> {
        match self.0.binary_search(&tag) {
            Ok(_) => Ok(()),
            Err(place) => {
                self.0.insert(place, tag).map_err(|_| InvalidAgentKind::TooMany { limit: self.0.capacity() })
            }
        }
    }

    /// Whether the tag is there.
    pub fn contains(&self, tag: &Capability) -> bool {
        self.0.binary_search(tag).is_ok()
    }

    /// The tags, in their order as text.
    pub fn iter(&self) -> impl Iterator<Item = &Capability> {
        self.0.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Capability {
    type Err = InvalidAgentKind;

    fn from_str(text: &str) -> Result<Self, InvalidAgentKind> {
        Self::parse(text)
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
