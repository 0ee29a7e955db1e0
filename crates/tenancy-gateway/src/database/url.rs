//! The URL of the database.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

use crate::secret::{Secret, has_split_password};

const CONNECT: Duration = Duration::from_secs(5);
const PORT: u16 = 5432;

/// Parses a URL, or keys and values in the format of libpq.
pub(super) fn parse(url: &Secret) -> Result<Config> {
    let config = url.text().parse::<Config>().ok();
    let config = config.filter(|config| !has_split_password(url.text()) && !config.get_hosts().is_empty());
    let mut config = config.context(
        "invalid URL of the database: it is postgres://user[:password]@host[:port]/database, without TLS, \
         and of a password all but letters, digits, - . _ and ~ is percent-encoded",
    )?;
    config.application_name("gateway").connect_timeout(CONNECT);
    Ok(config)
}

/// Returns the hosts and ports only.
pub(super) fn address(config: &Config) -> String {
    let ports = config.get_ports();
    let port = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(PORT);
    let hosts = config.get_hosts().iter().enumerate().map(|(at, host)| match host {
        Host::Tcp(name) => format!("{name}:{}", port(at)),
        #[cfg(unix)]
        Host::Unix(folder) => folder.display().to_string(),
    });
    hosts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address_of(url: &str) -> Option<String> {
        parse(&Secret::from(url.to_owned())).ok().map(|config| address(&config))
    }

    #[test]
    fn reads_the_address() {
        assert_eq!(address_of("postgres://u:s3cret@db.example/notes").as_deref(), Some("db.example:5432"));
        assert_eq!(address_of("postgresql://u:s3%2Fcr%40t@[::1]:7,h:8/n").as_deref(), Some("::1:7, h:8"));
        assert_eq!(
            address_of("host=/run/postgresql user=u password=s3cret").as_deref(),
            Some("/run/postgresql")
        );
    }

    #[test]
    fn errors_do_not_show_the_url() {
        for url in [
            "",
            "s3cret",
            "http://u:s3cret@h/d",
            "postgres:///d?user=s3cret",
            "postgres://u:s3cret@h/d?s3cret=1",
            "postgres://u:s3/cret@h/d",
            "postgres://u:12/s3cret@h/d",
            "postgres://u:s3#cret@h/d",
        ] {
            let error = parse(&Secret::from(url.to_owned())).expect_err(url);
            assert!(!format!("{error:#} {error:?}").contains("s3"), "{error:?}");
        }
    }
}
