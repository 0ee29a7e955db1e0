//! Texts of limited length.

use core::fmt;
use core::str::FromStr;

use heapless::String;

use crate::error::InvalidAgentKind;

/// A single line of text for display: at most `N` bytes of UTF-8. It may be empty.
///
/// Characters that make a text look different from what it is are rejected: control characters, line breaks,
/// bidirectional controls, and invisible characters such as the zero-width space.
///
/// ```
/// use tenancy_agents::Text;
///
/// let text: Text<8> = Text::parse("support")?;
/// assert_eq!(text.as_str(), "support");
/// assert!(Text::<8>::parse("9 letters").is_err());
/// assert!(Text::<8>::parse("\u{202e}txt").is_err());
/// # Ok::<(), tenancy_agents::InvalidAgentKind>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Text<const N: usize>(String<N, u16>);

/// A text for display of one or more lines: at most [`MAX_BYTES`](Self::MAX_BYTES) bytes of UTF-8. It may be empty.
///
/// Line feeds and tabs are accepted, and so are the two joiners (U+200C and U+200D), without which some scripts and emoji
/// cannot be written. All other characters that [`Text`] rejects are rejected here too.
///
/// ```
/// use tenancy_agents::Description;
///
/// assert_eq!(Description::parse("Answers questions.\nRefunds.")?.as_str().lines().count(), 2);
/// assert!(Description::parse("\u{202e}txt").is_err());
/// # Ok::<(), tenancy_agents::InvalidAgentKind>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Description(Lines);

/// Hosts have a heap for long texts. `None` is the empty text.
#[cfg(feature = "std")]
type Lines = Option<std::sync::Arc<str>>;
#[cfg(not(feature = "std"))]
type Lines = String<{ Description::MAX_BYTES }, u16>;

/// The URL of an agent: a scheme and at most 256 bytes of ASCII without spaces. It is empty if the agent has no URL.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Endpoint(Text<256>);

impl<const N: usize> Text<N> {
    /// Reads a text.
    ///
    /// # Errors
    ///
    /// [`TooLong`](InvalidAgentKind::TooLong) if the text has more than `N` bytes, and
    /// [`Character`](InvalidAgentKind::Character) or [`Invisible`](InvalidAgentKind::Invisible) if it contains a character
    /// that is rejected.
    pub fn parse(text: &str) -> Result<Self, InvalidAgentKind> {
        check(text, |_| false)?;
        Self::of(text)
    }

    /// Reads a text from a store, which may have accepted it under the rules of an earlier version.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn stored(text: &str) -> Result<Self, InvalidAgentKind> {
        if text.chars().any(is_control) { Err(InvalidAgentKind::Character) } else { Self::of(text) }
    }

    fn of(text: &str) -> Result<Self, InvalidAgentKind> {
        String::try_from(text).map(Self).map_err(|_| InvalidAgentKind::TooLong { limit: N })
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Description {
    /// The longest description, in bytes: 4096 with the feature `std`, and 512 without.
    pub const MAX_BYTES: usize = if cfg!(feature = "std") { 4096 } else { 512 };

    /// Reads a text.
    ///
    /// # Errors
    ///
    /// [`TooLong`](InvalidAgentKind::TooLong) if the text has more than [`MAX_BYTES`](Self::MAX_BYTES) bytes, and
    /// [`Character`](InvalidAgentKind::Character) or [`Invisible`](InvalidAgentKind::Invisible) if it contains a character
    /// that is rejected.
    pub fn parse(text: &str) -> Result<Self, InvalidAgentKind> {
        let is_accepted = |char| matches!(char, '\n' | '\t' | '\u{200c}' | '\u{200d}');
        check(text, is_accepted)?;
        Self::of(text)
    }

    /// Reads a text from a store, which may have accepted it under the rules of an earlier version.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(crate) fn stored(text: &str) -> Result<Self, InvalidAgentKind> {
        if text.chars().any(is_control) { Err(InvalidAgentKind::Character) } else { Self::of(text) }
    }

    fn of(text: &str) -> Result<Self, InvalidAgentKind> {
        const TOO_LONG: InvalidAgentKind = InvalidAgentKind::TooLong { limit: Description::MAX_BYTES };
        if text.len() > Self::MAX_BYTES {
            return Err(TOO_LONG);
        }
        #[cfg(feature = "std")]
        return Ok(Self((!text.is_empty()).then(|| text.into())));
        #[cfg(not(feature = "std"))]
        String::try_from(text).map(Self).map_err(|_| TOO_LONG)
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        #[cfg(feature = "std")]
        return self.0.as_deref().unwrap_or("");
        #[cfg(not(feature = "std"))]
        &self.0
    }

    /// Returns whether the text is empty.
    pub fn is_empty(&self) -> bool {
        self.as_str().is_empty()
    }
}

impl Endpoint {
    /// Reads a URL, for example `https://agents.example/support`. Any scheme except `javascript` is accepted. The rest of
    /// the URL is checked for its characters only.
    ///
    /// # Errors
    ///
    /// Those of [`Text::parse`], and [`Url`](InvalidAgentKind::Url) if the text does not have the form `scheme://…`.
    pub fn parse(url: &str) -> Result<Self, InvalidAgentKind> {
        let text = Text::parse(url)?;
        if url.is_empty() || is_url(url) { Ok(Self(text)) } else { Err(InvalidAgentKind::Url) }
    }

    /// Returns the URL.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Returns whether there is no URL.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Returns whether a character is a control character except a line feed or a tab. No version accepted these.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
fn is_control(char: char) -> bool {
    char.is_control() && char != '\n' && char != '\t'
}

/// Rejects control characters and invisible ones, except those for which `is_accepted` returns `true`.
fn check(text: &str, is_accepted: impl Fn(char) -> bool) -> Result<(), InvalidAgentKind> {
    for char in text.chars().filter(|char| !is_accepted(*char)) {
        if char.is_control() {
            return Err(InvalidAgentKind::Character);
        }
        if is_invisible(char) {
            return Err(InvalidAgentKind::Invisible);
        }
    }
    Ok(())
}

/// Returns whether a character is invisible, changes the direction of the text, or breaks the line.
fn is_invisible(char: char) -> bool {
    matches!(char,
            // Soft hyphen, combining grapheme joiner, Arabic letter mark, Mongolian vowel separator.
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}'
            // Zero-width spaces and joiners, left-to-right and right-to-left marks.
            | '\u{200b}'..='\u{200f}'
            // Line and paragraph separators, bidirectional embeddings and overrides.
            | '\u{2028}'..='\u{202e}'
            // Word joiner, invisible operators, bidirectional isolates, deprecated format characters.
            | '\u{2060}'..='\u{206f}'
            // Byte order mark, interlinear annotations, tags.
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Returns whether a text is a scheme (RFC 3986, section 3) with something after it. A `javascript:` URL is code.
pub(crate) fn is_url(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    if scheme.eq_ignore_ascii_case("javascript") {
        return false;
    }
    is_scheme(scheme) && !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Returns whether a text is a URI that is not code: a scheme and a path, for example `urn:example:extension`.
#[cfg(feature = "json")]
pub(crate) fn is_uri(text: &str) -> bool {
    let Some((scheme, path)) = text.split_once(':') else { return false };
    let is_code = ["javascript", "vbscript", "data"].iter().any(|code| scheme.eq_ignore_ascii_case(code));
    !is_code && is_scheme(scheme) && !path.is_empty() && path.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|char: char| char.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Returns whether a text is 1 to `most` characters of `a-z`, `0-9` and `others`, and does not start with one of `others`.
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

impl FromStr for Description {
    type Err = InvalidAgentKind;

    fn from_str(text: &str) -> Result<Self, InvalidAgentKind> {
        Self::parse(text)
    }
}

impl fmt::Debug for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::*;

    const REJECTED: [char; 20] = [
        '\0',
        '\r',
        '\u{7f}',
        '\u{85}',
        '\u{ad}',
        '\u{61c}',
        '\u{180e}',
        '\u{200b}',
        '\u{200e}',
        '\u{200f}',
        '\u{2028}',
        '\u{2029}',
        '\u{202a}',
        '\u{202e}',
        '\u{2060}',
        '\u{2066}',
        '\u{2069}',
        '\u{feff}',
        '\u{fff9}',
        '\u{e0041}',
    ];
    const ONLY_IN_DESCRIPTIONS: [char; 4] = ['\n', '\t', '\u{200c}', '\u{200d}'];

    fn around(char: char) -> std::string::String {
        std::format!("a{char}b")
    }

    fn kind(text: &str) -> InvalidAgentKind {
        let is_control = text.contains(char::is_control);
        if is_control { InvalidAgentKind::Character } else { InvalidAgentKind::Invisible }
    }

    #[test]
    fn rejects_characters_that_deceive() {
        for text in REJECTED.map(around) {
            assert_eq!(Text::<128>::parse(&text), Err(kind(&text)), "{text:?}");
            assert_eq!(Description::parse(&text), Err(kind(&text)), "{text:?}");
        }
        for text in ONLY_IN_DESCRIPTIONS.map(around) {
            assert_eq!(Text::<128>::parse(&text), Err(kind(&text)), "{text:?}");
            assert_eq!(Description::parse(&text).as_ref().map(Description::as_str), Ok(text.as_str()));
        }
    }

    #[test]
    fn accepts_all_scripts_and_emoji() {
        for text in ["", "Störungen", "日本語", "עברית", "हिन्दी", "✔\u{fe0f}", "🦀 🇪🇺", "a b\u{a0}c"]
        {
            assert_eq!(Text::<128>::parse(text).as_ref().map(Text::as_str), Ok(text));
            assert_eq!(Description::parse(text).as_ref().map(Description::as_str), Ok(text));
        }
    }

    #[test]
    fn limits_are_exact() {
        let longest = "x".repeat(Description::MAX_BYTES);
        assert_eq!(Description::parse(&longest).as_ref().map(Description::as_str), Ok(longest.as_str()));
        let limit = Description::MAX_BYTES;
        assert_eq!(Description::parse(&std::format!("{longest}x")), Err(InvalidAgentKind::TooLong { limit }));
        assert!(Text::<3>::parse("abc").is_ok());
        assert_eq!(Text::<3>::parse("ab\u{fc}"), Err(InvalidAgentKind::TooLong { limit: 3 }));
    }

    #[test]
    fn an_empty_description_is_the_default() {
        assert_eq!(Description::parse(""), Ok(Description::default()));
        assert!(Description::default().is_empty());
    }
}
