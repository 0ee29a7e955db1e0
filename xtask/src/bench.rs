//! `cargo xtask bench`: runs the benchmark programs, collects their figures, and writes the tables of
//! `docs/performance.md`.

pub(crate) mod figures;
mod tables;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::process::{cargo, root, target};
use crate::{load, servers};

use figures::{Figure, Named};

/// A smoke test has fewer rounds than this. Its figures are not published.
const MEASUREMENT: u32 = 10;

/// What prints figures, and the names of these figures.
struct Program {
    run: Run,
    figures: &'static [Named],
}

#[derive(Clone, Copy)]
enum Run {
    /// A benchmark of a package, with these features.
    Bench { package: &'static str, bench: &'static str, features: &'static str },
    /// The same with Redis and Postgres.
    WithServers { package: &'static str, bench: &'static str },
    /// Servers under a load generator.
    Load,
    /// The gateway's test of a tenant at its rate limit.
    Noisy,
}

const PROGRAMS: &[Program] = &[
    Program {
        run: Run::Bench { package: "peers", bench: "core", features: "" },
        figures: &[
            ("id/parse/hyphenated", "`FromStr` of 36 characters"),
            ("id/parse/simple", "`FromStr` of 32 digits"),
            ("id/parse/const", "`TenantId::parse_ascii`, a `const fn`, of 36 characters"),
            ("id/parse/braced", "`FromStr` of 38 characters in braces"),
            ("id/parse/urn", "`FromStr` of 45 characters that start with `urn:uuid:`"),
            ("id/parse/bad", "`FromStr` of invalid text, one of the following four at random"),
            ("id/parse/bad/letter", "`FromStr` of 36 characters, one of which is not a digit"),
            ("id/parse/bad/extra-hyphen", "`FromStr` of 36 characters, a digit replaced by a hyphen"),
            ("id/parse/bad/missing-hyphen", "`FromStr` of 36 characters, a hyphen replaced by a digit"),
            ("id/parse/bad/short", "`FromStr` of 0 to 31 characters"),
            ("id/format", "`TenantId::encode`"),
            ("context/get/std", "`TenantContext::get`, feature `std`"),
            ("context/scope/std", "`TenantContext::scope`, feature `std`"),
            ("context/poll/std", "what `in_tenant` adds to a poll, feature `std`"),
        ],
    },
    Program {
        run: Run::Bench { package: "peers", bench: "core", features: "tokio-owner" },
        figures: &[
            ("context/get/tokio", "`TenantContext::get` in a tokio task, feature `tokio`"),
            ("context/scope/tokio", "`TenantContext::scope` in a tokio task, feature `tokio`"),
            ("context/poll/tokio", "what `in_tenant` adds to a poll in a tokio task, feature `tokio`"),
            ("context/get/no-task", "`TenantContext::get` outside of tasks, feature `tokio`"),
            ("context/scope/no-task", "`TenantContext::scope` outside of tasks, feature `tokio`"),
            ("context/poll/no-task", "what `in_tenant` adds to a poll outside of tasks, feature `tokio`"),
        ],
    },
    Program {
        run: Run::Bench { package: "bench-http", bench: "http", features: "" },
        figures: &[
            ("tower/whole", "a request through the layer around an axum router"),
            ("tower/added", "what the layer around the router adds to a request"),
            ("tower/added/router-layer", "what the layer adds when it is added by `Router::layer`"),
            ("tower/rejection", "a rejected request, one of the following two in turn"),
            ("tower/rejection/malformed", "a rejected request with an invalid tenant id"),
            ("tower/rejection/unknown", "a rejected request for an unknown tenant"),
            ("directory/fixed", "`FixedDirectory` with 512 of 1,024 tenants"),
            ("directory/1k", "a snapshot of 1,000 tenants, two threads"),
            ("directory/10k", "a snapshot of 10,000 tenants, two threads"),
            ("directory/100k", "a snapshot of 100,000 tenants, two threads"),
            ("directory/1m", "a snapshot of 1,000,000 tenants, two threads"),
        ],
    },
    Program {
        run: Run::Bench { package: "bench-token", bench: "token", features: "" },
        figures: &[
            ("token/verify", "verifying a token of 92 bytes, HMAC-SHA-256"),
            ("token/mint", "minting it"),
        ],
    },
    Program {
        run: Run::Bench { package: "bench-sqlite", bench: "sqlite", features: "" },
        figures: &[
            ("sqlite/get/50", "HTTP requests for a note, each of 50 tenants with a file, 32 connections"),
            ("sqlite/list/50", "requests for 20 notes, 50 tenants"),
            ("sqlite/post/50", "requests that add a note, 50 tenants"),
            ("sqlite/noisy/50", "requests for a note beside 32 connections of a tenant that adds notes"),
            ("sqlite/get/200", "requests for a note, 200 tenants"),
            (
                "sqlite/get/1000",
                "requests for a note, 1,000 tenants, nine of ten requests for a tenth of them",
            ),
        ],
    },
    Program {
        run: Run::WithServers { package: "bench-redis", bench: "redis" },
        figures: &[
            ("redis/rewrite/get", "rewriting a `GET`, without a server"),
            ("redis/rewrite/set", "rewriting a `SET` of 100 bytes, without a server"),
            ("redis/rewrite/mget10", "rewriting an `MGET` of 10 keys, without a server"),
            ("redis/get", "a `GET`"),
            ("redis/set", "a `SET` of 100 bytes"),
            ("redis/pipeline100", "a pipeline of 100 `GET`"),
            ("redis/tasks32", "a `GET` by each of 32 tasks on one connection"),
        ],
    },
    Program {
        run: Run::WithServers { package: "bench-redis2", bench: "redis2" },
        figures: &[
            ("redis2/get", "a `GET` with the release candidate of redis-rs 2.0"),
            ("redis2/pipeline100", "a pipeline of 100 `GET` with the release candidate of redis-rs 2.0"),
        ],
    },
    Program {
        run: Run::WithServers { package: "bench-postgres", bench: "postgres" },
        figures: &[
            ("postgres/table/unix", "a select by key through the table API"),
            ("postgres/raw/unix", "a select by key, raw SQL whose text was seen before"),
            ("postgres/sqlx/unix", "the same by sqlx with `set_config`, a peer"),
            ("postgres/new/unix", "a select by key, raw SQL whose text was never seen before"),
            ("postgres/prepared/unix", "the same by a prepared statement without a tenant, a peer"),
            ("postgres/table/100rows", "a select of 100 rows through the table API"),
            ("postgres/raw/100rows", "a select of 100 rows, raw SQL"),
            ("postgres/sqlx/100rows", "the same by sqlx with `set_config`, a peer"),
            ("postgres/table/insert", "an insert through the table API"),
            ("postgres/raw/insert", "an insert, raw SQL"),
            ("postgres/sqlx/insert", "the same by sqlx with `set_config`, a peer"),
            ("postgres/table/update", "an update by key through the table API"),
            ("postgres/raw/update", "an update by key, raw SQL"),
            (
                "postgres/raw/8sessions",
                "a select by key, raw SQL, a pool of 8 sessions in use one after the other",
            ),
            ("postgres/sqlx/8sessions", "the same by sqlx with `set_config`, a peer"),
            ("postgres/raw/16tasks", "a select by key by each of 16 tasks, raw SQL, a pool of 8 sessions"),
            ("postgres/sqlx/16tasks", "the same by sqlx with `set_config`, a peer"),
            ("postgres/transaction/unix", "an explicit transaction of an insert and a select"),
            ("postgres/table/1ms", "a select by key through the table API, 1 ms of latency each way"),
            ("postgres/raw/1ms", "a select by key, raw SQL, 1 ms of latency each way"),
            ("postgres/sqlx/1ms", "the same by sqlx with `set_config`, a peer"),
            (
                "postgres/new/1ms",
                "the same, raw SQL whose text was never seen before, 1 ms of latency each way",
            ),
            ("postgres/transaction/1ms", "an explicit transaction of an insert and a select, 1 ms each way"),
            ("postgres/policy/1m", "a scan of 1,000,000 rows under the policy, a tenth of them the tenant's"),
        ],
    },
    Program {
        run: Run::WithServers { package: "bench-agents", bench: "agents" },
        figures: &[
            ("agents/fixed/get", "get, 63 agents of four tenants in fixed memory"),
            ("agents/fixed/list", "list 20 of them"),
            ("agents/fixed/find", "find 20 of them by capability"),
            ("agents/fixed/register", "register and deregister another one"),
            ("agents/sqlite/get", "get, 1,000,000 agents in a tenant's file"),
            ("agents/sqlite/list", "list 20 of them"),
            ("agents/sqlite/find", "find 20 of them by capability"),
            ("agents/sqlite/register", "register another one"),
            ("agents/sqlite/tenants", "count for a random tenant, 10,000 files"),
            ("agents/postgres/get", "get, 1,000,000 agents in Postgres"),
            ("agents/postgres/list", "list 20 of them"),
            ("agents/postgres/find", "find 20 of them by capability"),
            ("agents/postgres/register", "register another one"),
            ("agents/postgres/tenants", "get for a random tenant, 100,000 tenants in Postgres"),
        ],
    },
    Program {
        run: Run::Load,
        figures: &[
            ("load/layer", "requests per second with the tenant layer around the router"),
            ("load/hand-written", "requests per second with hand-written middleware"),
        ],
    },
    Program {
        run: Run::Noisy,
        figures: &[
            ("gateway/noisy/median", "median latency beside a tenant at its rate limit, two gateways"),
            ("gateway/noisy/p99", "99th percentile of the latency beside a tenant at its rate limit"),
        ],
    },
];

/// Prints the names of all figures, one per line.
pub(crate) fn list() {
    for (name, _) in all() {
        println!("{name}");
    }
}

/// Measures the figures that `parts` selects, or all figures, and prints them.
///
/// With `json` it also writes them to this file. With `write` it also replaces their tables in `docs/performance.md`;
/// with `write` and `json` but no parts it measures nothing and takes the figures from the file.
pub(crate) fn run(parts: &[String], json: Option<&Path>, write: bool, rounds: Option<u32>) -> Result<()> {
    let figures = match json {
        Some(file) if write && parts.is_empty() && rounds.is_none() => figures::read(file)?,
        _ => {
            if write && rounds.is_some_and(|rounds| rounds < MEASUREMENT) {
                bail!("figures of fewer than {MEASUREMENT} rounds are not written to the document");
            }
            let measured = measure(&select(parts)?, rounds)?;
            if let Some(file) = json {
                figures::write(file, &measured)?;
            }
            measured
        }
    };
    if write {
        let file = root().join("docs/performance.md");
        let document =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        fs::write(&file, tables::replace_all(&document, &figures, &all())?)?;
    }
    Ok(())
}

fn all() -> Vec<Named> {
    PROGRAMS.iter().flat_map(|program| program.figures).copied().collect()
}

/// Returns the names that the parts select: a figure, a folder of figures, or any text in a name.
fn select(parts: &[String]) -> Result<Vec<&'static str>> {
    let mut selected = Vec::new();
    for part in parts {
        let folder = format!("{}/", part.trim_end_matches('/'));
        let is_selected = |name: &str| name == part || name.starts_with(&folder);
        let mut names: Vec<_> =
            all().iter().map(|(name, _)| *name).filter(|name| is_selected(name)).collect();
        if names.is_empty() {
            names = all().iter().map(|(name, _)| *name).filter(|name| name.contains(part.as_str())).collect();
        }
        ensure!(!names.is_empty(), "no figure matches `{part}`; `cargo xtask bench --list` prints all names");
        selected.append(&mut names);
    }
    let wanted = |name: &&str| parts.is_empty() || selected.contains(name);
    Ok(all().iter().map(|(name, _)| *name).filter(wanted).collect())
}

/// Runs every program that has one of these figures.
fn measure(names: &[&str], rounds: Option<u32>) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (number, program) in PROGRAMS.iter().enumerate() {
        let wanted: Vec<_> =
            program.figures.iter().map(|(name, _)| *name).filter(|name| names.contains(name)).collect();
        if wanted.is_empty() {
            continue;
        }
        let mut measured = program.measure(&wanted, rounds, &output(number)?)?;
        if matches!(program.run, Run::Load | Run::Noisy) {
            // These measure all of their figures at once.
            measured.retain(|figure| wanted.contains(&figure.name.as_str()));
        }
        check_names(&wanted, &measured)?;
        figures.extend(measured);
    }
    Ok(figures)
}

/// Returns a file for a program's figures that does not exist yet.
fn output(number: usize) -> Result<PathBuf> {
    let folder = target().join("bench");
    fs::create_dir_all(&folder)?;
    let file = folder.join(format!("figures-{number}.json"));
    if file.exists() {
        fs::remove_file(&file)?;
    }
    Ok(file)
}

impl Program {
    fn measure(&self, wanted: &[&str], rounds: Option<u32>, output: &Path) -> Result<Vec<Figure>> {
        let (package, bench, features) = match self.run {
            Run::Bench { package, bench, features } => (package, bench, features),
            Run::WithServers { package, bench } => {
                servers::need_redis()?;
                servers::need_postgres()?;
                (package, bench, "")
            }
            Run::Load => return load::throughput(rounds),
            Run::Noisy => {
                load::noisy(output)?;
                return figures::read(output);
            }
        };
        let mut step =
            cargo(&["bench", "--quiet", "-p", package, "--features", features, "--bench", bench, "--"]);
        if wanted.len() < self.figures.len() {
            step = step.args(wanted);
        }
        if let Some(rounds) = rounds {
            step = step.args(&["--rounds", &rounds.to_string()]);
        }
        step.env("TENANCY_BENCH_JSON", output).run()?;
        figures::read(output)
    }
}

/// The list of names and the programs must agree, or a figure would disappear unnoticed.
fn check_names(wanted: &[&str], measured: &[Figure]) -> Result<()> {
    for name in wanted {
        ensure!(measured.iter().any(|figure| figure.name == *name), "the figure {name} was not measured");
    }
    for Figure { name, .. } in measured {
        ensure!(
            wanted.contains(&name.as_str()),
            "the figure {name} is not in the list of xtask/src/bench.rs"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(parts: &[&str]) -> Vec<&'static str> {
        select(&parts.iter().map(ToString::to_string).collect::<Vec<_>>()).unwrap()
    }

    fn figure(name: &str) -> Figure {
        Figure {
            name: name.to_owned(),
            peer: "peer".to_owned(),
            ratio: 1.0,
            low: 1.0,
            high: 1.0,
            target: None,
            rounds: 3,
        }
    }

    #[test]
    fn selects_a_figure_a_folder_or_a_text() {
        assert_eq!(selected(&["id/format"]), ["id/format"]);
        assert_eq!(selected(&["redis/rewrite"]).len(), 3);
        assert_eq!(selected(&["redis/rewrite/"]).len(), 3);
        assert!(selected(&["postgres"]).iter().all(|name| name.starts_with("postgres/")));
        assert_eq!(selected(&["noisy"]), ["sqlite/noisy/50", "gateway/noisy/median", "gateway/noisy/p99"]);
        assert_eq!(selected(&["id/format", "id/format"]), ["id/format"]);
        assert_eq!(selected(&[]).len(), all().len());
    }

    #[test]
    fn rejects_a_part_without_figures() {
        let error = select(&["nothing".to_owned()]).unwrap_err();
        assert!(error.to_string().contains("no figure matches `nothing`"), "{error}");
    }

    #[test]
    fn has_no_name_twice() {
        let mut names: Vec<_> = all().iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all().len());
    }

    #[test]
    fn fails_if_a_figure_is_missing_or_not_listed() {
        check_names(&["a/b"], &[figure("a/b"), figure("a/b")]).unwrap();
        let missing = check_names(&["a/b", "a/c"], &[figure("a/b")]).unwrap_err();
        assert!(missing.to_string().contains("a/c was not measured"), "{missing}");
        let unlisted = check_names(&["a/b"], &[figure("a/b"), figure("a/c")]).unwrap_err();
        assert!(unlisted.to_string().contains("a/c is not in the list"), "{unlisted}");
    }

    #[test]
    fn does_not_write_the_figures_of_a_smoke_test() {
        let error = run(&["id/format".to_owned()], None, true, Some(MEASUREMENT - 1)).unwrap_err();
        assert!(error.to_string().contains("fewer than 10 rounds"), "{error}");
    }
}
