//! The shell commands in Markdown files: their programs are known, and the packages that they name exist.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};
use cargo_metadata::Package;
use clap::Parser;

use super::markdown::{blocks, files};
use crate::cli::Cli;
use crate::workspace::members;

/// Programs that commands may start with, beside those of this workspace.
const PROGRAMS: [&str; 10] =
    ["cargo", "cat", "cd", "curl", "export", "git", "openssl", "psql", "redis-cli", "rustup"];

/// Subcommands of cargo that select packages, features and targets by the usual options.
const BUILDS: [&str; 9] = ["add", "bench", "build", "check", "clippy", "doc", "install", "run", "test"];

/// Other subcommands of cargo.
const OTHERS: [&str; 3] = ["fmt", "llvm-cov", "nextest"];

pub(super) fn exist() -> Result<()> {
    let workspace = Workspace::read()?;
    let mut count = 0;
    let mut errors = Vec::new();
    for file in files()? {
        for block in blocks(&file)?.iter().filter(|block| block.has("sh")) {
            for command in commands(&block.text) {
                count += 1;
                if let Err(error) = workspace.check(&command) {
                    errors.push(format!("{}: `{}`: {error:#}", file.display(), command.join(" ")));
                }
            }
        }
    }
    if !errors.is_empty() {
        bail!("{}", errors.join("\n"));
    }
    ensure!(count > 0, "no command found");
    println!("    {count} commands");
    Ok(())
}

/// Returns the words of each command in a block.
fn commands(text: &str) -> Vec<Vec<String>> {
    let text = text.replace("\\\n", " ");
    let mut commands = Vec::new();
    for line in text.lines() {
        // A line with an open quote is one command whose words cannot be separated.
        let words: Vec<String> = shlex::split(line).unwrap_or_else(|| vec![line.to_owned()]);
        let parts = words.split(|word| ["|", "||", "&&", ";"].contains(&word.as_str()));
        commands.extend(parts.filter(|part| !part.is_empty()).map(<[String]>::to_vec));
    }
    commands
}

/// The packages of the workspace by name, and its programs.
struct Workspace {
    packages: BTreeMap<String, Package>,
}

impl Workspace {
    fn read() -> Result<Self> {
        let packages = members()?.into_iter().map(|package| (package.name.to_string(), package));
        Ok(Self { packages: packages.collect() })
    }

    fn check(&self, command: &[String]) -> Result<()> {
        // Variables may be set in front of the program.
        let is_variable =
            |word: &&String| word.split_once('=').is_some_and(|(name, _)| !name.contains(['/', '-']));
        let words: Vec<_> = command.iter().skip_while(is_variable).map(String::as_str).collect();
        let Some((program, arguments)) = words.split_first() else { return Ok(()) };
        if *program == "cargo" {
            return self.cargo(arguments);
        }
        let is_ours = self
            .packages
            .values()
            .flat_map(|package| &package.targets)
            .any(|target| target.is_bin() && target.name == *program);
        ensure!(
            is_ours || PROGRAMS.contains(program),
            "the program `{program}` is not in the list of the check"
        );
        Ok(())
    }

    fn cargo(&self, arguments: &[&str]) -> Result<()> {
        let (subcommand, arguments) = arguments.split_first().context("no subcommand")?;
        if *subcommand == "xtask" {
            let parsed = Cli::try_parse_from([&["cargo xtask"], arguments].concat());
            return parsed
                .map(drop)
                .or_else(|error| if error.use_stderr() { Err(error.into()) } else { Ok(()) });
        }
        if OTHERS.contains(subcommand) {
            return Ok(());
        }
        ensure!(BUILDS.contains(subcommand), "the subcommand `{subcommand}` is not in the list of the check");
        // What follows `--` is for the program that cargo runs.
        let own = arguments.iter().position(|argument| *argument == "--").unwrap_or(arguments.len());
        let own = &arguments[..own];
        let package = match (value(own, &["-p", "--package"]), *subcommand, own.first()) {
            (Some(name), ..) => Some(self.package(name)?),
            (None, "add" | "install", Some(first)) if first.starts_with("tenancy") => {
                Some(self.package(first)?)
            }
            (None, "add", _) => {
                let ours = own.iter().find(|word| word.starts_with("tenancy"));
                // Packages of others may be added too.
                let Some(ours) = ours else { return Ok(()) };
                Some(self.package(ours)?)
            }
            _ => None,
        };
        let candidates: Vec<_> =
            package.map_or_else(|| self.packages.values().collect(), |package| vec![package]);
        for (option, kind) in
            [("--example", "example"), ("--bin", "bin"), ("--test", "test"), ("--bench", "bench")]
        {
            let Some(name) = value(own, &[option]) else { continue };
            let targets = candidates.iter().flat_map(|package| &package.targets);
            let mut named = targets.filter(|target| target.name == name);
            ensure!(
                named.any(|target| target.kind.iter().any(|own| own.to_string() == kind)),
                "no {kind} `{name}`"
            );
        }
        for feature in value(own, &["-F", "--features"]).unwrap_or_default().split([',', ' ']) {
            // Without a package it is the root's, or that of the folder in which the command runs.
            let exists = candidates.iter().any(|package| package.features.contains_key(feature));
            ensure!(feature.is_empty() || exists, "no feature `{feature}`");
        }
        Ok(())
    }

    fn package(&self, name: &str) -> Result<&Package> {
        self.packages.get(name).with_context(|| format!("no package `{name}`"))
    }
}

/// Returns the value of an option.
fn value<'a>(arguments: &[&'a str], names: &[&str]) -> Option<&'a str> {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if names.contains(argument) {
            return arguments.next().copied();
        }
        if let Some((name, value)) = argument.split_once('=')
            && names.contains(&name)
        {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separates_commands() {
        let text = "# a comment\ncargo run -p tenancy-gateway   # why\n\nA=1 curl -d 'a b' \\\n  url | cat && git log\n";
        let expected: [&[&str]; 4] = [
            &["cargo", "run", "-p", "tenancy-gateway"],
            &["A=1", "curl", "-d", "a b", "url"],
            &["cat"],
            &["git", "log"],
        ];
        assert_eq!(commands(text), expected);
    }

    #[test]
    fn accepts_what_exists_and_names_what_does_not() {
        let workspace = Workspace::read().unwrap();
        let check =
            |command: &str| workspace.check(&commands(command)[0]).map_err(|error| format!("{error:#}"));
        for command in [
            "cargo run -p tenancy-gateway -- --listen 127.0.0.1:0",
            "cargo add tenancy --features std",
            "cargo add --dev tenancy-testkit --features postgres,redis",
            "cargo run --example quickstart --features std",
            "cargo xtask test arch",
            "cargo xtask --help",
            "cargo fmt --all",
            "A=b curl url",
            "gateway export",
        ] {
            assert_eq!(check(command), Ok(()), "{command}");
        }
        for (command, error) in [
            ("cargo run -p gatewy", "no package `gatewy`"),
            ("cargo add tenancy-towr", "no package `tenancy-towr`"),
            ("cargo add tenancy --features stdd", "no feature `stdd`"),
            ("cargo run --example quickstrt", "no example `quickstrt`"),
            ("cargo nothing", "the subcommand `nothing` is not in the list of the check"),
            ("rm -rf x", "the program `rm` is not in the list of the check"),
        ] {
            assert_eq!(check(command), Err(error.to_owned()), "{command}");
        }
        assert!(check("cargo xtask test nothing").is_err());
    }
}
