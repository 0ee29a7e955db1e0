//! The URL of the server.

use std::fmt;

use anyhow::{Context, Result};
use redis::Client;

use crate::secret::has_split_password;

/// The URL of a Redis server: `redis://[user:password@]host[:port][/database]`.
///
/// The text is parsed when it is used, and never shown, because errors of the command line would show the password.
#[derive(Clone)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// Checks the URL.
    ///
    /// # Errors
    ///
    /// If it is invalid. The error does not contain it.
    pub fn check(&self) -> Result<()> {
        self.client().map(drop)
    }

    pub(super) fn client(&self) -> Result<Client> {
        let client = Client::open(self.0.as_str()).ok().filter(|_| !has_split_password(&self.0));
        client.context(
            "invalid URL of Redis: it is redis://[user:password@]host[:port][/database], \
             without TLS, and of a password all but letters, digits, - . _ and ~ is percent-encoded",
        )
    }
}

impl From<String> for RedisUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisUrl")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Option<String> {
        let client = RedisUrl::from(url.to_owned()).client().ok()?;
        Some(client.get_connection_info().addr().to_string())
    }

    #[test]
    fn reads_the_address() {
        assert_eq!(address("redis://localhost").as_deref(), Some("localhost:6379"));
        assert_eq!(address("redis://user:s3cret@[::1]:7/3?protocol=resp3").as_deref(), Some("::1:7"));
        assert_eq!(address("redis://:s3%2Fcr%40t@example.com").as_deref(), Some("example.com:6379"));
        assert_eq!(address("redis://:s3@cret@example.com").as_deref(), Some("example.com:6379"));
        assert_eq!(address("unix:///run/redis@1?pass=s3%40cret").as_deref(), Some("/run/redis@1"));
    }

    /// A part of each password would be the host or the port.
    #[test]
    fn rejects_urls_whose_password_would_be_read_as_an_address() {
        for end in
            ["s3/cret@host:1", "s3?cret@host", "s3#cret@host", "12/34@host", "12?34@host", "12#34@host"]
        {
            for begin in ["", ":", "user:"] {
                assert_eq!(address(&format!("redis://{begin}{end}")), None, "{begin}{end}");
            }
        }
    }

    #[test]
    fn errors_do_not_show_the_url() {
        let rediss = "rediss://:s3cret@localhost";
        for url in
            ["", "s3cret", "http://:s3cret@localhost", "redis://:s3cret@h/s3cret", "redis://:s3cret@", rediss]
        {
            let url = RedisUrl::from(url.to_owned());
            let error = url.client().expect_err("no URL");
            let shown = format!("{url:?} {error:#} {error:?}");
            assert!(shown.contains("redis://[user") && !shown.contains("s3cret"), "{shown}");
        }
    }
}
