//! The curl lines of the greeting and of `gateway examples` have the statuses that their comments state.

use std::process::Command;

use crate::support::process::{Gateway, command, run};
use crate::support::store::Store;

#[test]
#[ignore = "needs curl; cargo xtask test runs it"]
fn every_line_has_its_status_in_memory() {
    check_every_line(&Store::Memory);
}

#[test]
#[ignore = "needs curl; cargo xtask test runs it"]
fn every_line_has_its_status_in_files() {
    check_every_line(&Store::files());
}

#[test]
#[ignore = "needs curl and postgres; cargo xtask test runs it"]
fn every_line_has_its_status_on_postgres() {
    check_every_line(&Store::postgres());
}

fn check_every_line(store: &Store) {
    let gateway = store.with(&[]);
    let (code, examples, stderr) = run(command(&["examples", "--listen", &gateway.address.to_string()]));
    assert_eq!((code, &*stderr), (Some(0), ""));
    let lines: Vec<_> = examples.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(lines.len() >= 25, "{examples}");
    assert!(lines[0].contains("Bearer demo-alice") && lines[0].contains("   # 200: "), "{}", lines[0]);
    let mut agent = String::new();
    for line in lines {
        if line.starts_with("AGENT=") {
            agent = shell(&format!("{line}\nprintf %s \"$AGENT\""), "");
            assert_eq!(agent.len(), 36, "{line}");
        } else {
            check(line, &agent);
        }
    }
    assert!(!agent.is_empty());
    check_greeting(&gateway);
}

/// The examples have been run before, so this also shows that the greeting's lines work with existing data.
fn check_greeting(gateway: &Gateway) {
    let greeting = gateway.stdout.text();
    assert!(greeting.lines().count() <= 10, "{greeting}");
    let lines: Vec<_> = greeting.lines().filter(|line| line.contains("curl ")).collect();
    assert_eq!(lines.len(), 3, "{greeting}");
    for line in lines {
        check(line, "");
    }
}

/// Runs a line, and compares the status of the response with the one in the comment.
fn check(line: &str, agent: &str) {
    let (command, comment) = line.split_once("   # ").expect("a comment");
    let status = shell(&format!("{command} -s -o /dev/null -m 20 -w '%{{http_code}}'"), agent);
    assert!(comment.starts_with(&format!("{status}: ")), "{status}: {line}");
}

/// Returns the output of a command, in a shell whose variable `AGENT` is set.
fn shell(command: &str, agent: &str) -> String {
    let output = Command::new("sh").args(["-c", command]).env("AGENT", agent).output().expect("a shell");
    assert!(output.status.success(), "{command}");
    String::from_utf8(output.stdout).expect("UTF-8")
}
