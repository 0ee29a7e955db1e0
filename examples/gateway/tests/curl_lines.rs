//! The lines that it prints do what they say, from top to bottom.

mod common;

use std::process::Command;

use common::store::Store;

#[test]
#[ignore = "needs curl; cargo xtask test runs it"]
fn every_line_does_what_it_says() {
    each_does_what_it_says(&Store::Memory);
}

#[test]
#[ignore = "needs curl; cargo xtask test runs it"]
fn every_line_does_what_it_says_in_files() {
    each_does_what_it_says(&Store::files());
}

#[test]
#[ignore = "needs curl and postgres; cargo xtask test runs it"]
fn every_line_does_what_it_says_on_postgres() {
    each_does_what_it_says(&Store::postgres());
}

fn each_does_what_it_says(store: &Store) {
    let gateway = store.with(&[]);
    let stdout = gateway.stdout.text();
    let lines: Vec<_> = stdout.lines().filter(|line| line.contains("curl ")).collect();
    assert!(lines.len() >= 25, "{stdout}");
    assert!(lines[0].contains("Bearer demo-alice") && lines[0].contains("   # 200: "), "{}", lines[0]);
    let mut agent = String::new();
    for line in lines {
        let (command, comment) = line.split_once("   # ").expect("a comment");
        if command.starts_with("AGENT=") {
            agent = shell(&format!("{command}; printf %s \"$AGENT\""), &agent);
            assert_eq!(agent.len(), 36, "{line}");
        } else {
            let status = shell(&format!("{command} -s -o /dev/null -m 20 -w '%{{http_code}}'"), &agent);
            assert!(comment.starts_with(&status), "{status}: {line}");
        }
    }
    assert!(!agent.is_empty());
}

/// What a command prints, in a shell that knows an agent.
fn shell(command: &str, agent: &str) -> String {
    let output = Command::new("sh").args(["-c", command]).env("AGENT", agent).output().expect("a shell");
    assert!(output.status.success(), "{command}");
    String::from_utf8(output.stdout).expect("UTF-8")
}
