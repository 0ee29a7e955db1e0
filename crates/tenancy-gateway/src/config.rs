//! The configuration: options, environment variables and a TOML file.

mod load;
mod show;

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::builder::FalseyValueParser;
use clap::{Parser, Subcommand, ValueEnum};
use tenancy::TenantId;

use crate::database::Settings;
use crate::secret::Secret;
use crate::serve::Limits;
use crate::shared::RedisUrl;

pub use load::load;
pub use show::show;

/// The default of `--max-agents`, and its maximum with `--memory`.
const MAX_AGENTS: usize = 1000;
const MAX_AGENTS_IN_MEMORY: usize = 64;
/// The default of `--idle-timeout`. Load balancers reuse connections for 60 s, and must close them first.
const IDLE_TIMEOUT: u32 = 75;
const HEAD_TIMEOUT: u32 = 10;

/// An HTTP service for several tenants that share one process and no data.
///
/// Without options the service listens on this machine only and accepts the tokens of a built-in demo. Each
/// tenant's notes and agents are stored in a SQLite file of its own unless a database is configured.
///
/// Each setting can be an option, an environment variable, or an entry of the file in --config, for example
/// `max-agents = 50`. Options override the environment, which overrides the file.
#[derive(Clone, Debug, Parser)]
#[command(name = "gateway", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct Config {
    /// The command to run; the default is to serve.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// TOML file with settings that are named like the options
    #[arg(long, env = "GATEWAY_CONFIG", value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,

    /// Address to listen on, also used by `examples`; port 0 selects a free port
    #[arg(
        long,
        env = "GATEWAY_LISTEN",
        value_name = "IP:PORT",
        default_value = "127.0.0.1:8080",
        global = true
    )]
    pub listen: SocketAddr,

    /// JSON file with tenants, principals and their tokens, see docs/gateway/auth.md [default: the built-in demo]
    #[arg(long, env = "GATEWAY_PRINCIPALS", value_name = "FILE", global = true)]
    pub principals: Option<PathBuf>,

    /// Folder of the tenants' SQLite files; only one process at a time can use it
    #[arg(long, env = "GATEWAY_DATA", value_name = "DIR", default_value = "data", global = true)]
    pub data: PathBuf,

    /// Store everything in memory; all data is lost on exit
    #[arg(long, env = "GATEWAY_MEMORY", value_parser = FalseyValueParser::new(), global = true)]
    pub memory: bool,

    /// Requests per second allowed to each tenant; 0 disables the limit
    #[arg(long, env = "GATEWAY_RATE", value_name = "NUMBER", default_value_t = 100)]
    pub rate: u32,

    /// Requests that a tenant may send in one burst before the rate applies
    #[arg(long, env = "GATEWAY_BURST", value_name = "NUMBER", default_value = "200")]
    pub burst: NonZeroU32,

    /// Maximum number of notes per tenant
    #[arg(long, env = "GATEWAY_MAX_NOTES", value_name = "NUMBER", default_value_t = 1000, global = true)]
    pub max_notes: usize,

    /// Maximum number of agents per tenant, including deleted ones; at most 64 with --memory [default: 1000, or 64 with
    /// --memory]
    #[arg(long, env = "GATEWAY_MAX_AGENTS", value_name = "NUMBER", global = true)]
    pub max_agents: Option<usize>,

    /// Maximum number of requests of a tenant that run at the same time; others wait
    #[arg(long, env = "GATEWAY_MAX_CONCURRENT", value_name = "NUMBER", default_value = "64")]
    pub max_concurrent: NonZeroUsize,

    /// Maximum length of a request's body, in bytes
    #[arg(long, env = "GATEWAY_MAX_BODY", value_name = "BYTES", default_value_t = 64 * 1024)]
    pub max_body: usize,

    /// Maximum length of the body of a request with an agent, in bytes
    #[arg(long, env = "GATEWAY_MAX_AGENT_BODY", value_name = "BYTES", default_value_t = 400 * 1024)]
    pub max_agent_body: usize,

    /// Maximum number of connections; others wait in the queue of the system
    #[arg(long, env = "GATEWAY_MAX_CONNECTIONS", value_name = "NUMBER", default_value = "1024")]
    pub max_connections: NonZeroUsize,

    /// Maximum number of tenants' SQLite files that are open; each needs three file descriptors
    #[arg(long, env = "GATEWAY_MAX_OPEN_FILES", value_name = "NUMBER", default_value = "32", global = true)]
    pub max_open_files: NonZeroUsize,

    /// URL of a Redis server shared by all instances, without TLS. Redis enforces the rate limit across instances and
    /// caches notes. Prefer the variable: command lines are visible to other users
    #[arg(long, env = "REDIS_URL", hide_env_values = true, value_name = "URL", value_parser = clap::value_parser!(RedisUrl), global = true)]
    pub redis_url: Option<RedisUrl>,

    /// URL of a Postgres database that stores tenants, notes and agents instead of files, without TLS. The user must
    /// be a member of `tenancy_app`; `gateway migrate` creates the schema. Prefer the variable: command lines are
    /// visible to other users
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL", value_parser = clap::value_parser!(Secret), global = true)]
    pub database_url: Option<Secret>,

    /// Key that authenticates this service to the database, the same for all instances: a number, a colon, and at
    /// least 32 random bytes as hexadecimal digits
    #[arg(long, env = "TENANCY_KEY", hide_env_values = true, value_name = "ID:HEX", value_parser = clap::value_parser!(Secret), global = true)]
    pub tenancy_key: Option<Secret>,

    /// URL of a direct connection to the same database, used for LISTEN. Needed if --database-url is that of a
    /// transaction pooler
    #[arg(long, env = "DATABASE_LISTEN_URL", hide_env_values = true, value_name = "URL", value_parser = clap::value_parser!(Secret), global = true)]
    pub database_listen_url: Option<Secret>,

    /// Grace period for in-flight requests after Ctrl-C or SIGTERM, in seconds
    #[arg(long, env = "GATEWAY_SHUTDOWN_TIMEOUT", value_name = "SECONDS", default_value_t = 10)]
    pub shutdown_timeout: u32,

    /// Time between the first signal and the shutdown, in seconds, in which GET /readyz responds with 503 so that a load
    /// balancer stops sending requests
    #[arg(long, env = "GATEWAY_DRAIN_DELAY", value_name = "SECONDS", default_value_t = 0)]
    pub drain_delay: u32,

    /// Maximum number of tenants with a series of their own in GET /metrics; all others are counted together
    #[arg(long, env = "GATEWAY_METRICS_TENANTS", value_name = "NUMBER", default_value_t = 20)]
    pub metrics_tenants: usize,

    /// Format of the log on standard error
    #[arg(long, env = "GATEWAY_LOG_FORMAT", value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// File to which security events are appended as lines of JSON, instead of the log
    #[arg(long, env = "GATEWAY_SECURITY_LOG", value_name = "FILE")]
    pub security_log: Option<PathBuf>,

    /// Level of the log on standard error
    #[arg(long, env = "GATEWAY_LOG", value_name = "LEVEL", value_enum, default_value_t = Level::Info)]
    pub log: Level,

    /// Time-out of a Redis command, in milliseconds. After a time-out each instance limits by itself and caches
    /// nothing until Redis answers again
    #[arg(
        long,
        env = "GATEWAY_REDIS_TIMEOUT",
        value_name = "MILLISECONDS",
        default_value = "100",
        global = true
    )]
    pub redis_timeout: NonZeroU32,

    /// Time-out of a request, from its head to the start of its response, in seconds
    #[arg(long, env = "GATEWAY_REQUEST_TIMEOUT", value_name = "SECONDS", default_value = "30")]
    pub request_timeout: NonZeroU32,

    /// Time-out for receiving a request's head, in seconds [default: 10]
    #[arg(long, env = "GATEWAY_HEAD_TIMEOUT", value_name = "SECONDS")]
    pub head_timeout: Option<u32>,

    /// Time after which a connection without a request is closed, in seconds. It must be longer than the one of a load
    /// balancer in front of the gateway [default: 75, or --head-timeout if that is set]
    #[arg(long, env = "GATEWAY_IDLE_TIMEOUT", value_name = "SECONDS")]
    pub idle_timeout: Option<u32>,

    /// Time-out for a client that reads none of a response, in seconds
    #[arg(long, env = "GATEWAY_WRITE_TIMEOUT", value_name = "SECONDS", default_value_t = 20)]
    pub write_timeout: u32,

    /// Lifetime of a session of the page, in seconds
    #[arg(long, env = "GATEWAY_SESSION", value_name = "SECONDS", default_value_t = 1800)]
    pub session: u32,
}

/// The commands other than serving.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Create the schema and tables in Postgres, register the key, add missing tenants of --principals or of the demo,
    /// then exit. Safe to run repeatedly
    Migrate {
        /// URL of the database for an administrator: a superuser, or a user who may create roles and schemas
        #[arg(long, env = "DATABASE_ADMIN_URL", hide_env_values = true, value_name = "URL", value_parser = clap::value_parser!(Secret))]
        admin_url: Secret,
    },
    /// Print curl lines to try, for the address in --listen and the demo or the tenants of --principals. Needs no
    /// running gateway
    Examples,
    /// Check the configuration
    Config {
        /// The command.
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Print the manual page in the format of man, for example for `gateway man >gateway.1`
    Man,
    /// Print a script that completes this command in a shell
    Completions {
        /// The shell
        #[arg(value_name = "SHELL")]
        shell: clap_complete::Shell,
    },
    /// Print the OpenAPI 3.1 document that GET /openapi.json returns
    Openapi,
    /// Write one tenant's agents and notes as lines of JSON, from the store that the other options name. With files,
    /// stop the gateway first: only one process at a time can use them
    Export {
        /// Tenant to export
        #[arg(long, value_name = "ID")]
        tenant: TenantId,
        /// File to create; - is the standard output
        #[arg(long, value_name = "FILE", default_value = "-")]
        out: PathBuf,
    },
    /// Read an export of one tenant into the store that the other options name. The whole file is checked first, and
    /// existing data is not overwritten. Safe to run repeatedly
    Import {
        /// Tenant of the export
        #[arg(long, value_name = "ID")]
        tenant: TenantId,
        /// File to read; - is the standard input
        #[arg(value_name = "FILE", default_value = "-")]
        file: PathBuf,
    },
}

/// A format of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// Lines of JSON.
    Json,
}

/// The commands for the configuration.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum ConfigCommand {
    /// Check all settings and the principals file without connecting to a server, and print the settings with their
    /// sources. Secrets are not printed
    Check,
}

/// A level of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
#[allow(missing_docs, reason = "the names are the levels of tracing")]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Config {
    /// Returns the limits of connections.
    pub fn limits(&self) -> Limits {
        let seconds = |seconds: u32| Duration::from_secs(seconds.into());
        let head = self.head_timeout.unwrap_or(HEAD_TIMEOUT);
        Limits {
            connections: self.max_connections.get(),
            head: seconds(head),
            idle: seconds(self.idle_timeout.or(self.head_timeout).unwrap_or(IDLE_TIMEOUT)),
            write: seconds(self.write_timeout),
            shutdown: seconds(self.shutdown_timeout),
        }
    }

    /// Returns the maximum number of agents per tenant.
    pub fn max_agents(&self) -> usize {
        let default = if self.is_in_memory() { MAX_AGENTS_IN_MEMORY } else { MAX_AGENTS };
        self.max_agents.unwrap_or(default)
    }

    /// Returns whether data is stored in memory only.
    pub fn is_in_memory(&self) -> bool {
        self.memory && self.database_url.is_none()
    }

    /// Returns the time-out of a Redis command.
    pub fn redis_timeout(&self) -> Duration {
        Duration::from_millis(self.redis_timeout.get().into())
    }

    /// Returns the settings of the database, if one is configured.
    ///
    /// # Errors
    ///
    /// If the key is missing, or if the key or a URL is invalid.
    pub fn database(&self) -> Result<Option<Settings>> {
        let (key, listen_url) = (self.tenancy_key.as_ref(), self.database_listen_url.as_ref());
        self.database_url.as_ref().map(|url| Settings::new(url, key, listen_url)).transpose()
    }

    /// Returns the folder of the tenants' files, if data is stored there.
    pub fn files(&self) -> Option<&Path> {
        let is_elsewhere = self.memory || self.database_url.is_some();
        (!is_elsewhere).then_some(self.data.as_path())
    }

    /// Checks that the folder of the tenants' files exists. A mistyped folder must not be created by an export.
    ///
    /// # Errors
    ///
    /// If data is stored in files, and the folder does not exist.
    pub fn check_folder(&self) -> Result<()> {
        let folder = self.files().filter(|folder| !folder.is_dir());
        ensure!(folder.is_none(), "there is no folder {}: --data DIR names another", self.data.display());
        Ok(())
    }

    /// Checks values that are otherwise checked when they are used: URLs and the key.
    ///
    /// # Errors
    ///
    /// If a value is invalid. The error does not contain it.
    pub fn check_values(&self) -> Result<()> {
        self.database()?;
        self.redis_url.as_ref().map_or(Ok(()), RedisUrl::check)
    }

    /// Checks that the settings do not contradict each other, and that the demo's public tokens are accepted on this
    /// machine only.
    ///
    /// # Errors
    ///
    /// If a setting is invalid, or if other machines can reach the address and the demo's tokens are accepted.
    pub fn check(&self, has_demo_tokens: bool) -> Result<()> {
        let is_local = self.listen.ip().to_canonical().is_loopback();
        ensure!(
            is_local || !has_demo_tokens,
            "the demo's tokens are public, and {} can be reached from other machines: \
             name tokens of your own by --principals FILE, or listen on 127.0.0.1",
            self.listen
        );
        ensure!(
            !self.is_in_memory() || self.max_agents() <= MAX_AGENTS_IN_MEMORY,
            "--max-agents is {}, and with --memory it can be at most {MAX_AGENTS_IN_MEMORY}",
            self.max_agents()
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_time_is_longer_than_that_of_load_balancers_by_default() {
        let idle = |arguments: &[&str]| {
            Config::parse_from([&["gateway"], arguments].concat()).limits().idle.as_secs()
        };
        assert_eq!(idle(&[]), 75);
        assert_eq!(idle(&["--head-timeout=3"]), 3);
        assert_eq!(idle(&["--head-timeout=3", "--idle-timeout=5"]), 5);
    }

    #[test]
    fn maximum_of_agents_depends_on_the_store() {
        let config = |arguments: &[&str]| Config::parse_from([&["gateway"], arguments].concat());
        assert_eq!(config(&[]).max_agents(), 1000);
        assert_eq!(config(&["--memory"]).max_agents(), 64);
        assert_eq!(config(&["--memory", "--max-agents=5"]).max_agents(), 5);
        assert!(config(&["--memory", "--max-agents=64"]).check(true).is_ok());
        let error = config(&["--memory", "--max-agents=65"]).check(true).unwrap_err().to_string();
        assert!(error.contains("65") && error.contains("at most 64"), "{error}");
        assert!(config(&["--max-agents=65"]).check(true).is_ok());
    }

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
