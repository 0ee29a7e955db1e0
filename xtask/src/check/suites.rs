//! All tests: those of the packages, those of the documentation, and the examples.
//!
//! One profile and one set of features for most of them, so that no package is compiled twice only to run its tests:
//!
//! - Every package is tested with all features.
//! - The core is also tested with those sets of features that change its behaviour. For all packages the part
//!   `features` compiles each feature alone.
//! - The core, which contains `unsafe` code, is tested once with optimizations, which take 20 s of CPU time to compile.
//!   For `tenancy-redis` and `tenancy-tower` that took 200 s, so `cargo xtask nightly` runs all tests in a release build.
//! - Tests that need only Rust run first, in an environment in which no server is found: plain `cargo test` must pass
//!   on a machine that has only Rust. Then the ignored tests run, which need servers or a browser.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::{env, io};

use anyhow::{Context, Result, ensure};
use cargo_metadata::Target;
use tenancy_testkit::RedisServer;

use crate::process::{Step, cargo, root, target};
use crate::report::Report;
use crate::servers::{
    ON_EACH_POSTGRES, ON_EACH_REDIS, POSTGRES, REDIS, need_clients, need_postgres, need_redis,
};
use crate::tools;
use crate::workspace::{files_below, folder, members, published};

/// Programs that plain `cargo test` must not need.
const SERVERS: [&str; 11] = [
    "chromium",
    "curl",
    "initdb",
    "pg_ctl",
    "pgbouncer",
    "postgres",
    "psql",
    "redis-cli",
    "redis-server",
    "valkey-server",
    "wrk",
];

/// The variables by which the test kit finds servers that are not on the search path.
const SERVER_FOLDERS: [&str; 3] =
    ["TENANCY_TESTKIT_PGBOUNCER_BIN", "TENANCY_TESTKIT_POSTGRES_BIN", "TENANCY_TESTKIT_REDIS_BIN"];

/// Examples that need a prepared database. The tests of their packages run them.
const RUN_BY_TESTS: [&str; 1] = ["two_tenants"];

/// The sets of features that change the behaviour of the core, and options of their builds.
const CORE: [(&str, &[&str]); 3] = [
    ("", &[]),
    ("std", &[]),
    // On hosts, these are all features; the run of the workspace tests them without optimizations.
    ("tokio,serde,stream,tracing", &["--config", "profile.dev.package.tenancy.opt-level=2"]),
];

pub(super) fn check(report: &mut Report) {
    let mut times = Vec::new();
    let mut all = Vec::new();
    if !report.step("packages with tests", || {
        all = tested_packages()?;
        Ok(())
    }) {
        return;
    }
    let all: Vec<_> = all.iter().map(String::as_str).collect();
    report.step("servers and a browser", || {
        need_redis()?;
        need_postgres()?;
        need_clients()
    });
    report.step("tests that need only Rust", || {
        let tests = with_rust_alone(nextest(&all)?, &target().join("tools/rust-alone"))?;
        timed(tests, &mut times)
    });
    report.step("tests that need servers or a browser", || {
        let tests = nextest(&all)?.args(&["--run-ignored", "only"]);
        timed(tests.env("TENANCY_EXAMPLES", target().join("debug/examples")), &mut times)
    });
    let [.., newest] = POSTGRES;
    report.step(&format!("tenancy-postgres on Postgres {}", newest.major), || {
        let tests = nextest(&all)?.args(&["--run-ignored", "only", "--filterset", ON_EACH_POSTGRES]);
        tests.env("TENANCY_TESTKIT_POSTGRES_BIN", newest.programs()?).run()
    });
    let [_system, newer @ ..] = REDIS;
    for redis in newer {
        report.step(&format!("tenancy-redis on {}", redis.name()), || {
            let tests = nextest(&all)?.args(&["--run-ignored", "only", "--filterset", ON_EACH_REDIS]);
            tests.env("TENANCY_TESTKIT_REDIS_BIN", redis.folder()?).run()
        });
    }
    report.step("tokens of Python's cwt and pycose", || {
        let tests = nextest(&all)?.args(&["--run-ignored", "only", "--filterset", "test(/^python::/)"]);
        tests.env("TENANCY_TOKEN_PYTHON", tools::token_python()?).run()
    });
    report.step("test groups", || groups_match(&all));
    for (features, options) in CORE {
        let optimized = if options.is_empty() { "" } else { ", optimized" };
        let name = if features.is_empty() { "no feature" } else { features };
        report.step(&format!("core with {name}{optimized}"), || {
            nextest(&["-p", "tenancy", "--features", features])?.args(options).run()?;
            cargo(&["test", "--quiet", "--doc", "-p", "tenancy", "--features", features]).args(options).run()
        });
    }
    // Plain `cargo test` enables fewer features than the runs above. A test that lacks a condition for its feature does
    // not compile without features.
    report.step("tests compile without features", || {
        let published = published()?;
        let packages = published.iter().flat_map(|package| ["-p", package.name.as_str()]);
        cargo(&["check", "--quiet", "--tests"]).args(&packages.collect::<Vec<_>>()).run()
    });
    report.step("tests in the documentation", || cargo(&["test", "--quiet", "--doc"]).args(&all).run());
    report.step("host tests of the firmware", || {
        let manifest = root().join("examples/firmware/Cargo.toml");
        cargo(&["test", "--quiet", "-p", "firmware-agent-json", "--manifest-path"]).arg(manifest).run()
    });
    report.step("examples", || examples(&all));
    print_slowest(times);
}

/// Returns the options that select all packages but those with benchmarks, whose peers take long to compile.
///
/// The lints compile the benchmarks. Code of theirs that has tests belongs in a package without benchmarks.
pub(crate) fn tested_packages() -> Result<Vec<String>> {
    let mut options = vec!["--workspace".to_owned(), "--all-features".to_owned()];
    for package in members()?.iter().filter(|package| package.targets.iter().any(Target::is_bench)) {
        for file in files_below(&folder(package), "rs")? {
            let has_tests = fs::read_to_string(&file)?.contains("#[test]");
            ensure!(!has_tests, "the tests in {} would not run", file.display());
        }
        options.extend(["--exclude".to_owned(), package.name.to_string()]);
    }
    Ok(options)
}

fn nextest(packages: &[&str]) -> Result<Step> {
    Ok(tools::NEXTEST.command()?.args(&["run", "--profile", "ci", "--cargo-quiet"]).args(packages))
}

/// Hides the servers: the search path becomes a folder of links to all other programs.
fn with_rust_alone(command: Step, folder: &Path) -> Result<Step> {
    remove(fs::remove_dir_all(folder))?;
    fs::create_dir_all(folder)?;
    for place in env::split_paths(&env::var_os("PATH").unwrap_or_default()) {
        for program in fs::read_dir(place).into_iter().flatten().flatten() {
            let link = folder.join(program.file_name());
            let hidden = SERVERS.iter().any(|server| program.file_name() == *server);
            // The first program of a name on the search path is the one that runs.
            if !hidden && link.symlink_metadata().is_err() {
                symlink(program.path(), link)?;
            }
        }
    }
    let absent = folder.join("no-servers");
    Ok(SERVER_FOLDERS
        .into_iter()
        .fold(command, |command, name| command.env(name, &absent))
        .env("PATH", folder))
}

/// Runs the examples of the published packages, with a Redis server for those that need one.
fn examples(packages: &[&str]) -> Result<()> {
    // With the features of the tests, whose packages are compiled already; `cargo run` would choose others.
    cargo(&["build", "--quiet", "--examples"]).args(packages).run()?;
    let redis = RedisServer::start()?;
    let mut count = 0;
    for package in published()? {
        let examples = package.targets.iter().filter(|target| target.is_example());
        for example in examples.filter(|example| !RUN_BY_TESTS.contains(&example.name.as_str())) {
            count += 1;
            Step::new(target().join("debug/examples").join(&example.name))
                .current_dir(root())
                .env("REDIS_URL", redis.url())
                .run()
                .with_context(|| format!("the example {} of {}", example.name, package.name))?;
        }
    }
    ensure!(count > 0, "no example found");
    Ok(())
}

/// Checks that the filters of the test groups match tests: a renamed test would leave its group unnoticed.
fn groups_match(packages: &[&str]) -> Result<()> {
    let config = fs::read_to_string(root().join(".config/nextest.toml"))?;
    let overrides = config.lines().filter(|line| line.starts_with("test-group = ")).count();
    ensure!(overrides > 0, "no test group in .config/nextest.toml");
    let show = ["show-config", "test-groups", "--profile", "ci", "--cargo-quiet"];
    let shown =
        tools::NEXTEST.command()?.args(&show).args(&["--run-ignored", "all"]).args(packages).output()?;
    let matching = matching_overrides(&shown);
    ensure!(matching == overrides, "{matching} of {overrides} filters match a test:\n{shown}");
    println!("    {overrides} filters");
    Ok(())
}

/// Counts the overrides under which nextest shows a test: a line below that of a test program.
fn matching_overrides(shown: &str) -> usize {
    let overrides = shown.split("* override for ").skip(1);
    overrides.filter(|shown| shown.lines().any(|line| line.starts_with("          "))).count()
}

/// Runs tests, and adds their names and times in seconds.
fn timed(tests: Step, times: &mut Vec<(String, f64)>) -> Result<()> {
    // The profile `ci` writes it to the default folder of results, also if `CARGO_TARGET_DIR` names another one. A file
    // of an earlier run would hide that this one wrote none.
    let file = root().join("target/nextest/ci/junit.xml");
    remove(fs::remove_file(&file))?;
    let result = tests.run();
    if result.is_ok() || file.exists() {
        times.extend(read_times(&file)?);
    }
    result
}

/// Accepts that there was nothing to remove.
fn remove(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|error| if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
}

fn read_times(file: &Path) -> Result<Vec<(String, f64)>> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let document =
        roxmltree::Document::parse(&text).with_context(|| format!("cannot parse {}", file.display()))?;
    let cases = document.descendants().filter(|node| node.has_tag_name("testcase"));
    cases
        .map(|case| {
            let attribute = |name| case.attribute(name).with_context(|| format!("a test without `{name}`"));
            Ok((format!("{} {}", attribute("classname")?, attribute("name")?), attribute("time")?.parse()?))
        })
        .collect()
}

fn print_slowest(mut times: Vec<(String, f64)>) {
    times.sort_by(|(_, a), (_, b)| f64::total_cmp(b, a));
    println!("==> the slowest 10 of {} tests", times.len());
    for (name, seconds) in times.iter().take(10) {
        println!("    {seconds:6.1} s  {name}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_times_from_a_report() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("junit.xml");
        let suites = r#"<testsuites><testsuite name="a"><testcase name="b::c" classname="a::it" time="1.5"/>
            <testcase name="d" classname="a" time="0.250"><failure/></testcase></testsuite></testsuites>"#;
        fs::write(&file, suites).unwrap();
        let times = read_times(&file).unwrap();
        assert_eq!(times, [("a::it b::c".to_owned(), 1.5), ("a d".to_owned(), 0.25)]);
        fs::write(&file, "<testcase name='b'/>").unwrap();
        assert!(read_times(&file).is_err());
    }

    #[test]
    fn counts_overrides_with_tests() {
        let shown = "group: a (max threads = 1)\n    (no matches)\ngroup: b (max threads = 4)\n  \
            * override for ci profile with filter 'x':\n      p::it:\n          m::test\n  \
            * override for ci profile with filter 'y':\n      p::it:\n";
        assert_eq!(matching_overrides(shown), 1);
    }

    #[test]
    fn hides_servers_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("links");
        let shell = Step::new("sh").args(&["-c", "command -v sh"]);
        let printed = with_rust_alone(shell, &folder).unwrap().output().unwrap();
        assert_eq!(printed.trim(), folder.join("sh").to_str().unwrap());
        assert!(SERVERS.iter().all(|server| !folder.join(server).exists()));
    }
}
