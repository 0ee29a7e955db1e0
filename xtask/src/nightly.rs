//! `cargo xtask nightly`: tests that take too long for the check.

mod context;

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;

use crate::check::msrv;
use crate::check::suites::tested_packages;
use crate::coverage;
use crate::process::cargo;
use crate::report::Report;
use crate::servers::{ON_EACH_POSTGRES, POSTGRES, REDIS, need_clients, need_postgres, need_redis};
use crate::tools;

/// Runs everything, and returns whether it passed.
pub(crate) fn run() -> Result<bool> {
    need_redis()?;
    need_postgres()?;
    need_clients()?;
    let seed = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs().to_string();
    let mut report = Report::new();
    report.part("context");
    context::check(&mut report);
    report.part("commands");
    for redis in REDIS {
        report.step(&format!("random commands on {}, SEED={seed}", redis.name()), || {
            let tests =
                ["test", "-p", "tenancy-redis", "--release", "--all-features", "--test", "it", "table::"];
            cargo(&tests)
                .args(&["--", "--ignored", "--nocapture", "--test-threads", "1"])
                .env("SEED", &seed)
                .env("COMMANDS", "1000000")
                .env("EXECUTED", "200000")
                .env("TENANCY_TESTKIT_REDIS_BIN", redis.folder()?)
                .run()
        });
    }
    report.step("faults between tenancy-postgres and its server", || {
        let tests =
            ["run", "--profile", "nightly", "-p", "tenancy-postgres", "--run-ignored", "all", "--no-capture"];
        tools::NEXTEST
            .command()?
            .args(&tests)
            .args(&["-E", "test(faults::)"])
            .env("TENANCY_FAULTS", "10000")
            .run()
    });
    report.part("tokens");
    report.step(&format!("random hostile tokens, SEED={seed}"), || {
        let tests =
            ["test", "-p", "tenancy-token", "--release", "--all-features", "--test", "it", "hostile::"];
        cargo(&tests).args(&["--", "--nocapture"]).env("SEED", &seed).env("TENANCY_TOKENS", "10000000").run()
    });
    report.part("linters");
    report.step("pgrls and the audit on the same leaks", || {
        let tests = ["run", "-p", "tenancy-postgres", "--run-ignored", "all", "-E", "test(audit_pgrls)"];
        tools::NEXTEST.command()?.args(&tests).env("PGRLS", tools::pgrls()?).run()
    });
    report.part("versions");
    report.step("features that need a newer Rust version", msrv::newer_features);
    report.part("release");
    report.step("all tests in a release build", || {
        let tests = ["run", "--profile", "nightly", "--release", "--run-ignored", "all"];
        tools::NEXTEST.command()?.args(&tests).args(&tested_packages()?).run()
    });
    report.step("documentation tests in a release build", || {
        cargo(&["test", "--quiet", "--doc", "--release"]).args(&tested_packages()?).run()
    });
    for postgres in POSTGRES {
        report.step(&format!("tenancy-postgres on Postgres {}", postgres.major), || {
            let tests = ["run", "--profile", "nightly", "--release", "--run-ignored", "only"];
            tools::NEXTEST
                .command()?
                .args(&tests)
                .args(&["--filterset", ON_EACH_POSTGRES])
                .args(&tested_packages()?)
                .env("TENANCY_TESTKIT_POSTGRES_BIN", postgres.programs()?)
                .run()
        });
    }
    let [_system, newer @ ..] = REDIS;
    for redis in newer {
        report.step(&format!("tenancy-redis on {}", redis.name()), || {
            let tests = ["run", "--profile", "nightly", "--release", "--run-ignored", "all"];
            tools::NEXTEST
                .command()?
                .args(&tests)
                .args(&["--filterset", "package(tenancy-redis)"])
                .args(&tested_packages()?)
                .env("TENANCY_TESTKIT_REDIS_BIN", redis.folder()?)
                .run()
        });
    }
    report.part("coverage");
    report.step("line coverage", coverage::run);
    Ok(report.finish())
}
