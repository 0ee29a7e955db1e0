//! Settings from options, the environment and a file.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::agents::{ask, post};
use crate::support::call::Call;
use crate::support::process::{Gateway, command, run};
use crate::support::store::{Store, in_files, on_each_store};
use crate::support::{ACME, ALICE, BOB};

on_each_store![agent_limit_is_exact];

/// Also after deletions, and separately for each tenant.
fn agent_limit_is_exact(store: &Store) {
    let gateway = store.with(&["--rate", "0", "--max-agents", "5"]);
    let register = |who, name: String| post(&gateway, who, "/v1/agents", &json!({ "name": name }));
    let ids: Vec<_> = (0..5)
        .map(|number| {
            let registered = register(ALICE, format!("a{number}"));
            assert_eq!(registered.status, 201, "{registered:?}");
            registered.json()["id"].as_str().unwrap().to_owned()
        })
        .collect();
    let refused = register(ALICE, "a5".to_owned());
    assert_eq!((refused.status, refused.problem()), (409, "gateway:agents-full".to_owned()));
    assert_eq!(register(BOB, "b0".to_owned()).status, 201);
    assert_eq!(ask(&gateway, ALICE, "DELETE", &format!("/v1/agents/{}", ids[0])).status, 204);
    assert_eq!(register(ALICE, "a5".to_owned()).status, 201);
    assert_eq!(register(ALICE, "a6".to_owned()).status, 409);
}

#[test]
fn refuses_more_agents_in_memory_than_there_is_room_for() {
    let (code, stdout, stderr) = run(command(&["--max-agents", "65", "--listen", "127.0.0.1:0"]));
    assert_eq!((code, &*stdout), (Some(1), ""));
    assert!(stderr.contains("--max-agents is 65") && stderr.contains("at most 64"), "{stderr}");
}

#[test]
fn memory_and_data_contradict_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut both = command(&["--memory", "--data", data.to_str().unwrap(), "--listen", "127.0.0.1:0"]);
    both.env_remove("GATEWAY_MEMORY");
    let (code, stdout, stderr) = run(both);
    assert_eq!((code, &*stdout), (Some(1), ""));
    assert!(stderr.contains("--memory and --data contradict each other"), "{stderr}");
    assert!(!data.exists());
    // An option overrides the environment.
    let gateway = Gateway::with(&["--data", data.to_str().unwrap()]);
    assert!(gateway.stdout.text().contains("one SQLite file per tenant"));
    assert!(data.exists());
}

fn write(folder: &Path, text: &str) -> String {
    let file = folder.join("gateway.toml");
    fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn options_override_the_environment_which_overrides_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "max-notes = 1\nrate = 0\nburst = 7\nlisten = \"127.0.0.1:9\"\n");
    let mut check = command(&["config", "check", "--config", &file, "--listen", "127.0.0.1:0"]);
    check.env("GATEWAY_RATE", "5").env("GATEWAY_LISTEN", "127.0.0.1:8");
    let (code, stdout, stderr) = run(check);
    assert_eq!((code, &*stderr), (Some(0), ""), "{stdout}");
    for line in [
        "listen = \"127.0.0.1:0\"  # option",
        "rate = 5  # environment",
        "burst = 7  # file",
        "max-notes = 1  # file",
        "idle-timeout = 75  # default",
        "memory = true  # environment",
        "max-agents = 64  # default",
        "# The configuration is valid.",
    ] {
        assert!(stdout.lines().any(|printed| printed == line), "{line} in {stdout}");
    }
    let gateway = Gateway::with(&["--config", &file]);
    let note = || Call::new("POST", "/v1/notes").by("alice").of(ACME).json(r#"{"text":"a"}"#);
    assert_eq!(note().send(gateway.address).status, 201);
    assert_eq!(note().send(gateway.address).problem(), "gateway:notes-full");
}

#[test]
fn config_check_prints_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let key = "1:5ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3e75ec3e7";
    let text = format!("database-url = \"postgres://u:s3cret@h/d\"\ntenancy-key = \"{key}\"\n");
    let file = write(folder.path(), &text);
    let mut check = command(&["config", "check", "--config", &file]);
    check.env("REDIS_URL", "redis://:s3cret@h");
    let (code, stdout, stderr) = run(check);
    assert_eq!((code, &*stderr), (Some(0), ""), "{stdout}");
    assert!(stdout.contains("database-url = \"(secret)\"  # file"), "{stdout}");
    assert!(stdout.contains("redis-url = \"(secret)\"  # environment"), "{stdout}");
    assert!(!stdout.contains("s3cret") && !stdout.contains("5ec3e7"), "{stdout}");
}

#[test]
fn config_check_names_the_fault() {
    let folder = tempfile::tempdir().unwrap();
    for (text, error) in [
        ("rat = 7", "unknown setting `rat`"),
        ("rate = \"s3cret\"", "invalid value of the setting `rate`"),
        ("listen = \"0.0.0.0:80\"", "the demo's tokens are public"),
        ("database-url = \"s3cret\"\ntenancy-key = \"1:aa\"", "invalid URL of the database"),
        ("redis-url = \"http://s3cret\"", "invalid URL of Redis"),
        ("principals = \"/nowhere.json\"", "/nowhere.json"),
    ] {
        let file = write(folder.path(), text);
        let (code, _, stderr) = run(command(&["config", "check", "--config", &file]));
        assert!(code == Some(1) && stderr.contains(error), "{text}: {stderr}");
        assert!(!stderr.contains("s3cret"), "{stderr}");
    }
}

#[test]
fn limits_of_bodies_are_settings() {
    let gateway = Gateway::with(&["--rate", "0", "--max-body", "100", "--max-agent-body", "200"]);
    let text = |length: usize| json!({ "text": "a".repeat(length) });
    assert_eq!(post(&gateway, ALICE, "/v1/notes", &text(80)).status, 201);
    assert_eq!(post(&gateway, ALICE, "/v1/notes", &text(100)).status, 413);
    let agent = |name: &str, length: usize| json!({ "name": name, "description": "a".repeat(length) });
    assert_eq!(post(&gateway, ALICE, "/v1/agents", &agent("a", 150)).status, 201);
    assert_eq!(post(&gateway, ALICE, "/v1/agents", &agent("b", 200)).status, 413);
}

#[test]
fn number_of_open_files_is_a_setting() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = in_files(folder.path(), &["--rate", "0", "--max-open-files", "1"]);
    for who in [ALICE, BOB, ALICE, BOB] {
        assert_eq!(ask(&gateway, who, "GET", "/v1/notes").status, 200);
    }
}

#[test]
fn man_page_and_completions_name_the_options() {
    for arguments in
        [&["man"][..], &["completions", "bash"], &["completions", "fish"], &["completions", "zsh"]]
    {
        let (code, stdout, stderr) = run(command(arguments));
        assert_eq!((code, &*stderr), (Some(0), ""));
        let printed = stdout.replace("\\-", "-");
        assert!(printed.contains("max-agents") && printed.contains("gateway"), "{arguments:?}");
    }
}
