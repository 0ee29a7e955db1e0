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
#[ignore = "needs curl and postgres; cargo xtask test runs it"]
fn every_line_does_what_it_says_on_postgres() {
    each_does_what_it_says(&Store::postgres());
}

fn each_does_what_it_says(store: &Store) {
    let gateway = store.with(&[]);
    let stdout = gateway.stdout.text();
    let lines: Vec<_> = stdout.lines().filter(|line| line.starts_with("curl ")).collect();
    assert!(lines.len() >= 15, "{stdout}");
    assert!(lines[0].contains("Bearer demo-alice") && lines[0].contains("   # 200: "), "{}", lines[0]);
    for line in lines {
        let (command, comment) = line.split_once("   # ").expect("a comment");
        let command = format!("{command} -s -o /dev/null -m 20 -w '%{{http_code}}'");
        let output = Command::new("sh").args(["-c", &command]).output().expect("a shell");
        let status = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && comment.starts_with(&*status), "{status}: {line}");
    }
}
