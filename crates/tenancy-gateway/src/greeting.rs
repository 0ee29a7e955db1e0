//! The lines that are printed when the service has started.

use std::net::SocketAddr;

use tenancy::TenantRecord;

use crate::config::Config;
use crate::examples::{Member, base};

/// The last line of every greeting.
pub const LAST_LINE: &str = "Press Ctrl-C to stop.";

/// Returns what a user needs to begin, in ten lines at most.
pub fn greeting(address: SocketAddr, config: &Config, tenants: &[TenantRecord]) -> String {
    let base = base(address);
    let mut lines = vec![format!("Listening on http://{address}"), format!("  page:     {base}/")];
    let member = match config.principals {
        Some(_) => Member::of_first_active(tenants),
        None => Some(Member::demo()),
    };
    lines.push(match &member {
        None => "  sign in:  not possible, because no tenant is active".to_owned(),
        Some(member) => {
            let (slug, token) = (member.slug(), member.public_token());
            let token = token.map_or_else(|| format!("of a member of {slug}"), str::to_owned);
            format!("  sign in:  token {token}, tenant {slug}")
        }
    });
    lines.push(format!("  data:     {}", data(config)));
    lines.extend(redis(config).map(|redis| format!("  Redis:    {redis}")));
    if let Some(member) = &member {
        let first = if member.public_token().is_some() { "" } else { "Set TOKEN to that token. " };
        lines.push(format!("{first}Requests to start with (the subcommand `examples` prints more):"));
        lines.extend(member.first_requests().map(|example| example.line(&base)));
    }
    lines.push(LAST_LINE.to_owned());
    lines.join("\n")
}

fn data(config: &Config) -> String {
    match config.files() {
        Some(folder) => format!("one SQLite file per tenant in the folder {}", folder.display()),
        None if config.database_url.is_some() => "Postgres".to_owned(),
        None => "in memory only; lost when the gateway stops".to_owned(),
    }
}

fn redis(config: &Config) -> Option<&'static str> {
    config.redis_url.as_ref()?;
    Some(match config.rate {
        0 => "caches notes",
        _ => "enforces each tenant's rate limit across all instances, and caches notes",
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn has_ten_lines_at_most_with_every_option() {
        let url = ["gateway", "--redis-url=redis://h", "--database-url=postgres://h/d"];
        for arguments in [&url[..], &url[..2], &url[..1], &["gateway", "--memory"]] {
            let config = Config::parse_from(arguments);
            let text = greeting("127.0.0.1:8080".parse().unwrap(), &config, &[]);
            assert!(text.lines().count() <= 10 && text.ends_with(LAST_LINE), "{text}");
            assert_eq!(text.lines().filter(|line| line.starts_with("curl ")).count(), 3, "{text}");
        }
    }

    #[test]
    fn says_that_nobody_can_sign_in_without_an_active_tenant() {
        let config = Config::parse_from(["gateway", "--principals=file"]);
        let text = greeting("[::]:8080".parse().unwrap(), &config, &[]);
        assert!(text.contains("no tenant is active") && text.contains("http://[::1]:8080/"), "{text}");
    }
}
