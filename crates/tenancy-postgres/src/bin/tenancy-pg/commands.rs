//! The commands.

use std::process::ExitCode;

use serde_json::json;
use tenancy_postgres::{AdminDb, migrations};

use crate::args::{Cli, Command};
use crate::connect::connect;
use crate::failure::Failure;
use crate::output::Output;
use crate::{keys, tables, tenants};

pub(crate) async fn run(cli: Cli, output: &mut Output) -> Result<ExitCode, Failure> {
    let Cli { global, command } = cli;
    let connected = connect(&global, command.name());
    let done = match command {
        Command::Audit { role, fail_on } => {
            return tables::audit(&mut connected.await?, role.as_deref(), fail_on, output).await;
        }
        Command::Key(command) => keys::run(&global, command, output).await,
        Command::Migrate { finish: true, .. } => finish(&mut connected.await?, output).await,
        Command::Migrate { to, revert, finish: false } => {
            migrate(&mut connected.await?, to, revert, output).await
        }
        Command::Status => status(&mut connected.await?, output).await,
        Command::Enable { table, backfill } => {
            tables::enable(&mut connected.await?, &table, backfill, output).await
        }
        Command::Share { table } => tables::share(&mut connected.await?, &table, output).await,
        Command::Tenant(command) => tenants::run(&mut connected.await?, command, output).await,
    };
    done.map(|()| ExitCode::SUCCESS)
}

async fn migrate(
    admin: &mut AdminDb,
    to: Option<i32>,
    revert: bool,
    output: &mut Output,
) -> Result<(), Failure> {
    let to = to.unwrap_or(i32::MAX);
    let (verb, versions) =
        if revert { ("reverted", admin.revert(to).await?) } else { ("applied", admin.migrate_to(to).await?) };
    if versions.is_empty() {
        output.aside("nothing to do");
    }
    let lines = versions.iter().map(|version| named(verb, *version));
    output.document(lines, || json!({ verb: versions }))
}

async fn finish(admin: &mut AdminDb, output: &mut Output) -> Result<(), Failure> {
    let finished = admin.finish().await?;
    if finished.versions.is_empty() && finished.tables.is_empty() {
        output.aside("nothing to do");
    }
    let tables = finished.tables.iter().map(|table| format!("changed the default of {table}"));
    let lines = tables.chain(finished.versions.iter().map(|version| named("finished", *version)));
    output.document(lines, || json!({ "finished": finished.versions, "tables": finished.tables }))
}

async fn status(admin: &mut AdminDb, output: &mut Output) -> Result<(), Failure> {
    let applied = admin.applied_migrations().await?;
    let pending = migrations().iter().map(|migration| migration.version);
    let mut versions: Vec<_> = applied.iter().copied().chain(pending).collect();
    versions.sort_unstable();
    versions.dedup();
    let state = |version| if applied.contains(version) { "applied" } else { "pending" };
    let lines = versions.iter().map(|version| named(state(version), *version));
    output.document(lines, || {
        let each = versions.iter().map(|version| {
            json!({ "version": version, "name": name(*version), "applied": applied.contains(version) })
        });
        json!({ "migrations": each.collect::<Vec<_>>() })
    })
}

fn named(state: &str, version: i32) -> String {
    format!("{state} {version} {}", name(version).unwrap_or("of a newer tenancy-pg"))
}

fn name(version: i32) -> Option<&'static str> {
    migrations().iter().find(|migration| migration.version == version).map(|migration| migration.name)
}
