//! What can stand on the command line.

#![allow(clippy::doc_markdown, reason = "the documentation is what --help prints")]

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, SystemTime};
use std::{env, iter};

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};
use tenancy::{InvalidTenantSlugError, TenantId, TenantSlug};

use crate::failure::Failure;

/// Keeps the tenants of a Postgres database apart: its operator's command
///
/// It connects as a superuser, or as a member of tenancy_owner who owns the tables. What it does is written into
/// tenancy.admin_log.
#[derive(Parser, Debug)]
#[command(name = "tenancy-pg", version, after_help = EXIT_CODES, after_long_help = LONG_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 the audit has findings; 2 the command line, or a file that it names, is wrong; \
3 the server refused, or can't be reached";

const LONG_HELP: &str = "\
Exit codes:
  0  done
  1  the audit has findings
  2  the command line, or a file that it names, is wrong
  3  the server refused, or can't be reached

TLS: by sslmode in the URL. `prefer`, which is the default, takes TLS where the server has it; `require` takes nothing
else; `disable` takes none. A certificate is always verified.

Example, from an empty database:
  export DATABASE_URL=postgres://postgres@localhost/notes
  tenancy-pg migrate
  tenancy-pg key generate 1 --out service.key
  tenancy-pg key add 1 --secret-file service.key
  tenancy-pg enable public.notes
  tenancy-pg audit --role notes_service
  tenancy-pg tenant create acme";

/// What each command takes.
#[derive(Args, Debug)]
pub(crate) struct Global {
    /// The database, as a URL or as libpq's keys and values; others can read the command line, so that a password
    /// stands in the environment
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) url: Option<String>,

    /// Certificates that the server's is verified by, in PEM, instead of those of the system
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,

    /// Why, for the log: at most 200 characters [default: tenancy-pg COMMAND]
    #[arg(long, global = true, value_name = "TEXT")]
    pub(crate) reason: Option<String>,

    /// JSON on stdout, one document or one a line, and errors as JSON on stderr
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Brings the schema `tenancy` up to date, removes what old clients needed, or takes versions back
    #[command(
        after_help = "A downgrade from version 5 to 4 ends context v2: stop the clients that use it first. After \
            --finish it also leaves no keys: add them again with `tenancy-pg key add`.\n\n\
            Example: tenancy-pg migrate\n         tenancy-pg migrate --finish\n         \
            tenancy-pg migrate --revert --to 4"
    )]
    Migrate {
        /// The version to end with; with --revert, the newest that stays, and 0 takes back all
        #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(i32).range(0..))]
        to: Option<i32>,
        /// Takes back what is newer than --to
        #[arg(long, requires = "to")]
        revert: bool,
        /// Remove context v1 when no client uses it any more. Safe to run repeatedly
        #[arg(long, conflicts_with_all = ["to", "revert"])]
        finish: bool,
    },
    /// Lists the versions of the schema `tenancy`, and which are applied
    #[command(after_help = "Example: tenancy-pg status --json")]
    Status,
    /// Makes a table its tenants' own; it is safe to run again, also after it was interrupted
    #[command(
        after_help = "Example: tenancy-pg enable public.notes --backfill 550e8400-e29b-41d4-a716-446655440000"
    )]
    Enable {
        /// The table, as SQL has it: notes, public.notes, 'public."Notes"'
        table: String,
        /// The tenant that rows of today belong to, if they have none
        #[arg(long, value_name = "TENANT")]
        backfill: Option<TenantId>,
    },
    /// Lets all tenants read a table without tenant_id, and none write it
    #[command(after_help = "Example: tenancy-pg share public.countries")]
    Share {
        /// The table, as SQL has it
        table: String,
    },
    /// Lists what would leak, each with what mends it; exit code 1 where something does
    #[command(after_help = "Example: tenancy-pg audit --role notes_service --fail-on warning --json")]
    Audit {
        /// The service's role; without it, the one that connects
        #[arg(long)]
        role: Option<String>,
        /// From what on the exit code is 1
        #[arg(long, value_enum, default_value_t = FailOn::Critical, value_name = "SEVERITY")]
        fail_on: FailOn,
    },
    /// The tenants
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// The keys that services enter tenants by
    #[command(subcommand)]
    Key(KeyCommand),
}

#[derive(Subcommand, Debug)]
pub(crate) enum TenantCommand {
    /// Adds a tenant, and prints its id
    #[command(after_help = "Example: tenancy-pg tenant create acme")]
    Create {
        /// Its name: 1 to 63 of a-z, 0-9 and -
        slug: TenantSlug,
        /// Its id [default: a random UUID]
        #[arg(long)]
        id: Option<TenantId>,
    },
    /// Lists the tenants by their ids: id, slug and status
    #[command(after_help = "Example: tenancy-pg tenant list --json | jq -r .slug")]
    List {
        /// Those that come after this one
        #[arg(long, value_name = "ID")]
        after: Option<TenantId>,
        /// So many at most [default: all]
        #[arg(long, value_name = "NUMBER")]
        limit: Option<u64>,
    },
    /// Suspends a tenant: its requests are refused until it is resumed
    #[command(after_help = "Example: tenancy-pg tenant suspend acme --reason 'invoice 17 is not paid'")]
    Suspend {
        /// Its id or its slug
        tenant: TenantRef,
    },
    /// Resumes a tenant that is suspended
    #[command(after_help = "Example: tenancy-pg tenant resume acme")]
    Resume {
        /// Its id or its slug
        tenant: TenantRef,
    },
    /// Marks a tenant as deleted, for good: its id and slug are never another's. Its rows stay where they are
    #[command(after_help = "Example: tenancy-pg tenant delete acme --reason 'ticket 99'")]
    Delete {
        /// Its id or its slug
        tenant: TenantRef,
    },
}

#[derive(Subcommand, Debug)]
pub(crate) enum KeyCommand {
    /// Gives the database a key; its secret comes from a file, or from TENANCY_SECRET in the environment
    #[command(after_help = "Example: tenancy-pg key add 1 --secret-file service.key")]
    Add {
        /// Its id
        #[arg(allow_negative_numbers = true)]
        id: i32,
        #[command(flatten)]
        secret: Secret,
    },
    /// Makes a key of 32 random bytes; needs no database
    #[command(after_help = "Example: tenancy-pg key generate 1 --out service.key\n\n\
        The service reads it from its environment: TENANCY_KEY=\"$(cat service.key)\"")]
    Generate {
        /// Its id
        #[arg(allow_negative_numbers = true)]
        id: i32,
        /// A new file, which its owner alone can read; without it, stdout
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Adds a key and retires another after a grace, in which services change over
    #[command(after_help = "Example: tenancy-pg key rotate 1 2 --secret-file new.key --grace 1h")]
    Rotate {
        /// The id of the key that goes
        #[arg(allow_negative_numbers = true)]
        old: i32,
        /// The id of the key that comes
        #[arg(allow_negative_numbers = true)]
        new: i32,
        #[command(flatten)]
        secret: Secret,
        /// How long both are good
        #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
        grace: Duration,
    },
    /// Lists the keys: id, and when each ends
    #[command(after_help = "Example: tenancy-pg key list")]
    List,
    /// Refuses a key from now on, or after a time; a retired key does not come back
    #[command(after_help = "Example: tenancy-pg key retire 1 --at 2030-01-01T00:00:00Z")]
    Retire {
        /// Its id
        #[arg(allow_negative_numbers = true)]
        id: i32,
        /// When it ends, in RFC 3339 with Z [default: now]
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_rfc3339)]
        at: Option<SystemTime>,
    },
}

/// Where a secret is read from: never the command line, which others can read.
#[derive(Args, Debug)]
pub(crate) struct Secret {
    /// A file as `key generate` writes it: ID:HEX, or HEX alone [default: what TENANCY_SECRET has]
    #[arg(long = "secret-file", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum FailOn {
    Critical,
    Warning,
}

/// A tenant by its id or its slug: a text is never both.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TenantRef {
    Id(TenantId),
    Slug(TenantSlug),
}

impl FromStr for TenantRef {
    type Err = InvalidTenantSlugError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(id) => Ok(Self::Id(id)),
            Err(_) => text.parse().map(Self::Slug),
        }
    }
}

impl Command {
    /// As it is typed.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Migrate { .. } => "migrate",
            Self::Status => "status",
            Self::Enable { .. } => "enable",
            Self::Share { .. } => "share",
            Self::Audit { .. } => "audit",
            Self::Tenant(command) => command.name(),
            Self::Key(command) => command.name(),
        }
    }
}

impl TenantCommand {
    fn name(&self) -> &'static str {
        match self {
            Self::Create { .. } => "tenant create",
            Self::List { .. } => "tenant list",
            Self::Suspend { .. } => "tenant suspend",
            Self::Resume { .. } => "tenant resume",
            Self::Delete { .. } => "tenant delete",
        }
    }
}

impl KeyCommand {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Add { .. } => "key add",
            Self::Generate { .. } => "key generate",
            Self::Rotate { .. } => "key rotate",
            Self::List => "key list",
            Self::Retire { .. } => "key retire",
        }
    }
}

/// The command line; or what it ends with, where that is all there is to do.
pub(crate) fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|error| {
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            // Who closed stdout does not read it.
            let _ = write!(io::stdout(), "{}", error.render());
            return ExitCode::SUCCESS;
        }
        let arguments: Vec<_> =
            env::args_os().skip(1).map(|text| text.to_string_lossy().into_owned()).collect();
        let message = discreet(&error.render().to_string(), &arguments);
        let message = match message.strip_prefix("error: ") {
            Some(message) => message.trim_end().to_owned(),
            None => format!("which command?\n\n{}", message.trim_end()),
        };
        Failure::Usage(message).report(arguments.iter().any(|argument| argument == "--json"))
    })
}

/// The message without what was typed: it may be a secret, or a URL with a password, in the wrong place.
fn discreet(message: &str, arguments: &[String]) -> String {
    let values = arguments.iter().flat_map(|argument| {
        let value = argument.split_once('=').map(|(_, value)| value);
        iter::once(argument.as_str()).filter(|whole| !whole.starts_with('-')).chain(value)
    });
    values
        .filter(|value| !value.is_empty())
        .fold(message.to_owned(), |message, value| message.replace(&format!("'{value}'"), "'…'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn refused(arguments: &[&str]) -> String {
        let error = Cli::try_parse_from(iter::once(&"tenancy-pg").chain(arguments)).expect_err("refused");
        let arguments: Vec<_> = arguments.iter().map(ToString::to_string).collect();
        discreet(&error.render().to_string(), &arguments)
    }

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_secret_in_the_wrong_place_is_not_repeated() {
        for arguments in [
            &["migrate", "postgres://u:hunter2@h/d"][..],
            &["key", "add", "1", "hunter2"],
            &["key", "add", "1:hunter2"],
            &["key", "add", "1", "--secret=hunter2"],
            &["key", "generate", "hunter2"],
            &["key", "rotate", "1", "2", "--grace=hunter2"],
            &["key", "retire", "1", "--at", "hunter2"],
            &["hunter2"],
            &["tenant", "list", "--limit", "hunter2"],
            &["tenant", "suspend", "Hunter2/hunter2"],
        ] {
            let message = refused(arguments);
            assert!(message.starts_with("error: ") && !message.contains("hunter2"), "{message}");
        }
    }
}
