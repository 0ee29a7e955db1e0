//! `tenancy-pg`, the command-line tool for operators; see `--help`.

mod args;
mod audit;
mod commands;
mod connect;
mod failure;
mod key_file;
mod keys;
mod output;
mod tables;
mod tenants;

use std::process::ExitCode;

use tokio::runtime::Builder;

use self::failure::Failure;
use self::output::Output;

fn main() -> ExitCode {
    let cli = match args::parse() {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let json = cli.global.json;
    let runtime = Builder::new_current_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(commands::run(cli, &mut Output::new(json))),
        Err(error) => Err(Failure::Usage(format!("cannot start the runtime: {error}"))),
    };
    done.unwrap_or_else(|failure| failure.report(json))
}
