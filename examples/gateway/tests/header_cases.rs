//! The table of header lines that every server of this repository is held against.

mod common;

#[path = "../../../tests/common/header_cases.rs"]
mod header_cases;

use common::call::{Call, Connection};
use common::store::{Store, on_each_store};
use common::{ACME, GLOBEX, INITECH};

/// No tenant of the table is the platform's.
fn census() -> std::path::PathBuf {
    let tenant = |id: &str, status| serde_json::json!({ "id": id, "slug": format!("t-{}", &id[..8]), "status": status });
    let tenants = [tenant(ACME, "active"), tenant(GLOBEX, "active"), tenant(INITECH, "suspended")];
    let operator = serde_json::json!({ "name": "operator", "token": "demo-operator", "tenants": "all" });
    let census = serde_json::json!({ "tenants": tenants, "principals": [operator] });
    let path = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("header-cases.json");
    std::fs::write(&path, census.to_string()).expect("written");
    path
}

on_each_store![each_case_has_its_status];

fn each_case_has_its_status(store: &Store) {
    let path = census();
    let gateway = store.with(&["--rate", "0", "--principals", path.to_str().expect("UTF-8")]);
    let unknown = "11111111-1111-4111-8111-111111111111";
    let ids = [("one", ACME), ("other", GLOBEX), ("suspended", INITECH), ("unknown", unknown)];
    let cases = header_cases::cases(&ids).expect("a table");
    let call = Call::get("/v1/whoami").by("operator").field("Connection", "close").head();
    let mut wrong = Vec::new();
    for case in &cases {
        let mut connection = Connection::to(gateway.address);
        let head = call.trim_end_matches("\r\n").as_bytes();
        connection.write(&[head, b"\r\n", &case.fields, b"\r\n"].concat());
        let status = connection.answer().status;
        if status != case.status {
            wrong.push(format!("line {}: {status}, and not {}", case.line, case.status));
        }
    }
    assert!(cases.len() > 100 && wrong.is_empty(), "of {} cases: {wrong:#?}", cases.len());
}
