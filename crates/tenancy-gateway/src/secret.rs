//! Secrets in options.

use std::fmt;

/// A URL with a password, or a key. It is never shown.
///
/// The text is parsed when it is used, because errors of the command line would show it.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    pub(crate) fn text(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Returns whether a password contains `/`, `?` or `#` without percent-encoding. Parsers would take a part of it for a
/// host.
pub(crate) fn has_split_password(url: &str) -> bool {
    let (_, rest) = url.split_once("://").unwrap_or_default();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    end > 0 && rest[end..].contains('@')
}
