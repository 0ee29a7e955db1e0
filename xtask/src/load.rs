//! The figures `load/…` and `gateway/noisy/…` of `cargo xtask bench`: servers under load.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use tenancy_testkit::process::ChildGroup;

use crate::bench::figures::Figure;
use crate::packages;
use crate::process::{Step, cargo, target};
use crate::servers;

const ROUNDS: u32 = 7;
const SECONDS: &str = "2s";
const CONNECTIONS: &str = "32";

/// Measures the requests per second of each server, as a ratio to those of the server without a tenant layer in the same
/// round.
pub(crate) fn throughput(rounds: Option<u32>) -> Result<Vec<Figure>> {
    packages::need("wrk", &["wrk"], "it generates the load")?;
    cargo(&["build", "--quiet", "--release", "-p", "bench-http", "--bin", "serve"]).run()?;
    let servers = ["bare", "layer", "hand"].map(Server::start);
    let [bare, layer, hand] = servers;
    let servers = [bare?, layer?, hand?];
    let mut rates = [const { Vec::new() }; 3];
    let rounds = rounds.unwrap_or(ROUNDS).min(ROUNDS);
    for round in 1..=rounds {
        println!("    round {round} of {rounds}");
        for (server, rates) in servers.iter().zip(&mut rates) {
            rates.push(server.rate()?);
        }
    }
    println!("\n| server | requests per second | ratio to `bare` (quartiles) |\n| --- | --- | --- |");
    let mut figures = Vec::new();
    for (server, own) in servers.iter().zip(&rates) {
        let [low, ratio, high] = quartiles(own.iter().zip(&rates[0]).map(|(own, bare)| own / bare).collect());
        let [_, rate, _] = quartiles(own.clone());
        println!("| {} | {rate:.0} | {ratio:.2} ({low:.2}-{high:.2}) |", server.name);
        let name = match server.name {
            "layer" => "load/layer",
            "hand" => "load/hand-written",
            _ => continue,
        };
        let (name, peer) = (name.to_owned(), "router without middleware".to_owned());
        figures.push(Figure { name, peer, ratio, low, high, target: None, rounds: rounds.into() });
    }
    Ok(figures)
}

/// Runs the gateway's test of a noisy tenant at a rate that takes work, which writes its figures to a file.
pub(crate) fn noisy(figures: &Path) -> Result<()> {
    servers::need_redis()?;
    servers::need_postgres()?;
    let test = "a_tenant_at_its_limit_is_refused_and_the_others_are_served";
    cargo(&["test", "--release", "--quiet", "-p", "tenancy-gateway", test, "--", "--ignored", "--nocapture"])
        .env("NOISY_RATE", "500")
        .env("TENANCY_BENCH_JSON", figures)
        .run()
}

/// Returns the lower quartile, the median and the upper quartile.
fn quartiles(mut figures: Vec<f64>) -> [f64; 3] {
    figures.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| figures[figures.len() * quarter / 4])
}

/// A running server; it stops when this is dropped.
struct Server {
    name: &'static str,
    address: String,
    tenant: String,
    _child: ChildGroup,
}

impl Server {
    fn start(name: &'static str) -> Result<Self> {
        let mut command = Command::new(target().join("release/serve"));
        let mut child = ChildGroup::spawn(command.arg(name).stdout(Stdio::piped()))
            .with_context(|| format!("cannot start the server `{name}`"))?;
        let mut line = String::new();
        BufReader::new(child.take_stdout().context("standard output is piped")?).read_line(&mut line)?;
        let (address, tenant) = line.trim().split_once(' ').context("the server printed no address")?;
        Ok(Self { name, address: address.to_owned(), tenant: tenant.to_owned(), _child: child })
    }

    /// Measures the requests per second over a few seconds.
    fn rate(&self) -> Result<f64> {
        let printed = Step::new("wrk")
            .args(&["--threads", "1", "--connections", CONNECTIONS, "--duration", SECONDS])
            .args(&["--header", &format!("X-Tenant-ID: {}", self.tenant)])
            .arg(format!("http://{}/", self.address))
            .output()?;
        ensure!(!printed.contains("Non-2xx"), "`{}` rejected requests: {printed}", self.name);
        let line = printed.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:"));
        line.and_then(|rate| rate.trim().parse().ok())
            .with_context(|| format!("wrk printed no rate: {printed}"))
    }
}
