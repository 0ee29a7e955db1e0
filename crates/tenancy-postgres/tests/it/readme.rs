//! The README's commands run as they are printed.

use std::env;
use std::path::Path;
use std::process::Command;

use crate::support::database::{Contents, Database};

const README: &str = include_str!("../../README.md");

/// Returns the lines of the code block that contains a line.
fn block(language: &str, with: &str) -> Vec<&'static str> {
    let opening = format!("```{language}\n");
    let lines =
        |rest: &'static str| -> Vec<_> { rest.split("\n```").next().unwrap_or_default().lines().collect() };
    let mut blocks = README.split(opening.as_str()).skip(1).map(lines);
    blocks.find(|lines| lines.contains(&with)).expect("the block is in the README")
}

#[test]
fn the_readme_shows_the_example() {
    let program = block("rust,no_run", "#[tokio::main]");
    let example = include_str!("../../examples/two_tenants.rs");
    let (_, example) = example.split_once("\n\n").expect("a comment and a program");
    assert_eq!(program, example.lines().collect::<Vec<_>>());
    let shell = block("sh", "tenancy-pg migrate");
    assert!(program.len() + shell.len() < 30, "{} and {} lines", shell.len(), program.len());
}

/// Only the address is replaced by that of the test's own server.
#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn the_readme_commands_run_as_printed() {
    let database = Database::alone(Contents::Nothing);
    let folder = tempfile::tempdir().expect("a folder");
    let socket = database.folder().display().to_string().replace('/', "%2F");
    let script = block("sh", "tenancy-pg migrate").join("\n").replace("localhost", &socket);
    // The README's commands run in the project; the test runs them in a folder of its own.
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    // `cargo xtask test` has built the examples, and names their folder: `cargo run` would compile the package again.
    let script = match env::var("TENANCY_EXAMPLES") {
        Ok(folder) => script.replace("cargo run --example ", &format!("{folder}/")),
        Err(_) => {
            script.replace("cargo run", &format!("cargo run -q --manifest-path {}", manifest.display()))
        }
    };
    let programs = Path::new(env!("CARGO_BIN_EXE_tenancy-pg")).parent().expect("a folder");
    let path = format!("{}:{}", programs.display(), env::var("PATH").unwrap_or_default());
    let ran = Command::new("bash")
        .args(["-eu", "-c", &script])
        .env("PATH", path)
        .current_dir(folder.path())
        .output()
        .expect("bash");
    let (out, errors) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{errors}");
    assert!(out.ends_with("acme: of acme\nglobex: of globex\n"), "{out}\n{errors}");
}
