//! Texts in fixed memory.

use core::fmt;
use core::str::FromStr;

use heapless::String;

use crate::error::InvalidAgentKind;

/// A text of at most `N` bytes of UTF-8, without control characters but line feeds and tabs. It may be empty.
///
/// ```
/// use tenancy_agents::Text;
///
/// let text: Text<8> = Text::parse("support")?;
/// assert_eq!(text.as_str(), "support");
/// assert!(Text::<8>::parse("9 letters").is_err());
/// # Ok::<(), tenancy_agents::InvalidAgentKind>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text<const N: usize>(String<N>);

/// Where an agent is reached: a URL with a scheme, of at most 256 bytes of ASCII without spaces. Empty where it is not
/// reached at all.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Endpoint(Text<256>);

impl<const N: usize> Text<N> {
    /// Takes a text as it is.
    ///
    /// # Errors
    ///
    /// [`TooLong`](InvalidAgentKind::TooLong) for more than `N` bytes, and
    /// [`Character`](InvalidAgentKind::Character) for a control character.
    pub fn parse(text: &str) -> Result<Self, InvalidAgentKind> {
        if text.chars().any(|char| char.is_control() && char != '\n' && char != '\t') {
            return Err(InvalidAgentKind::Character);
        }
        String::try_from(text).map(Self).map_err(|_| InvalidAgentKind::TooLong { limit: N })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Endpoint {
    /// Reads a URL: `https://agents.example/support`. What stands after the scheme is not looked at but for its
    /// characters; the scheme may be any but `javascript`.
    ///
    /// # Errors
    ///
    /// Those of [`Text::parse`], and [`Url`](InvalidAgentKind::Url) for what is no `scheme://…`.
    pub fn parse(url: &str) -> Result<Self, InvalidAgentKind> {
        let text = Text::parse(url)?;
        if url.is_empty() || is_url(url) { Ok(Self(text)) } else { Err(InvalidAgentKind::Url) }
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// RFC 3986, section 3: a scheme, and something behind it. `javascript:` is code, whatever is behind it.
fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    if scheme.eq_ignore_ascii_case("javascript") {
        return false;
    }
    let is_scheme = scheme.starts_with(|char: char| char.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    is_scheme && !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether a text is 1 to `most` of `a-z`, `0-9` and `others`, none of these first.
pub(crate) fn is_slug(text: &str, most: usize, others: &[u8]) -> bool {
    let is_alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let starts_well = text.bytes().next().is_some_and(is_alphanumeric);
    starts_well
        && text.len() <= most
        && text.bytes().all(|byte| is_alphanumeric(byte) || others.contains(&byte))
}

impl<const N: usize> FromStr for Text<N> {
    type Err = InvalidAgentKind;

    fn from_str(text: &str) -> Result<Self, InvalidAgentKind> {
        Self::parse(text)
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Endpoint {
    type Err = InvalidAgentKind;

    fn from_str(url: &str) -> Result<Self, InvalidAgentKind> {
        Self::parse(url)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
