//! What can be said at the start.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::builder::FalseyValueParser;
use clap::{Parser, Subcommand, ValueEnum};
use tenancy::TenantId;

use crate::database::Settings;
use crate::principals::Census;
use crate::secret::Secret;
use crate::serve::Limits;
use crate::shared::RedisUrl;

/// As many as a process may have files open, where nobody said otherwise.
const MOST_CONNECTIONS: usize = 1024;

/// An HTTP service whose tenants share one process, and nothing else.
///
/// Without any flag it serves the tenants and the tokens of a demo, to this machine alone, and prints requests
/// to try. Each tenant's notes and agents are kept in a file of its own, unless a database is named.
#[derive(Clone, Debug, Parser)]
#[command(version, max_term_width = 100, disable_help_subcommand = true)]
pub struct Config {
    /// What else it can do.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Where to listen; port 0 is any that is free
    #[arg(long, env = "GATEWAY_LISTEN", value_name = "IP:PORT", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,

    /// Tenants, principals and their tokens, as JSON in the form of examples/gateway/demo.json [default: the
    /// demo's]
    #[arg(long, env = "GATEWAY_PRINCIPALS", value_name = "FILE", global = true)]
    pub principals: Option<PathBuf>,

    /// Where each tenant has a file, and the platform's has the tenants: one process at a time
    #[arg(long, env = "GATEWAY_DATA", value_name = "DIR", default_value = "data", global = true)]
    pub data: PathBuf,

    /// Keep all in memory, and nothing at the end
    #[arg(long, env = "GATEWAY_MEMORY", value_parser = FalseyValueParser::new(), global = true)]
    pub memory: bool,

    /// Requests a second of each tenant; 0 is no limit
    #[arg(long, env = "GATEWAY_RATE", value_name = "NUMBER", default_value_t = 100)]
    pub rate: u32,

    /// Requests of a tenant at once, before the rate is felt
    #[arg(long, env = "GATEWAY_BURST", value_name = "NUMBER", default_value = "200")]
    pub burst: NonZeroU32,

    /// Notes that a tenant may have
    #[arg(long, env = "GATEWAY_MAX_NOTES", value_name = "NUMBER", default_value_t = 1000, global = true)]
    pub max_notes: usize,

    /// Agents that a tenant may have, deleted ones among them; in memory no more than 64
    #[arg(long, env = "GATEWAY_MAX_AGENTS", value_name = "NUMBER", default_value_t = 1000, global = true)]
    pub max_agents: usize,

    /// The URL of a Redis that instances share, without TLS: it counts each tenant's requests to all of them, and
    /// caches notes. On the command line others can read its password
    #[arg(long, env = "REDIS_URL", hide_env_values = true, value_name = "URL", value_parser = clap::value_parser!(RedisUrl), global = true)]
    pub redis_url: Option<RedisUrl>,

    /// The URL of a Postgres that keeps tenants, notes and agents in place of files, without TLS, as a login that is a member of `tenancy_app`:
    /// `gateway migrate` makes what it needs. On the command line others can read its password
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL", value_parser = clap::value_parser!(Secret), global = true)]
    pub database_url: Option<Secret>,

    /// The key by which the database knows this service, the same for all instances: a number, and the hexadecimal
    /// digits of 32 random bytes or more
    #[arg(long, env = "TENANCY_KEY", hide_env_values = true, value_name = "ID:HEX", value_parser = clap::value_parser!(Secret), global = true)]
    pub tenancy_key: Option<Secret>,

    /// The URL of a direct connection to the same database, to hear of changes by LISTEN, where the other one is a
    /// transaction pooler's
    #[arg(long, env = "DATABASE_LISTEN_URL", hide_env_values = true, value_name = "URL", value_parser = clap::value_parser!(Secret), global = true)]
    pub database_listen_url: Option<Secret>,

    /// Seconds that the requests in flight have to finish after Ctrl-C or SIGTERM
    #[arg(long, env = "GATEWAY_SHUTDOWN_TIMEOUT", value_name = "SECONDS", default_value_t = 10)]
    pub shutdown_timeout: u32,

    /// How much is logged, on stderr
    #[arg(long, env = "GATEWAY_LOG", value_name = "LEVEL", value_enum, default_value_t = Level::Info)]
    pub log: Level,

    /// Milliseconds that Redis may take for a command: then each instance limits by itself, and caches nothing, until
    /// it answers again
    #[arg(
        long,
        env = "GATEWAY_REDIS_TIMEOUT",
        value_name = "MILLISECONDS",
        default_value = "100",
        global = true
    )]
    pub redis_timeout: NonZeroU32,

    /// Seconds that a client has to send a request's head
    #[arg(long, env = "GATEWAY_HEAD_TIMEOUT", value_name = "SECONDS", default_value_t = 10, hide = true)]
    pub head_timeout: u32,

    /// Seconds that a client has to take some of what it is sent
    #[arg(long, env = "GATEWAY_WRITE_TIMEOUT", value_name = "SECONDS", default_value_t = 20, hide = true)]
    pub write_timeout: u32,

    /// Seconds after which who signed in to the page has to do so again
    #[arg(long, env = "GATEWAY_SESSION", value_name = "SECONDS", default_value_t = 1800, hide = true)]
    pub session: u32,
}

/// What it can do besides serving.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Makes what the database needs, and ends: the schema tenancy and its key, the tables of notes and agents, and the tenants of
    /// --principals, or the demo's, that are not there yet. It is safe to run again
    Migrate {
        /// The URL of the database as one who owns it: a superuser, or one who may make roles and schemas
        #[arg(long, env = "DATABASE_ADMIN_URL", hide_env_values = true, value_name = "URL", value_parser = clap::value_parser!(Secret))]
        admin_url: Secret,
    },
    /// Prints the document of all routes: OpenAPI 3.1, as GET /openapi.json gives it
    Openapi,
    /// Writes one tenant's agents and notes, a line of JSON each, from wherever the other options keep them. Files are
    /// one process's at a time: no service may have them
    Export {
        /// Whose
        #[arg(long, value_name = "ID")]
        tenant: TenantId,
        /// Where to; - is the standard output
        #[arg(long, value_name = "FILE", default_value = "-")]
        out: PathBuf,
    },
    /// Puts what was exported of one tenant to wherever the other options keep things. The whole file is checked before
    /// anything is done, and what is there already stays: it is safe to run again
    Import {
        /// Whose it is, and stays
        #[arg(long, value_name = "ID")]
        tenant: TenantId,
        /// Where from; - is the standard input
        #[arg(value_name = "FILE", default_value = "-")]
        file: PathBuf,
    },
}

/// How much is logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
#[allow(missing_docs, reason = "the names say it, here and in --help")]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Config {
    /// What clients may take of the connections.
    pub fn limits(&self) -> Limits {
        Limits {
            connections: MOST_CONNECTIONS,
            head: Duration::from_secs(self.head_timeout.into()),
            write: Duration::from_secs(self.write_timeout.into()),
            shutdown: Duration::from_secs(self.shutdown_timeout.into()),
        }
    }

    /// How long Redis may take.
    pub fn redis_timeout(&self) -> Duration {
        Duration::from_millis(self.redis_timeout.get().into())
    }

    /// The database, if one is named.
    ///
    /// # Errors
    ///
    /// Where it lacks a key, or makes no sense.
    pub fn database(&self) -> Result<Option<Settings>> {
        let (key, listen_url) = (self.tenancy_key.as_ref(), self.database_listen_url.as_ref());
        self.database_url.as_ref().map(|url| Settings::new(url, key, listen_url)).transpose()
    }

    /// The folder of the tenants' files, if things are kept there.
    pub fn files(&self) -> Option<&Path> {
        let is_elsewhere = self.memory || self.database_url.is_some();
        (!is_elsewhere).then_some(self.data.as_path())
    }

    /// Whether what is kept is there: a folder that was mistyped is not to be made, only to be found empty.
    ///
    /// # Errors
    ///
    /// Where it is a folder, and there is none.
    pub fn check_kept(&self) -> Result<()> {
        let folder = self.files().filter(|folder| !folder.is_dir());
        ensure!(folder.is_none(), "there is no folder {}: --data DIR names another", self.data.display());
        Ok(())
    }

    /// Tokens that everybody can read are for this machine alone.
    ///
    /// # Errors
    ///
    /// Where they would be served to others.
    pub fn check(&self, census: &Census) -> Result<()> {
        let is_local = self.listen.ip().to_canonical().is_loopback();
        ensure!(
            is_local || !census.principals.has_demo_tokens(),
            "the demo's tokens are public, and {} can be reached from other machines: \
             name tokens of your own by --principals FILE, or listen on 127.0.0.1",
            self.listen
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        let config = Config::parse_from([
            "gateway",
            "--redis-url=redis://:s3cret@h",
            "--database-url=postgres://u:s3cret@h/d",
            "--database-listen-url=postgres://u:s3cret@h/d",
            "--tenancy-key=1:5ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3e7",
            "migrate",
            "--admin-url=postgres://u:s3cret@h/d",
        ]);
        let settings = config.database().expect("a key").expect("a database");
        let shown = format!("{config:?} {settings:?}");
        assert!(shown.contains("Migrate") && shown.contains("id: 1"), "{shown}");
        assert!(!shown.contains("s3cret") && !shown.contains("5ec3e7") && !shown.contains("@h"), "{shown}");
    }
}
