//! The table of header lines that every server of this repository is tested with.

use tenancy_testkit::header_cases::{Ids, cases};

use crate::support::call::{Call, Connection};
use crate::support::store::{Store, on_each_store};
use crate::support::{ACME, GLOBEX, INITECH};

on_each_store![each_case_has_its_status];

/// Returns a principals file without the platform: no tenant of the table is the platform's.
fn principals() -> String {
    let tenant = |id: &str, status| serde_json::json!({ "id": id, "slug": format!("t-{}", &id[..8]), "status": status });
    let tenants = [tenant(ACME, "active"), tenant(GLOBEX, "active"), tenant(INITECH, "suspended")];
    let operator = serde_json::json!({ "name": "operator", "token": "demo-operator", "tenants": "all" });
    serde_json::json!({ "tenants": tenants, "principals": [operator] }).to_string()
}

fn each_case_has_its_status(store: &Store) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("principals.json");
    std::fs::write(&path, principals()).expect("written");
    let gateway = store.with(&["--rate", "0", "--principals", path.to_str().expect("UTF-8")]);
    let unknown = "11111111-1111-4111-8111-111111111111";
    let cases = cases(Ids { one: ACME, other: GLOBEX, suspended: INITECH, unknown });
    let call = Call::get("/v1/whoami").by("operator").field("Connection", "close").head();
    let mut wrong = Vec::new();
    for case in &cases {
        let mut connection = Connection::to(gateway.address);
        let head = call.trim_end_matches("\r\n").as_bytes();
        connection.write(&[head, b"\r\n", &case.fields, b"\r\n"].concat());
        let status = connection.answer().status;
        if status != case.status {
            wrong.push(format!("line {}: {status}, expected {}", case.line, case.status));
        }
    }
    assert!(cases.len() > 100 && wrong.is_empty(), "of {} cases: {wrong:#?}", cases.len());
}
