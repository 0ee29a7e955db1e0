//! A2A agent cards.

use serde_json::{Value, json};

use crate::support::agents::{ask, patch, post, register};
use crate::support::store::{Store, on_each_store};
use crate::support::{ALICE, BOB};

on_each_store![card_round_trips, card_follows_the_agent, rejects_invalid_cards];

fn card() -> Value {
    json!({
        "name": "Support", "description": "Answers \u{1f980}", "version": "1.2.0",
        "supportedInterfaces": [
            { "url": "https://agents.example/a2a", "protocolBinding": "JSONRPC", "protocolVersion": "1.0", "tenant": "x" },
            { "url": "https://agents.example/rest", "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0" },
        ],
        "capabilities": { "streaming": true, "extensions": [] },
        "defaultInputModes": ["text/plain"], "defaultOutputModes": ["text/plain", "image/png"],
        "skills": [{ "id": "refund", "name": "Refund", "description": "Pays", "tags": ["billing", "No Tag"], "examples": ["a"] }],
        "iconUrl": "https://agents.example/icon.png", "signatures": [{ "protected": "e30", "signature": "QQ" }],
    })
}

fn card_round_trips(store: &Store) {
    let gateway = store.start();
    let draft = json!({ "name": "support", "card": card(), "tier": "premium", "owner": "ops" });
    let answer = post(&gateway, ALICE, "/v1/agents/from-card", &draft);
    let agent = answer.json();
    let id = agent["id"].as_str().unwrap();
    assert_eq!((answer.status, answer.field("location")), (201, Some(&*format!("/v1/agents/{id}"))));
    assert_eq!(agent["capabilities"], json!(["billing", "refund"]));
    assert_eq!(
        (&agent["display_name"], &agent["tier"], &agent["owner"]),
        (&json!("Support"), &json!("premium"), &json!("ops"))
    );
    assert_eq!(agent["endpoint"], "https://agents.example/a2a");
    let got = ask(&gateway, ALICE, "GET", &format!("/v1/agents/{id}/card"));
    assert_eq!((got.field("content-type"), got.json()), (Some("application/json"), card()));
    assert_eq!(post(&gateway, ALICE, "/v1/agents/from-card", &draft).status, 200, "the same again");
    assert_eq!(
        ask(&gateway, BOB, "GET", &format!("/v1/agents/{id}/card")).problem(),
        "gateway:no-such-agent"
    );
    // Another tenant can register the same card.
    let other = json!({ "name": "other", "card": got.json() });
    assert_eq!(post(&gateway, BOB, "/v1/agents/from-card", &other).status, 201);
}

fn card_follows_the_agent(store: &Store) {
    let gateway = store.start();
    let made =
        post(&gateway, ALICE, "/v1/agents/from-card", &json!({ "name": "support", "card": card() })).json();
    let id = made["id"].as_str().unwrap();
    let change =
        json!({ "description": "Helps", "endpoint": "https://new.example/", "card": { "iconUrl": null } });
    assert_eq!(patch(&gateway, ALICE, id, "\"1\"", &change).status, 200);
    let mut expected = card();
    expected["description"] = json!("Helps");
    expected["supportedInterfaces"][0]["url"] = json!("https://new.example/");
    expected.as_object_mut().unwrap().remove("iconUrl");
    assert_eq!(ask(&gateway, ALICE, "GET", &format!("/v1/agents/{id}/card")).json(), expected);

    let id = register(&gateway, ALICE, &json!({ "name": "plain", "capabilities": ["chat"] }));
    let card = ask(&gateway, ALICE, "GET", &format!("/v1/agents/{id}/card")).json();
    assert_eq!((&card["name"], &card["skills"][0]["id"]), (&json!("plain"), &json!("chat")));
}

fn rejects_invalid_cards(store: &Store) {
    let gateway = store.start();
    let refused = |change: fn(&mut Value), kind: &str| {
        let mut draft = json!({ "name": "support", "card": card() });
        change(&mut draft);
        let answer = post(&gateway, ALICE, "/v1/agents/from-card", &draft);
        assert_eq!((answer.status, answer.problem()), (422, format!("gateway:{kind}")), "{answer:?}");
        assert!(!answer.body.contains("marker"));
        answer.json()
    };
    refused(|draft| draft["card"]["skills"] = json!("marker"), "wrong-shape");
    refused(|draft| draft["marker"] = json!(1), "wrong-shape");
    refused(|draft| drop(draft.as_object_mut().unwrap().remove("card")), "wrong-shape");
    let problem =
        refused(|draft| draft["card"]["supportedInterfaces"][0]["url"] = json!("marker"), "agent-form");
    assert_eq!((&problem["member"], &problem["rule"]), (&json!("endpoint"), &json!("is no URL")));
    let problem = refused(|draft| draft["card"]["version"] = json!("marker".repeat(6)), "agent-form");
    assert_eq!((&problem["member"], &problem["rule"]), (&json!("version"), &json!("has more than 32 bytes")));
    let problem = refused(|draft| draft["card"]["x"] = json!("\0marker"), "agent-form");
    assert_eq!(problem["member"], "card");
}
