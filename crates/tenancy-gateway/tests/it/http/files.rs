//! Data in files survives the end of the process.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::json;

use tenancy_testkit::process::Signal;

use crate::support::call::Call;
use crate::support::process::{self, Gateway, command, wait_for};
use crate::support::store::in_files;
use crate::support::{ACME, GLOBEX, PLATFORM};

fn start(folder: &Path) -> Gateway {
    in_files(folder, &["--rate", "0"])
}

fn post(gateway: &Gateway, path: &str, by: &str, tenant: &str, body: &str) -> crate::support::call::Answer {
    Call::new("POST", path).by(by).of(tenant).json(body).send(gateway.address)
}

fn get(gateway: &Gateway, path: &str, by: &str, tenant: &str) -> crate::support::call::Answer {
    Call::get(path).by(by).of(tenant).send(gateway.address)
}

#[test]
fn data_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let mut gateway = start(folder.path());
    let hooli = json!({ "slug": "hooli", "id": "3f2504e0-4f89-41d3-9a0c-0305e82c3301" }).to_string();
    assert_eq!(post(&gateway, "/v1/tenants", "operator", PLATFORM, &hooli).status, 201);
    let suspend = format!("/v1/tenants/{GLOBEX}/suspend");
    assert_eq!(post(&gateway, &suspend, "operator", PLATFORM, "").status, 200);
    let note = post(&gateway, "/v1/notes", "alice", ACME, r#"{"text":"kept"}"#).json();
    let agent = post(&gateway, "/v1/agents", "alice", ACME, r#"{"name":"kept"}"#).json();
    let tenants = get(&gateway, "/v1/tenants", "operator", PLATFORM).json();
    gateway.signal(Signal::Terminate);
    assert!(gateway.end().success());

    let gateway = start(folder.path());
    // The demo's tenants are not reset.
    assert_eq!(get(&gateway, "/v1/tenants", "operator", PLATFORM).json(), tenants);
    assert_eq!(get(&gateway, "/v1/notes", "bob", GLOBEX).status, 403);
    assert_eq!(get(&gateway, "/v1/notes", "alice", ACME).json()["notes"], json!([note]));
    assert_eq!(get(&gateway, "/v1/agents", "alice", ACME).json()["agents"], json!([agent]));
    assert_eq!(post(&gateway, "/v1/tenants", "operator", PLATFORM, &hooli).status, 409);
}

#[test]
fn acknowledged_writes_survive_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let (mut notes, mut agents) = (Vec::new(), Vec::new());
    for round in 0..5 {
        let gateway = start(folder.path());
        let is_over = AtomicBool::new(false);
        let written = [const { AtomicUsize::new(0) }; 4];
        thread::scope(|scope| {
            let write =
                |written, by: &'static str, tenant: &'static str, path: &'static str, body: &'static str| {
                    let (gateway, is_over, written): (_, _, &AtomicUsize) = (&gateway, &is_over, written);
                    scope.spawn(move || {
                        let mut acknowledged = Vec::new();
                        for number in 0.. {
                            let body = body.replace('#', &format!("{round}-{number}"));
                            let call = Call::new("POST", path).by(by).of(tenant).json(&body);
                            match call.try_send(gateway.address).filter(|answer| answer.status == 201) {
                                Some(answer) => {
                                    acknowledged.push((tenant, answer.json()));
                                    written.fetch_add(1, Ordering::Relaxed);
                                }
                                None => break,
                            }
                            assert!(!is_over.load(Ordering::Relaxed), "it answers after its end");
                        }
                        acknowledged
                    })
                };
            let writers = [
                write(&written[0], "alice", ACME, "/v1/notes", r##"{"text":"#"}"##),
                write(&written[1], "bob", GLOBEX, "/v1/notes", r##"{"text":"#"}"##),
                write(&written[2], "alice", ACME, "/v1/agents", r#"{"name":"r#"}"#),
                write(&written[3], "bob", GLOBEX, "/v1/agents", r#"{"name":"r#"}"#),
            ];
            let all_write = || written.iter().all(|count| count.load(Ordering::Relaxed) >= 5);
            let all = wait_for(|| all_write().then_some(()));
            // The writers must end before the assertion can fail.
            gateway.signal(Signal::Kill);
            all.expect("each has written");
            for (place, writer) in writers.into_iter().enumerate() {
                let kept = if place < 2 { &mut notes } else { &mut agents };
                kept.extend(writer.join().unwrap());
            }
            is_over.store(true, Ordering::Relaxed);
        });
    }
    let gateway = start(folder.path());
    for (path, kept) in [("/v1/notes", notes), ("/v1/agents", agents)] {
        for (tenant, written) in kept {
            let by = if tenant == ACME { "alice" } else { "bob" };
            let read = get(&gateway, &format!("{path}/{}", written["id"].as_str().unwrap()), by, tenant);
            assert_eq!(read.json(), written);
        }
    }
}

#[test]
fn second_process_on_a_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _first = start(folder.path());
    let mut second = command(&["--listen", "127.0.0.1:0"]);
    second.env_remove("GATEWAY_MEMORY").env("GATEWAY_DATA", folder.path());
    let (code, stdout, stderr) = process::run(second);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("another process") && stderr.contains("--data DIR"), "{stderr}");
    assert!(stderr.contains(folder.path().to_str().unwrap()), "{stderr}");
}

#[test]
fn names_a_folder_that_cannot_be_created() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let mut command: Command = command(&["--listen", "127.0.0.1:0"]);
    command.env_remove("GATEWAY_MEMORY").args(["--data", file.join("data").to_str().unwrap()]);
    let (code, _, stderr) = process::run(command);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("cannot use the folder") && stderr.contains("file/data"), "{stderr}");
}

#[test]
fn tenant_data_is_in_its_own_file_only() {
    let folder = tempfile::tempdir().unwrap();
    let mut gateway = start(folder.path());
    for (by, tenant, word) in [("alice", ACME, "acmes-word"), ("bob", GLOBEX, "globexs-word")] {
        assert_eq!(post(&gateway, "/v1/notes", by, tenant, &json!({ "text": word }).to_string()).status, 201);
        let agent = json!({ "name": word, "description": word }).to_string();
        assert_eq!(post(&gateway, "/v1/agents", by, tenant, &agent).status, 201);
    }
    gateway.signal(Signal::Terminate);
    assert!(gateway.end().success());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for word in ["acmes-word", "globexs-word"] {
            if bytes.windows(word.len()).any(|window| window == word.as_bytes()) {
                found.push((path.file_name().unwrap().to_str().unwrap().to_owned(), word));
            }
        }
    }
    found.sort();
    assert_eq!(
        found,
        [(format!("{ACME}.sqlite"), "acmes-word"), (format!("{GLOBEX}.sqlite"), "globexs-word")]
    );
}

/// An operator's mistake: the data in the file belongs to the other tenant and is not shown.
#[test]
fn rejects_a_file_renamed_to_another_tenant() {
    let folder = tempfile::tempdir().unwrap();
    let mut gateway = start(folder.path());
    let note = post(&gateway, "/v1/notes", "alice", ACME, r#"{"text":"acmes-word"}"#).json();
    let agent = post(&gateway, "/v1/agents", "alice", ACME, r#"{"name":"acmes-agent"}"#).json();
    gateway.signal(Signal::Terminate);
    assert!(gateway.end().success());
    let file = |tenant: &str| folder.path().join(format!("{tenant}.sqlite"));
    std::fs::copy(file(ACME), file(GLOBEX)).unwrap();
    let before = std::fs::read(file(GLOBEX)).unwrap();

    let gateway = start(folder.path());
    let (note, agent) = (note["id"].as_str().unwrap(), agent["id"].as_str().unwrap());
    for (method, path, body) in [
        ("GET", "/v1/notes".to_owned(), ""),
        ("GET", format!("/v1/notes/{note}"), ""),
        ("DELETE", format!("/v1/notes/{note}"), ""),
        ("POST", "/v1/notes".to_owned(), r#"{"text":"mine"}"#),
        ("GET", "/v1/agents/count".to_owned(), ""),
        ("GET", format!("/v1/agents/{agent}"), ""),
        ("POST", format!("/v1/agents/{agent}/heartbeat"), ""),
        ("POST", "/v1/agents".to_owned(), r#"{"name":"mine"}"#),
    ] {
        let answer = Call::new(method, &path).by("bob").of(GLOBEX).json(body).send(gateway.address);
        assert_eq!((answer.status, answer.problem().as_str()), (500, "gateway:internal"), "{method} {path}");
    }
    let mut export = command(&["export", "--tenant", GLOBEX]);
    drop(gateway);
    export.env_remove("GATEWAY_MEMORY").env("GATEWAY_DATA", folder.path());
    let (code, stdout, stderr) = process::run(export);
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert_eq!(std::fs::read(file(GLOBEX)).unwrap(), before, "it was written");
    // The other tenant is still served.
    let gateway = start(folder.path());
    assert_eq!(get(&gateway, "/v1/notes", "alice", ACME).json()["notes"][0]["text"], "acmes-word");
}

#[test]
fn damaged_file_affects_its_tenant_only() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(format!("{GLOBEX}.sqlite")), "no database".repeat(1000)).unwrap();
    let gateway = start(folder.path());
    assert_eq!(get(&gateway, "/v1/agents", "bob", GLOBEX).status, 500);
    let shared = r#"{"name":"search","visibility":"shared"}"#;
    let shared = post(&gateway, "/v1/agents", "operator", PLATFORM, shared).json();
    let id = shared["id"].as_str().unwrap();
    assert_eq!(post(&gateway, &format!("/v1/agents/{id}/submit"), "operator", PLATFORM, "").status, 200);
    let approve = format!("/v1/tenants/{PLATFORM}/agents/{id}/approve");
    assert_eq!(post(&gateway, &approve, "operator", PLATFORM, "").status, 200);
    assert_eq!(get(&gateway, &format!("/v1/agents/{id}"), "alice", ACME).json()["name"], "search");
}

#[test]
fn reports_a_slug_used_by_another_stored_tenant() {
    let folder = tempfile::tempdir().unwrap();
    drop(start(folder.path()));
    let principals = folder.path().join("principals.json");
    let other = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
    let list = json!({
        "tenants": [
            { "id": PLATFORM, "slug": "platform", "status": "active" },
            { "id": other, "slug": "acme", "status": "active" },
        ],
        "principals": [{ "name": "operator", "token": "0123456789abcdef0123456789abcdef", "tenants": "all" }],
    });
    std::fs::write(&principals, list.to_string()).unwrap();
    let mut serve = command(&["--listen", "127.0.0.1:0", "--principals", principals.to_str().unwrap()]);
    serve.env_remove("GATEWAY_MEMORY").env("GATEWAY_DATA", folder.path());
    let (code, _, stderr) = process::run(serve);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("slug acme of tenant") && stderr.contains(other), "{stderr}");
}

#[test]
fn changing_absent_items_creates_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = start(folder.path());
    let absent = "01900000-0000-7000-8000-000000000000";
    for (method, path) in [
        ("DELETE", format!("/v1/notes/{absent}")),
        ("PUT", format!("/v1/notes/{absent}")),
        ("DELETE", format!("/v1/agents/{absent}")),
        ("POST", format!("/v1/agents/{absent}/heartbeat")),
        ("POST", format!("/v1/agents/{absent}/submit")),
    ] {
        let call = Call::new(method, &path).by("bob").of(GLOBEX).json(r#"{"text":"x"}"#);
        assert_eq!(call.send(gateway.address).status, 404, "{method} {path}");
    }
    assert!(!folder.path().join(format!("{GLOBEX}.sqlite")).exists());
}

#[test]
fn export_overwrites_nothing_and_creates_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = start(folder.path());
    assert_eq!(post(&gateway, "/v1/notes", "alice", ACME, r#"{"text":"kept"}"#).status, 201);
    drop(gateway);
    let export = |data: &Path, out: &Path| {
        let mut export = command(&["export", "--tenant", ACME, "--out", out.to_str().unwrap()]);
        export.env_remove("GATEWAY_MEMORY").env("GATEWAY_DATA", data);
        let (code, _, stderr) = process::run(export);
        (code, stderr)
    };
    let file = folder.path().join(format!("{ACME}.sqlite"));
    let (code, stderr) = export(folder.path(), &file);
    assert!(code == Some(1) && stderr.contains("cannot write"), "{stderr}");
    // The name of a file that another tenant would use is refused too.
    for name in [format!("{GLOBEX}.sqlite"), format!("{GLOBEX}.sqlite-wal")] {
        let (code, stderr) = export(folder.path(), &folder.path().join(".").join(&name));
        assert!(code == Some(1) && stderr.contains("that is a tenant's file"), "{stderr}");
        assert!(!folder.path().join(name).exists());
    }
    let mistyped = folder.path().join("mistyped");
    let (code, stderr) = export(&mistyped, &folder.path().join("out"));
    assert!(code == Some(1) && stderr.contains("there is no folder"), "{stderr}");
    assert!(!mistyped.exists() && !folder.path().join("out").exists());
    let gateway = start(folder.path());
    assert_eq!(get(&gateway, "/v1/notes", "alice", ACME).json()["notes"][0]["text"], "kept");
}
