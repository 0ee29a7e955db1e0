//! The command `gateway`: see `--help`.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use tenancy::TenantRecord;
use tenancy_gateway::backends::{Backends, Stores};
use tenancy_gateway::config::{Command, Config};
use tenancy_gateway::principals::PrincipalsFile;
use tenancy_gateway::serve::serve;
use tenancy_gateway::{app, database, examples, files, greeting, logging, routes, signal, transfer};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> ExitCode {
    let config = Config::parse();
    logging::start(config.log);
    match run(&config).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(config: &Config) -> Result<ExitCode> {
    let principals = match &config.principals {
        // The OpenAPI document does not depend on them.
        Some(path) if !matches!(config.command, Some(Command::Openapi)) => PrincipalsFile::read(path)?,
        _ => PrincipalsFile::demo()?,
    };
    if let Some(command) = &config.command {
        run_command(config, command, principals.tenants).await?;
        return Ok(ExitCode::SUCCESS);
    }
    config.check(principals.principals.has_demo_tokens())?;
    let backends = Backends::connect(config).await?;
    let listener = listen(config).await?;
    let closing = CancellationToken::new();
    // Before the greeting, so that a signal that is sent as soon as it is printed is not lost.
    signal::close_on_signal(closing.clone()).context("cannot register signals")?;
    let tenants = principals.tenants.clone();
    let service = app::service(config, principals, backends, closing.clone())?;
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
