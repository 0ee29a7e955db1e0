//! The command `gateway`: see `--help`.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{ArgMatches, CommandFactory};
use tenancy::TenantRecord;
use tenancy_gateway::backends::{Backends, Stores};
use tenancy_gateway::config::{Command, Config, ConfigCommand};
use tenancy_gateway::principals::PrincipalsFile;
use tenancy_gateway::serve::serve;
use tenancy_gateway::signal::Shutdown;
use tenancy_gateway::{app, config, database, examples, files, greeting, logging, routes, signal, transfer};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> ExitCode {
    let started = config::load(std::env::args_os()).and_then(|(config, matches)| {
        logging::start(&config)?;
        Ok((config, matches))
    });
    let result = match started {
        Ok((config, matches)) => run(&config, &matches).await,
        Err(error) => Err(error),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: &Config, matches: &ArgMatches) -> Result<ExitCode> {
    let principals = match &config.principals {
        Some(path) if !prints_only(config.command.as_ref()) => PrincipalsFile::read(path)?,
        _ => PrincipalsFile::demo()?,
    };
    if let Some(Command::Config { command: ConfigCommand::Check }) = &config.command {
        say(config::show(config, matches).trim_end());
        config.check(principals.principals.has_demo_tokens())?;
        config.check_values()?;
        say("# The configuration is valid.");
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(command) = &config.command {
        run_command(config, command, principals.tenants).await?;
        return Ok(ExitCode::SUCCESS);
    }
    config.check(principals.principals.has_demo_tokens())?;
    let backends = Backends::connect(config).await?;
    let listener = listen(config).await?;
    let shutdown = Shutdown::default();
    let closing = shutdown.closing.clone();
    // Before the greeting, so that a signal that is sent as soon as it is printed is not lost.
    let delay = Duration::from_secs(config.drain_delay.into());
    signal::shut_down_on_signal(shutdown.clone(), delay).context("cannot register signals")?;
    let tenants = principals.tenants.clone();
    let service = app::service(config, principals, backends, shutdown)?;
    let address = listener.local_addr().context("cannot read the address")?;
    say(greeting::greeting(address, config, &tenants));
    let closed = announce(closing.clone(), config.shutdown_timeout);
    let (finished, ()) = tokio::join!(serve(listener, service, config.limits(), closing), closed);
    Ok(match finished {
        Ok(()) => {
            say("all requests are finished");
            ExitCode::SUCCESS
        }
        Err(left) => {
            eprintln!("gave up on {left} connections after {} s", config.shutdown_timeout);
            ExitCode::FAILURE
        }
    })
}

/// Returns whether a command only prints a text that does not depend on the principals.
fn prints_only(command: Option<&Command>) -> bool {
    matches!(command, Some(Command::Openapi | Command::Man | Command::Completions { .. }))
}

/// Runs a subcommand.
async fn run_command(config: &Config, command: &Command, tenants: Vec<TenantRecord>) -> Result<()> {
    match command {
        Command::Examples => {
            ensure!(
                config.listen.port() != 0,
                "cannot print requests to port 0: name the gateway's port by --listen"
            );
            say(match config.principals {
                Some(_) => examples::file(config.listen, &tenants),
                None => examples::demo(config.listen),
            });
        }
        Command::Config { .. } => {}
        Command::Man => clap_mangen::Man::new(Config::command()).render(&mut io::stdout())?,
        Command::Completions { shell } => {
            clap_complete::generate(*shell, &mut Config::command(), "gateway", &mut io::stdout());
        }
        Command::Openapi => say(routes::openapi_json()?),
        Command::Migrate { admin_url } => {
            let key = database::signing_key(config.tenancy_key.as_ref())?;
            database::migrate(admin_url, &key, &tenants, say).await?;
        }
        Command::Export { tenant, out } => {
            config.check_folder()?;
            // Without tenants to add: an export creates none.
            let stores = Stores::open(config, Vec::new(), Backends::connect(config).await?)?;
            let is_a_tenants = config.files().is_some_and(|folder| files::is_like_a_tenants(folder, out));
            ensure!(!is_a_tenants, "cannot write {}: in this folder that is a tenant's file", out.display());
            transfer::export(&stores, *tenant, out).await?;
        }
        Command::Import { tenant, file } => {
            let own = tenants.into_iter().filter(|record| record.id() == *tenant).collect();
            let stores = Stores::open(config, own, Backends::connect(config).await?)?;
            transfer::import(&stores, *tenant, file).await?;
        }
    }
    Ok(())
}

async fn listen(config: &Config) -> Result<TcpListener> {
    let listener = TcpListener::bind(config.listen).await;
    listener.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "{} is taken by another program: --listen {}:0 selects a free port",
            config.listen,
            config.listen.ip()
        ),
        _ => anyhow::Error::from(error).context(format!("cannot listen on {}", config.listen)),
    })
}

async fn announce(closing: CancellationToken, seconds: u32) {
    closing.cancelled().await;
    say(format_args!(
        "closing: in-flight requests have {seconds} s to finish; press Ctrl-C again to stop at once"
    ));
}

/// Prints a line. A closed standard output is not an error.
fn say(line: impl std::fmt::Display) {
    let _ = writeln!(io::stdout(), "{line}").and_then(|()| io::stdout().flush());
}
