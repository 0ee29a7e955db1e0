//! The arguments of the command line.

#![allow(clippy::doc_markdown, reason = "--help prints the documentation")]

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::{Duration, SystemTime};
use std::{env, iter};

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};
use tenancy::{InvalidTenantSlugError, TenantId, TenantSlug};
use tenancy_postgres::AuditPolicy;

use crate::failure::Failure;

/// Set up and operate tenant isolation in a Postgres database
///
/// The command connects as a superuser, or as a member of tenancy_owner that owns the tables. Each action is written to
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
Exit codes: 0 success; 1 the audit has findings; 2 invalid command line, or a file that it names; \
3 the server rejected the command, or cannot be reached";

const LONG_HELP: &str = "\
Exit codes:
  0  success
  1  the audit has findings
  2  invalid command line, or a file that it names
  3  the server rejected the command, or cannot be reached

TLS: set sslmode in the URL. `prefer`, the default, uses TLS if the server supports it; `require` always uses TLS;
`disable` never does. Certificates are always verified.

Example for an empty database:
  export DATABASE_URL=postgres://postgres@localhost/notes
  tenancy-pg migrate
  tenancy-pg key generate 1 --out service.key
  tenancy-pg key add 1 --secret-file service.key
  tenancy-pg enable public.notes
  tenancy-pg audit --role notes_service
  tenancy-pg tenant create acme";

/// The arguments of all commands.
#[derive(Args, Debug)]
pub(crate) struct Global {
    /// The database, as a URL or as keys and values of libpq. Set a password in the environment: other users can read
    /// the command line
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub(crate) url: Option<String>,

    /// A file with trusted certificates in PEM, used instead of the certificates of the system
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,

    /// The reason that is logged, of at most 200 characters [default: tenancy-pg COMMAND]
    #[arg(long, global = true, value_name = "TEXT")]
    pub(crate) reason: Option<String>,

    /// Print JSON on stdout, one document or one on each line, and errors as JSON on stderr
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Apply the pending versions of the schema `tenancy`, remove what old clients needed, or revert versions
    #[command(
        after_help = "A downgrade from version 5 to 4 ends context v2: stop the clients that use it first. After \
            --finish it also leaves no keys: add them again with `tenancy-pg key add`.\n\n\
            Example: tenancy-pg migrate\n         tenancy-pg migrate --finish\n         \
            tenancy-pg migrate --revert --to 4"
    )]
    Migrate {
        /// The last version to apply; with --revert, the last version to keep, and 0 reverts all
        #[arg(long, value_name = "VERSION", value_parser = clap::value_parser!(i32).range(0..))]
        to: Option<i32>,
        /// Revert the versions after --to
        #[arg(long, requires = "to")]
        revert: bool,
        /// Remove context v1 when no client uses it any more. Safe to run repeatedly
        #[arg(long, conflicts_with_all = ["to", "revert"])]
        finish: bool,
    },
    /// List the versions of the schema `tenancy`, and which of them are applied
    #[command(after_help = "Example: tenancy-pg status --json")]
    Status,
    /// Enable tenant isolation for a table. Safe to run repeatedly, also after an interruption
    #[command(
        after_help = "Example: tenancy-pg enable public.notes --backfill 550e8400-e29b-41d4-a716-446655440000"
    )]
    Enable {
        /// The table, as SQL names it: notes, public.notes, 'public."Notes"'
        table: String,
        /// The tenant of existing rows that have none
        #[arg(long, value_name = "TENANT")]
        backfill: Option<TenantId>,
    },
    /// Let all tenants read a table without tenant_id, and none of them change it
    #[command(after_help = "Example: tenancy-pg share public.countries")]
    Share {
        /// The table, as SQL names it
        table: String,
    },
    /// List ways around tenant isolation, the worst first; exit code 1 if there are any
    #[command(
        after_help = "Example: tenancy-pg audit --role notes_service --fail-on warning --json\n         \
            tenancy-pg audit --role notes_service --accept 'TempGranted:notes=reports need it'"
    )]
    Audit {
        /// The service's role [default: the role that connects]
        #[arg(long)]
        role: Option<String>,
        #[command(flatten)]
        audit: AuditArgs,
        /// Print each finding with its remedy, instead of at most 20 lines
        #[arg(long)]
        all: bool,
    },
    /// Apply the SQL that the findings of the audit ask for, in one transaction, and audit again
    ///
    /// The command prints the SQL and asks for confirmation. Findings that need a decision have no SQL; `audit --all`
    /// shows their remedies. Exit code 1 if findings are left.
    #[command(after_help = "Example: tenancy-pg harden --role notes_service --dry-run\n         \
            tenancy-pg harden --role notes_service --only critical --yes")]
    Harden {
        /// The service's role
        #[arg(long)]
        role: String,
        #[command(flatten)]
        audit: AuditArgs,
        /// Apply the SQL of findings of this severity or worse
        #[arg(long, value_enum, default_value_t = FailOn::Warning, value_name = "SEVERITY")]
        only: FailOn,
        /// Apply the SQL without confirmation
        #[arg(long, conflicts_with = "dry_run")]
        yes: bool,
        /// Print the SQL, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Create, list, suspend, resume and delete tenants
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Create, list, rotate and retire the keys by which services enter tenants
    #[command(subcommand)]
    Key(KeyCommand),
}

/// The arguments that `audit` and `harden` share.
#[derive(Args, Debug)]
pub(crate) struct AuditArgs {
    /// The exit code is 1 if a finding has this severity or a worse one
    #[arg(long, value_enum, default_value_t = FailOn::Critical, value_name = "SEVERITY")]
    pub(crate) fail_on: FailOn,
    /// Accept one finding, by its kind and object as --json shows them; can be repeated
    #[arg(long, value_name = "KIND:OBJECT=REASON")]
    pub(crate) accept: Vec<AuditPolicy>,
    /// A file with one KIND:OBJECT=REASON or `stateful-extension NAME` on each line
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
pub(crate) enum TenantCommand {
    /// Create a tenant, and print its id
    #[command(after_help = "Example: tenancy-pg tenant create acme")]
    Create {
        /// The slug: 1 to 63 of the characters a-z, 0-9 and -
        slug: TenantSlug,
        /// The id [default: a random UUID]
        #[arg(long)]
        id: Option<TenantId>,
    },
    /// List the tenants in the order of their ids, with id, slug and status
    #[command(after_help = "Example: tenancy-pg tenant list --json | jq -r .slug")]
    List {
        /// List only the tenants after this one
        #[arg(long, value_name = "ID")]
        after: Option<TenantId>,
        /// The highest number of tenants to list [default: all]
        #[arg(long, value_name = "NUMBER")]
        limit: Option<u64>,
    },
    /// Suspend a tenant. Its requests are rejected until it is resumed
    #[command(after_help = "Example: tenancy-pg tenant suspend acme --reason 'invoice 17 is not paid'")]
    Suspend {
        /// The id or the slug of the tenant
        tenant: TenantRef,
    },
    /// Resume a suspended tenant
    #[command(after_help = "Example: tenancy-pg tenant resume acme")]
    Resume {
        /// The id or the slug of the tenant
        tenant: TenantRef,
    },
    /// Mark a tenant as deleted, permanently. Its id and slug are not used again; its rows are not removed
    #[command(after_help = "Example: tenancy-pg tenant delete acme --reason 'ticket 99'")]
    Delete {
        /// The id or the slug of the tenant
        tenant: TenantRef,
    },
}

#[derive(Subcommand, Debug)]
pub(crate) enum KeyCommand {
    /// Add a key to the database. The secret is read from a file, or from TENANCY_SECRET in the environment
    #[command(after_help = "Example: tenancy-pg key add 1 --secret-file service.key")]
    Add {
        /// The id of the key
        #[arg(allow_negative_numbers = true)]
        id: i32,
        #[command(flatten)]
        secret: Secret,
    },
    /// Generate a key of 32 random bytes. Needs no database
    #[command(after_help = "Example: tenancy-pg key generate 1 --out service.key\n\n\
        The service reads it from its environment: TENANCY_KEY=\"$(cat service.key)\"")]
    Generate {
        /// The id of the key
        #[arg(allow_negative_numbers = true)]
        id: i32,
        /// A new file that only its owner can read [default: stdout]
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Add a key, and retire another one after a period in which services change their configuration
    #[command(after_help = "Example: tenancy-pg key rotate 1 2 --secret-file new.key --grace 1h")]
    Rotate {
        /// The id of the key to retire
        #[arg(allow_negative_numbers = true)]
        old: i32,
        /// The id of the key to add
        #[arg(allow_negative_numbers = true)]
        new: i32,
        #[command(flatten)]
        secret: Secret,
        /// The time for which both keys are valid
        #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = humantime::parse_duration)]
        grace: Duration,
    },
    /// List the keys with their ids and expiry times
    #[command(after_help = "Example: tenancy-pg key list")]
    List,
    /// Retire a key now, or at a time. A retired key cannot be reactivated
    #[command(after_help = "Example: tenancy-pg key retire 1 --at 2030-01-01T00:00:00Z")]
    Retire {
        /// The id of the key
        #[arg(allow_negative_numbers = true)]
        id: i32,
        /// The expiry time, in RFC 3339 with Z [default: now]
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_rfc3339)]
        at: Option<SystemTime>,
    },
}

/// The source of a secret. It is not the command line, which other users can read.
#[derive(Args, Debug)]
pub(crate) struct Secret {
    /// A file with ID:HEX, as `key generate` writes it, or with HEX [default: the variable TENANCY_SECRET]
    #[arg(long = "secret-file", value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum FailOn {
    Critical,
    Warning,
}

/// A tenant by its id or its slug. No text is both.
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
    /// Returns the name of the command, as a user types it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Migrate { .. } => "migrate",
            Self::Status => "status",
            Self::Enable { .. } => "enable",
            Self::Share { .. } => "share",
            Self::Audit { .. } => "audit",
            Self::Harden { .. } => "harden",
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

/// Parses the command line. Returns an exit code if there is nothing else to do.
pub(crate) fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|error| {
        if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
            // A closed stdout is not an error.
            let _ = write!(io::stdout(), "{}", error.render());
            return ExitCode::SUCCESS;
        }
        let arguments: Vec<_> =
            env::args_os().skip(1).map(|text| text.to_string_lossy().into_owned()).collect();
        let message = discreet(&error.render().to_string(), &arguments);
        let message = match message.strip_prefix("error: ") {
            Some(message) => message.trim_end().to_owned(),
            None => format!("the command is missing\n\n{}", message.trim_end()),
        };
        Failure::Usage(message).report(arguments.iter().any(|argument| argument == "--json"))
    })
}

/// Returns the message without the values that were typed: one may be a secret, or a URL with a password.
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
    fn command_line_definition_is_valid() {
        Cli::command().debug_assert();
    }

    #[test]
    fn errors_do_not_repeat_a_secret_in_the_wrong_place() {
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
