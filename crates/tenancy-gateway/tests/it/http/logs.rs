//! Content of the log.

use crate::support::call::Call;
use crate::support::process::Gateway;
use crate::support::{ACME, GLOBEX, NOBODY, h2};

#[tokio::test(flavor = "multi_thread")]
async fn logs_one_line_per_request_without_secrets() {
    let gateway = Gateway::with(&["--log", "trace"]);
    let post = Call::new("POST", "/v1/notes?access_token=demo-query").by("alice").of(ACME);
    assert_eq!(post.json(r#"{"text":"demo-text"}"#).send(gateway.address).status, 201);
    assert_eq!(Call::get("/v1/notes").by("alice").of(GLOBEX).send(gateway.address).status, 403);
    assert_eq!(Call::get("/v1/notes").by("operator").of(NOBODY).send(gateway.address).status, 404);
    assert_eq!(Call::get("/v1/notes").by("unknown").of(ACME).send(gateway.address).status, 401);
    assert_eq!(Call::get("/v1/notes").field("Authorization", "demo-bare").send(gateway.address).status, 401);
    assert_eq!(
        Call::get(&format!("/{}", "x".repeat(5000))).by("alice").of(ACME).send(gateway.address).status,
        404
    );
    assert_eq!(Call::new(&"Y".repeat(5000), "/v1/notes").send(gateway.address).status, 401);
    // At this level the HTTP libraries would log frames.
    let client = h2::connect(gateway.address).await;
    let asked = h2::ask(client, ("GET", "/v1/whoami"), ACME, String::new());
    assert_eq!(asked.await.0, 200);
    assert_eq!(Call::get("/last").send(gateway.address).status, 401);
    let log = gateway.stderr.with("/last");
    assert!(!log.contains("demo-"), "{log}");
    assert!(!log.contains("frame"), "the libraries below tell nothing: {log}");
    assert!(!log.contains(&"x".repeat(300)));
    assert!(!log.contains(&"Y".repeat(21)));

    let lines: Vec<_> = log.lines().filter(|line| line.contains("answered")).collect();
    assert_eq!(lines.len(), 9, "{log}");
    let first = lines[0];
    for part in [
        "POST",
        r#"path="/v1/notes""#,
        "status=201",
        "duration=",
        r#"principal="alice""#,
        &format!("tenant.id={ACME}"),
    ] {
        assert!(first.contains(part), "{part} in {first}");
    }
    // A rejected request has its caller, but not the tenant that it claimed.
    assert!(!lines[1].contains("tenant.id") && lines[1].contains(r#"principal="alice""#), "{}", lines[1]);
    let named = lines.iter().filter(|line| line.contains("tenant.id")).count();
    assert_eq!(named, 4, "a tenant that is only claimed is not logged as one: {log}");
}

#[test]
fn log_level_is_respected() {
    let gateway = Gateway::with(&["--log", "error"]);
    assert_eq!(Call::get("/v1/notes").send(gateway.address).status, 401);
    assert_eq!(gateway.stderr.text(), "");
}
