//! The command line of `cargo xtask`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Check, run and measure this project.
///
/// Missing programs are installed: servers, QEMU and a browser by apt-get, Rust targets and toolchains by rustup, and
/// cargo plugins as prebuilt Python wheels (or by `cargo install`). Set `XTASK_CROSS` to `rustup` or `debian` to
/// choose the toolchain that builds the firmware.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the check, or some of its parts.
    ///
    /// The parts run in the order in which this help lists them. A failed step does not stop the others. The last line
    /// says how many steps passed and failed.
    Test {
        /// Mark the output as that of an automatic run. The steps are the same.
        #[arg(long)]
        ci: bool,
        /// Run only these parts. The default is all parts.
        #[arg(value_name = "PART")]
        parts: Vec<Part>,
    },
    /// Run the tests that take too long for `test`, and print the line coverage of each published crate.
    ///
    /// Runs the tests of the context under Miri, with the thread sanitizer and in 300,000 thread schedules, compares
    /// 1,000,000 random commands with each Redis server from a new seed, executes 200,000 of them, and runs all tests in a
    /// release build. Installs a nightly compiler.
    Nightly,
    /// Print the line coverage of each published crate, and fail if it is below its limit.
    Coverage,
    /// Build the gateway in release mode and run it with these options.
    #[command(disable_help_flag = true)]
    Gateway {
        /// The options of the gateway; `--help` lists them.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTION")]
        options: Vec<String>,
    },
    /// Run a firmware program in QEMU and print its log.
    ///
    /// The program `http` keeps running and prints curl commands to try. Press Ctrl-C to stop it.
    Firmware {
        /// The program to run.
        #[arg(default_value = "quickstart", value_parser = crate::firmware::program::NAMES)]
        program: String,
        /// Forward this port of 127.0.0.1 to the program `http`. The default is an unused port.
        #[arg(long)]
        port: Option<u16>,
    },
    /// Measure the project against other crates, in alternation with them.
    ///
    /// Each figure is the ratio of the project's time to a peer's, the median of many rounds. The figures `load` and
    /// `gateway/noisy` run servers under load; `load` is a ratio of requests per second.
    Bench(Bench),
    /// Generate the table of commands of tenancy-redis from Redis 7.0, Redis 8.2 and Valkey 9.1. Installs the servers.
    ///
    /// With programs of other servers, writes nothing: fails if one of them has the keys of a command in another place,
    /// and lists its commands that the table lacks.
    RedisTable {
        /// Write nothing. Fail if the table differs from the servers.
        #[arg(long)]
        check: bool,
        /// The programs of other servers, for example `/usr/bin/valkey-server`.
        #[arg(value_name = "PROGRAM")]
        programs: Vec<PathBuf>,
    },
    /// Print the flash, memory and instruction counts of the core on a Cortex-M3, and fail if one is over its limit.
    Size,
}

#[derive(Args, Debug)]
pub(crate) struct Bench {
    /// Measure only these figures: a name, the start of names (`id`, `postgres/raw`, `load`), or any text in names. The
    /// default is all figures.
    #[arg(value_name = "PART")]
    pub(crate) parts: Vec<String>,
    /// Write the figures to this file as JSON. With `--write` and no PART, read them from this file instead.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Replace the marked tables of docs/performance.md by the figures.
    #[arg(long)]
    pub(crate) write: bool,
    /// Measure at most this many rounds. With fewer than 10 the data is a hundredth, too: a test of the benchmarks.
    #[arg(long, value_name = "N")]
    pub(crate) rounds: Option<u32>,
    /// Print the names of all figures, then exit.
    #[arg(long)]
    pub(crate) list: bool,
}

/// A part of the check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Check the formatting.
    Format,
    /// Fail if files of a crate import each other in a circle.
    Arch,
    /// Run clippy on all targets with all features.
    Lint,
    /// Compile each published package with each feature alone.
    Features,
    /// Link host programs that use the core, for Linux and Windows and from C.
    Links,
    /// Compile each published package with the oldest Rust version that it supports.
    Msrv,
    /// Run all tests and examples, with servers and a browser.
    Test,
    /// Build the documentation, and check the links, examples and commands in Markdown files.
    Docs,
    /// Build each published package from its archive, and check licences and unused dependencies.
    Package,
    /// Build the firmware, run it in QEMU, and check that it detects deliberate errors.
    Devices,
}
