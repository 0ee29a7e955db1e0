//! `cargo xtask`: the commands that check, run and measure this project.

mod bench;
mod check;
mod cli;
mod cost;
mod coverage;
mod firmware;
mod load;
mod nightly;
mod packages;
mod process;
mod redis_table;
mod report;
mod servers;
mod signals;
mod tools;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use cli::{Bench, Cli, Command};
use firmware::cross::Cross;

fn main() -> ExitCode {
    match signals::watch().and_then(|()| run(Cli::parse())) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether the command succeeded; a command that returns `false` has printed what failed.
fn run(cli: Cli) -> Result<bool> {
    match cli.command {
        Command::Test { ci, parts } => return Ok(check::run(&parts, ci)),
        Command::Nightly => return nightly::run(),
        Command::Coverage => coverage::run()?,
        Command::Gateway { options } => {
            process::cargo(&["run", "--release", "-p", "tenancy-gateway", "--"])
                .args(&options)
                .run_attended()?;
        }
        Command::Firmware { program, port } => firmware::run(&program, port)?,
        Command::Bench(Bench { list: true, .. }) => bench::list(),
        Command::Bench(Bench { parts, json, write, rounds, .. }) => {
            bench::run(&parts, json.as_deref(), write, rounds)?;
        }
        Command::RedisTable { check, programs } => redis_table::run(check, &programs)?,
        Command::Size => return firmware::size::report(Cross::set_up()?),
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
