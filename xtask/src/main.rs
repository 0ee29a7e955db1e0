//! The one door: what the check runs, a person runs by the same name.

mod agents;
mod cases;
mod client;
mod cross;
mod device;
mod firmware;
mod hostile;
mod http;
mod load;
mod mutants;
mod owned;
mod packages;
mod postgres;
mod process;
mod qemu;
mod redis;
mod size;
mod test;
mod thumb;

use std::env;
use std::process::ExitCode;

use anyhow::Result;

const HELP: &str = "\
usage: cargo xtask COMMAND

  test [--ci] [PART...]       runs everything, or the parts named:
                              host, features, docs, gateway, redis, postgres, qemu
  nightly                     what takes too long for `test`: 1,000,000 random commands against a redis-server, and
                              200,000 executed ones, from a seed that it prints
  gateway [OPTION...]         builds the gateway and runs it; `--help` among the options tells them
  firmware [PROGRAM] [--port N]
                              runs a program in QEMU and shows its log:
                              quickstart, http, interrupts, tasks, cores, riscv
                              http stays up and prints curl lines to try; Ctrl-C ends it
  bench [ROW]                 times against peers, in one run
  bench noisy                 how much slower a tenant's requests are beside one at its limit, of two gateways
  bench load                  a server's throughput with and without the layer, by wrk
  redis-table                 writes the table of a redis-server's commands anew
  size                        bytes, symbols and instructions of the core on a Cortex-M3

What is missing (QEMU, the cross toolchain, curl, Chromium, redis-server, Postgres, pgbouncer, wrk) is installed, by rustup or the system's package manager.
XTASK_CROSS=rustup or XTASK_CROSS=debian chooses the cross toolchain.
--ci prints less on the way; it checks the same.";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match owned::end_on_signal().and_then(|()| run(&arguments)) {
        Ok(Some(code)) => code,
        Ok(None) => {
            eprintln!("{HELP}");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// `None` where the arguments are not understood.
fn run(arguments: &[&str]) -> Result<Option<ExitCode>> {
    Ok(match arguments {
        // Its own `--help` is among the rest.
        ["gateway", rest @ ..] => {
            owned::conclude_on_signal();
            process::cargo(&[&["run", "--release", "-p", "gateway", "--"], rest].concat()).run_attended()?;
            Some(ExitCode::SUCCESS)
        }
        ["help"] | [.., "--help" | "-h"] => {
            println!("{HELP}");
            Some(ExitCode::SUCCESS)
        }
        ["test", rest @ ..] => test::run(rest),
        ["firmware", rest @ ..] => firmware::run(rest)?,
        ["bench", "load"] => {
            load::run()?;
            Some(ExitCode::SUCCESS)
        }
        ["bench", "noisy"] => {
            redis::set_up()?;
            postgres::set_up()?;
            let test = ["--test", "postgres", "a_tenant_at_its_limit", "--", "--ignored", "--nocapture"];
            process::cargo(&[&["test", "--release", "--quiet", "-p", "gateway"], &test[..]].concat())
                .env("NOISY_RATE", "500")
                .run()?;
            Some(ExitCode::SUCCESS)
        }
        ["bench", rest @ ..] => {
            redis::set_up()?;
            postgres::set_up()?;
            for package in ["peers", "bench-http", "bench-redis", "bench-postgres", "bench-agents"] {
                process::cargo(&[&["bench", "--quiet", "-p", package, "--benches", "--"], rest].concat())
                    .run()?;
            }
            Some(ExitCode::SUCCESS)
        }
        ["nightly"] => {
            test::nightly()?;
            Some(ExitCode::SUCCESS)
        }
        ["redis-table"] => {
            redis::write_table()?;
            Some(ExitCode::SUCCESS)
        }
        ["size"] => {
            Some(if size::report(cross::Cross::set_up()?)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        _ => None,
    })
}
