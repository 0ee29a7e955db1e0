//! `cargo xtask bench load`: a server under a real load generator, with and without the layer, in turn.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::owned::Owned;
use crate::packages;
use crate::process::{Step, cargo, root};

const ROUNDS: usize = 7;
const SECONDS: &str = "2s";
const CONNECTIONS: &str = "32";

/// Prints how many requests a second each server answers, as ratios to the bare one's, round by round.
pub(crate) fn run() -> Result<()> {
    packages::need("wrk", &["wrk"], "it makes the load")?;
    cargo(&["build", "--quiet", "--release", "-p", "bench-http", "--bin", "serve"]).run()?;
    let servers = ["bare", "layer", "hand"].map(Server::start);
    let [bare, layer, hand] = servers;
    let servers = [bare?, layer?, hand?];
    let mut rates = [const { Vec::new() }; 3];
    for round in 1..=ROUNDS {
        println!("    round {round} of {ROUNDS}");
        for (server, rates) in servers.iter().zip(&mut rates) {
            rates.push(server.rate()?);
        }
    }
    println!("\n| server | requests a second | of the bare one's (lowest-highest) |\n| --- | --- | --- |");
    for (server, own) in servers.iter().zip(&rates) {
        let [low, ratio, high] = spread(own.iter().zip(&rates[0]).map(|(own, bare)| own / bare).collect());
        let [_, rate, _] = spread(own.clone());
        println!("| {} | {rate:.0} | {ratio:.2} ({low:.2}-{high:.2}) |", server.name);
    }
    Ok(())
}

/// The lowest, the middle and the highest.
fn spread(mut figures: Vec<f64>) -> [f64; 3] {
    figures.sort_by(f64::total_cmp);
    [0, figures.len() / 2, figures.len() - 1].map(|at| figures[at])
}

/// A server that ends with this.
struct Server {
    name: &'static str,
    address: String,
    tenant: String,
    _child: Owned,
}

impl Server {
    fn start(name: &'static str) -> Result<Self> {
        let folder =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
        let mut command = Command::new(folder.join("release/serve"));
        let mut child = Owned::start(command.arg(name).stdout(Stdio::piped()))
            .with_context(|| format!("the server `{name}` did not start"))?;
        let mut line = String::new();
        BufReader::new(child.take_output()?).read_line(&mut line)?;
        let (address, tenant) = line.trim().split_once(' ').context("the server printed no address")?;
        Ok(Self { name, address: address.to_owned(), tenant: tenant.to_owned(), _child: child })
    }

    /// Requests a second, over a few seconds.
    fn rate(&self) -> Result<f64> {
        let mut command = Command::new("wrk");
        command.args(["--threads", "1", "--connections", CONNECTIONS, "--duration", SECONDS]);
        command.args(["--header", &format!("X-Tenant-ID: {}", self.tenant)]);
        command.arg(format!("http://{}/", self.address));
        let printed = Step(command).output()?;
        ensure!(!printed.contains("Non-2xx"), "`{}` refused requests: {printed}", self.name);
        let line = printed.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"));
        line.and_then(|rate| rate.trim().parse().ok())
            .with_context(|| format!("wrk printed no rate: {printed}"))
    }
}
