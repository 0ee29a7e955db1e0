//! The OpenAPI document agrees with the routes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::ACME;
use crate::support::agents::{ask as ask_as, call, post};
use crate::support::call::{Answer, Call};
use crate::support::process::{Gateway, command, run};
use crate::support::{ALICE, OPERATOR};

const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];

fn document(gateway: &Gateway) -> Value {
    let answer = Call::get("/openapi.json").send(gateway.address);
    assert_eq!((answer.status, answer.field("content-type")), (200, Some("application/json")));
    answer.json()
}

/// Sends a request for an absent agent, note or tenant.
fn ask(gateway: &Gateway, method: &str, path: &str) -> Answer {
    let path = path.replace("{id}", "11111111-2222-4333-8444-555555555555").replace("{name}", "nobody");
    let path = path.replace("{tenant}", "11111111-2222-4333-8444-555555555555");
    let call = call(OPERATOR, &method.to_uppercase(), &path).json("[]");
    let mut connection = crate::support::call::Connection::to(gateway.address);
    connection.write(&call.bytes());
    connection.answer_head()
}

#[test]
fn routes_have_exactly_the_documented_methods() {
    let gateway = Gateway::start();
    let document = document(&gateway);
    let paths = document["paths"].as_object().expect("paths");
    assert!(paths.len() > 20);
    for (path, item) in paths {
        let mut documented: BTreeSet<_> = item.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(documented.is_subset(&METHODS.into()), "{path}");
        if documented.contains("get") {
            documented.insert("head");
        }
        for method in METHODS {
            let answer = ask(&gateway, method, path);
            assert_eq!(answer.status != 405, documented.contains(method), "{method} {path}: {answer:?}");
        }
        let allowed = ask(&gateway, "options", path).field("allow").expect("Allow").to_lowercase();
        assert_eq!(allowed.split(',').collect::<BTreeSet<_>>(), documented, "{path}");
    }
}

/// The README's table is written by hand.
#[test]
fn openapi_document_has_the_routes_of_the_readme() {
    let document: Value = serde_json::from_str(&tenancy_gateway::routes::openapi_json().unwrap()).unwrap();
    let documented: BTreeSet<String> = routes_of(&document);
    let readme: BTreeSet<String> = include_str!("../../../README.md")
        .lines()
        .filter(|line| line.starts_with("| `"))
        .flat_map(|line| line.split('`').skip(1).step_by(2))
        .filter(|code| code.contains(" /"))
        .flat_map(|code| {
            let (methods, path) = code.rsplit_once(' ').unwrap();
            methods
                .split(' ')
                .map(move |method| format!("{} {path}", method.to_lowercase()))
                .collect::<Vec<_>>()
        })
        .filter(|route| route != "get /openapi.json")
        .collect();
    assert_eq!(documented, readme);
}

fn routes_of(document: &Value) -> BTreeSet<String> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, item)| {
            item.as_object().unwrap().keys().map(move |method| format!("{method} {path}"))
        })
        .collect()
}

#[test]
fn errors_are_documented_as_problems_and_operation_ids_are_unique() {
    let document: Value = serde_json::from_str(&tenancy_gateway::routes::openapi_json().unwrap()).unwrap();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{method} {path}");
            for (status, response) in operation["responses"].as_object().unwrap() {
                let is_problem = response["content"].get("application/problem+json").is_some();
                assert_eq!(is_problem, status.starts_with(['4', '5']), "{method} {path} {status}");
            }
        }
    }
    let text = document.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
    }
}

/// The schemas of agents are written by hand.
#[test]
fn agent_matches_the_openapi_schema() {
    let gateway = Gateway::start();
    let document = document(&gateway);
    let members = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let schema = |name: &str| &document["components"]["schemas"][name];
    let agent = post(&gateway, ALICE, "/v1/agents", &json!({ "name": "a" })).json();
    assert_eq!(members(&agent), members(&schema("Agent")["properties"]));
    let required: BTreeSet<_> = schema("Agent")["required"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap().to_owned())
        .collect();
    assert_eq!(members(&agent), required);

    let id = agent["id"].as_str().unwrap();
    assert_eq!(ask_as(&gateway, ALICE, "POST", &format!("/v1/agents/{id}/submit")).status, 200);
    let approve = format!("/v1/tenants/{ACME}/agents/{id}/approve");
    let decision = ask_as(&gateway, OPERATOR, "POST", &approve).json();
    assert_eq!(members(&decision), members(&schema("Decision")["properties"]));

    let content: Vec<_> = members(&schema("AgentDraft")["properties"]).into_iter().collect();
    let mut whole = json!({});
    for member in &content {
        whole[member] = agent[member].clone();
    }
    assert_eq!(post(&gateway, ALICE, "/v1/agents", &whole).status, 200, "what a draft may have an agent has");
    let names = |schema: &Value| {
        schema["enum"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(schema("AgentStatus")),
        tenancy_agents::AgentStatus::ALL.map(tenancy_agents::AgentStatus::as_str)
    );
    assert_eq!(names(schema("Tier")), tenancy_agents::Tier::ALL.map(tenancy_agents::Tier::as_str));
    assert_eq!(
        names(schema("Visibility")),
        tenancy_agents::Visibility::ALL.map(tenancy_agents::Visibility::as_str)
    );
}

#[test]
fn openapi_command_prints_the_served_document() {
    let (code, stdout, stderr) = run(command(&["openapi"]));
    assert_eq!((code, &*stderr), (Some(0), ""));
    let printed: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(printed["openapi"], "3.1.0");
    assert_eq!(printed, document(&Gateway::start()));
}

#[test]
fn openapi_document_needs_no_token_but_similar_paths_do() {
    let gateway = Gateway::start();
    let answer = Call::get("/openapi.json").field("X-Tenant-ID", "no-id").send(gateway.address);
    assert_eq!(answer.status, 200);
    assert_eq!(Call::new("POST", "/openapi.json").send(gateway.address).status, 405);
    for path in ["/openapi.json/", "/openapi", "//openapi.json", "/OPENAPI.json"] {
        assert_eq!(Call::get(path).send(gateway.address).status, 401, "{path}");
    }
}
