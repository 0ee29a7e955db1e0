//! What is never shown.

use std::fmt;

/// A URL with a password in it, or a key.
///
/// Any text is one until it is used: what tells of a malformed value would tell the secret.
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

/// Whether a password has one of these characters as it is: it would end there, and its beginning be taken for a host.
pub(crate) fn has_split_password(url: &str) -> bool {
    let (_, rest) = url.split_once("://").unwrap_or_default();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    end > 0 && rest[end..].contains('@')
}
