//! `cargo xtask test`: everything, gathered to one verdict.

use std::fs;
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};

use crate::cross::{Cross, TARGETS};
use crate::device::PROGRAMS;
use crate::process::{cargo, root};
use crate::{http, mutants, packages, postgres, qemu, redis, size};

/// The parts, in the order in which they run.
const PARTS: [(&str, Part); 7] = [
    ("host", host),
    ("features", features),
    ("docs", docs),
    ("gateway", gateway),
    ("redis", against_redis),
    ("postgres", against_postgres),
    ("qemu", devices),
];

type Part = fn(&mut Verdict);

/// What the core may be made of.
const CORE: [&str; 7] =
    ["tenancy", "heapless", "hash32", "byteorder", "stable_deref_trait", "uuid", "critical-section"];

/// What passed and what failed.
#[derive(Debug, Default)]
struct Verdict {
    steps: Vec<(String, f64, Option<String>)>,
}

impl Verdict {
    fn step(&mut self, name: &str, body: impl FnOnce() -> Result<()>) -> bool {
        println!("==> {name}");
        let started = Instant::now();
        let error = body().err().map(|error| format!("{error:#}"));
        if let Some(error) = &error {
            println!("    FAILED: {error}");
        }
        let passed = error.is_none();
        self.steps.push((name.to_owned(), started.elapsed().as_secs_f64(), error));
        passed
    }
}

/// `None` where the arguments are not understood.
pub(crate) fn run(arguments: &[&str]) -> Option<ExitCode> {
    let wanted: Vec<_> = arguments.iter().copied().filter(|argument| *argument != "--ci").collect();
    if let Some(unknown) = wanted.iter().find(|part| PARTS.iter().all(|(name, _)| name != *part)) {
        eprintln!("error: there is no part `{unknown}`");
        return None;
    }
    if arguments.contains(&"--ci") {
        println!("==> for the check: the same steps, no questions asked");
    }
    let mut verdict = Verdict::default();
    for (name, part) in PARTS {
        if wanted.is_empty() || wanted.contains(&name) {
            part(&mut verdict);
        }
    }
    println!("\n==> summary");
    for (name, seconds, error) in &verdict.steps {
        println!("{} {name} ({seconds:.0} s)", if error.is_none() { "passed" } else { "FAILED" });
    }
    let failed = verdict.steps.iter().filter(|(.., error)| error.is_some()).count();
    println!("{} passed, {failed} failed", verdict.steps.len() - failed);
    Some(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn host(verdict: &mut Verdict) {
    verdict.step("format", || {
        cargo(&["fmt", "--all", "--check"]).run()?;
        let manifest = root().join("examples/firmware/Cargo.toml");
        cargo(&["fmt", "--all", "--check", "--manifest-path", &manifest.to_string_lossy()]).run()
    });
    verdict.step("clippy", || {
        cargo(&[
            "clippy",
            "--quiet",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--",
            "-D",
            "warnings",
        ])
        .run()
    });
    verdict.step("tests with Rust alone", || cargo(&["test", "--quiet"]).run());
    for features in ["std", "tokio,serde,tracing"] {
        verdict.step(&format!("tests with {features}"), || {
            cargo(&["test", "--quiet", "-p", "tenancy", "--features", features]).run()
        });
    }
    verdict.step("tests with all features, optimized", || {
        let packages = ["-p", "tenancy", "-p", "tenancy-redis", "-p", "tenancy-tower"];
        cargo(&[&["test", "--quiet", "--release", "--all-features"], &packages[..]].concat()).run()
    });
    verdict.step("the example runs", || {
        cargo(&["run", "--quiet", "--example", "quickstart", "--features", "std"]).run()
    });
}

fn features(verdict: &mut Verdict) {
    verdict.step("the core is made of what it says", || {
        let tree =
            cargo(&["tree", "-p", "tenancy", "-e", "normal", "--prefix", "none", "--no-dedupe"]).output()?;
        for line in tree.lines().filter(|line| !line.is_empty()) {
            let name = line.split(' ').next().unwrap_or_default();
            ensure!(CORE.contains(&name), "the core without features depends on {name}");
        }
        Ok(())
    });
    verdict.step("the benchmarks' peers build", || {
        cargo(&[
            "build",
            "--quiet",
            "--release",
            "-p",
            "peers",
            "-p",
            "bench-http",
            "-p",
            "bench-redis",
            "-p",
            "bench-postgres",
            "-p",
            "bench-agents",
            "--benches",
            "--bins",
        ])
        .run()
    });
    // Twice: dev-dependencies may enable what the crate lacks.
    let runs: &[&[&str]] = &[&["build"], &["test"]];
    features_of(verdict, "tenancy", "Cargo.toml", runs);
    features_of(verdict, "tenancy-agents", "crates/tenancy-agents/Cargo.toml", runs);
    // Its tests need a server, and are run with all features: here they need not be linked.
    let checks: &[&[&str]] = &[&["build"], &["check", "--tests"], &["test", "--lib"]];
    features_of(verdict, "tenancy-postgres", "crates/tenancy-postgres/Cargo.toml", checks);
    features_of(verdict, "tenancy-redis", "crates/tenancy-redis/Cargo.toml", runs);
    features_of(verdict, "tenancy-sqlite", "crates/tenancy-sqlite/Cargo.toml", runs);
    features_of(verdict, "tenancy-tower", "crates/tenancy-tower/Cargo.toml", runs);
}

/// Each feature of a package alone, and none.
fn features_of(verdict: &mut Verdict, package: &str, manifest: &str, commands: &[&[&str]]) {
    let mut features = Vec::new();
    verdict.step(&format!("the features of {package} have names"), || {
        features = names_of_features(manifest)?;
        Ok(())
    });
    features.push(String::new());
    for feature in &features {
        let name = if feature.is_empty() { "no feature" } else { feature };
        verdict.step(&format!("{package} with {name} alone"), || {
            for command in commands {
                let features = ["--quiet", "-p", package, "--no-default-features", "--features", feature];
                cargo(&[command, &features[..]].concat()).run()?;
            }
            Ok(())
        });
    }
}

/// The features in the manifest, so that a new one can't be forgotten here.
fn names_of_features(manifest: &str) -> Result<Vec<String>> {
    let manifest = fs::read_to_string(root().join(manifest))?;
    let section = manifest.split("\n[features]\n").nth(1).context("the manifest has features")?;
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    let names: Vec<_> = lines
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name.to_owned())
        .filter(|name| name != "default")
        .collect();
    ensure!(!names.is_empty(), "no feature found in the manifest");
    Ok(names)
}

fn docs(verdict: &mut Verdict) {
    verdict.step("documentation", || {
        cargo(&["doc", "--quiet", "--workspace", "--all-features", "--no-deps"])
            .env("RUSTDOCFLAGS", "-D warnings")
            .run()
    });
    for package in ["tenancy-agents", "tenancy-postgres", "tenancy-redis", "tenancy-sqlite", "tenancy-tower"]
    {
        verdict.step(&format!("examples in the documentation of {package}"), || {
            cargo(&["test", "--quiet", "--doc", "-p", package, "--all-features"]).run()
        });
    }
    for features in ["std", "tokio,serde"] {
        verdict.step(&format!("examples in the documentation, with {features}"), || {
            cargo(&["test", "--quiet", "--doc", "-p", "tenancy", "--features", features]).run()
        });
    }
}

/// What plain `cargo test` leaves out, because it needs a client that this project did not write, a browser, or a server.
fn gateway(verdict: &mut Verdict) {
    verdict.step("the gateway's printed lines, by curl; and several instances on one Redis", || {
        packages::need("curl", &["curl"], "a client that this project did not write")?;
        redis::set_up()?;
        let tests = ["--test", "curl_lines", "--test", "redis", "--", "--ignored", "--skip", "on_postgres"];
        cargo(&[&["test", "--quiet", "-p", "gateway"], &tests[..]].concat()).run()
    });
    verdict.step("the gateway's page, in a Chromium", || {
        packages::need("chromium", &["chromium"], "a browser")?;
        let tests = ["--test", "page", "--", "--ignored", "--skip", "on_postgres"];
        cargo(&[&["test", "--quiet", "-p", "gateway"], &tests[..]].concat()).run()
    });
}

/// What plain `cargo test` leaves out, because it needs a server.
fn against_redis(verdict: &mut Verdict) {
    verdict.step("tenancy-redis against a redis-server", || {
        redis::set_up()?;
        cargo(&["test", "--quiet", "-p", "tenancy-redis", "--all-features", "--", "--ignored"]).run()
    });
}

fn against_postgres(verdict: &mut Verdict) {
    verdict.step("tenancy-postgres against a Postgres", || {
        postgres::set_up()?;
        cargo(&["test", "--quiet", "-p", "tenancy-postgres", "--all-features", "--", "--ignored"]).run()
    });
    verdict.step("tenancy-agents against a Postgres, and all three stores together", || {
        postgres::set_up()?;
        cargo(&["test", "--quiet", "-p", "tenancy-agents", "--all-features", "--", "--ignored"]).run()
    });
    verdict.step("the gateway on a Postgres: what it does in memory, and several instances", || {
        packages::need("curl", &["curl"], "a client that this project did not write")?;
        postgres::set_up()?;
        redis::set_up()?;
        let gateway = ["test", "--quiet", "-p", "gateway"];
        cargo(&[&gateway[..], &["--", "--ignored", "on_postgres"]].concat()).run()?;
        cargo(&[&gateway[..], &["--test", "postgres", "--", "--ignored"]].concat()).run()
    });
}

/// What is against Redis, longer, and not the same each time.
pub(crate) fn nightly() -> Result<()> {
    redis::set_up()?;
    let seed = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs().to_string();
    println!("==> tenancy-redis: 1,000,000 random commands, and 200,000 executed ones, from SEED={seed}");
    let build = ["test", "-p", "tenancy-redis", "--release", "--all-features", "--test", "table"];
    let tests = ["--", "--ignored", "--nocapture", "--test-threads", "1"];
    cargo(&[&build[..], &tests[..]].concat())
        .env("SEED", &seed)
        .env("COMMANDS", "1000000")
        .env("EXECUTED", "200000")
        .run()
}

fn devices(verdict: &mut Verdict) {
    let mut cross = None;
    let ready = verdict.step("cross toolchain and QEMU", || {
        cross = Some(Cross::set_up()?);
        qemu::set_up()
    });
    let (true, Some(cross)) = (ready, cross) else { return };
    for target in TARGETS {
        verdict.step(&format!("the core for {target}, bare and with defmt"), || {
            cross.build(&root(), target, &["-p", "tenancy", "--lib"])?;
            cross.build(&root(), target, &["-p", "tenancy", "--lib", "--features", "defmt"]).map(drop)
        });
        verdict.step(&format!("the agents' registry for {target}"), || {
            cross.build(&root(), target, &["-p", "tenancy-agents", "--lib"]).map(drop)
        });
    }
    for program in &PROGRAMS {
        verdict.step(&format!("{} in QEMU ({})", program.name, program.machine[2]), || {
            let elf = program.build(cross, &[])?;
            if program.name == "http" {
                return http::test(program, &elf);
            }
            let (code, log) = qemu::run(program, &elf)?;
            expect_log(program.name, &log)?;
            ensure!(code == 0, "{} ended with {code}; its log:\n{}", program.name, log.join("\n"));
            Ok(())
        });
    }
    verdict.step("mutant: a cell without its owner check", || mutants::no_owner_check(cross));
    verdict.step("mutant: two cores on one cell", || mutants::one_cell(cross));
    verdict.step("size and instructions", || {
        ensure!(size::report(cross)?, "a limit is missed");
        Ok(())
    });
}

/// Holds a log against the one that is checked in.
fn expect_log(name: &str, log: &[String]) -> Result<()> {
    let file = root().join("examples/firmware/expected").join(name).with_extension("log");
    let expected = fs::read_to_string(&file).with_context(|| format!("{} is missing", file.display()))?;
    let expected: Vec<_> = expected.lines().collect();
    for at in 0..expected.len().max(log.len()) {
        let (want, got) = (expected.get(at).copied(), log.get(at).map(String::as_str));
        if want != got {
            bail!(
                "line {} of the log of {name} is {got:?}, not {want:?}; the whole log:\n{}",
                at + 1,
                log.join("\n")
            );
        }
    }
    println!("    {} lines of log, as expected", log.len());
    Ok(())
}
