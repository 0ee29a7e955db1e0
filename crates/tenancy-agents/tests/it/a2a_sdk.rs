//! Cards are accepted and rejected as by a client of Python's `a2a-sdk`, and arrive there unchanged.
//!
//! `cargo xtask test` installs the package and sets `TENANCY_A2A_PYTHON` to the interpreter that finds it. Without the
//! variable the tests compare with this crate alone.

use std::env;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tenancy_agents::{A2aCard, Agent, AgentContent, AgentId, AgentStatus, UnixMillis};

/// Reads a JSON list of cards. Writes for each what the SDK's client makes of it when a server sends it, or null if it
/// refuses the card.
const CLIENT: &str = r#"
import asyncio, json, sys
import httpx
from a2a.client import A2ACardResolver
from google.protobuf.json_format import MessageToDict

async def fetch(card):
    answer = lambda request: httpx.Response(200, json=card)
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        try:
            return MessageToDict(await A2ACardResolver(client, "http://agents.example").get_agent_card())
        except Exception:
            return None

async def main():
    print(json.dumps([await fetch(card) for card in json.load(sys.stdin)]))

asyncio.run(main())
"#;

/// Returns what the SDK makes of cards, or `None` without the SDK.
fn client(cards: &[Value]) -> Option<Vec<Value>> {
    let python = env::var_os("TENANCY_A2A_PYTHON")?;
    let mut child = Command::new(python)
        .args(["-c", CLIENT])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(json!(cards).to_string().as_bytes()).expect("Python reads");
    drop(input);
    let output = child.wait_with_output().expect("Python ends");
    assert!(output.status.success(), "the client failed");
    Some(serde_json::from_slice(&output.stdout).expect("a list"))
}

/// A card with every member that A2A 1.0 defines.
fn full() -> Value {
    json!({
        "name": "Support", "description": "Answers\nquestions", "version": "1.2.0",
        "supportedInterfaces": [
            { "url": "https://agents.example/a2a", "protocolBinding": "JSONRPC", "tenant": "t", "protocolVersion": "1.0" },
            { "url": "https://agents.example/grpc", "protocolBinding": "GRPC", "protocolVersion": "1.0" }
        ],
        "provider": { "url": "https://example.com", "organization": "Example" },
        "documentationUrl": "https://example.com/docs", "iconUrl": "https://example.com/icon.png",
        "capabilities": {
            "streaming": true, "pushNotifications": true, "extendedAgentCard": true,
            "extensions": [{ "uri": "urn:example:x", "description": "d", "required": true, "params": { "a": [true] } }]
        },
        "securitySchemes": {
            "key": { "apiKeySecurityScheme": { "description": "d", "location": "header", "name": "X-Key" } },
            "http": { "httpAuthSecurityScheme": { "description": "d", "scheme": "Bearer", "bearerFormat": "JWT" } },
            "oauth": { "oauth2SecurityScheme": {
                "oauth2MetadataUrl": "https://example.com/meta",
                "flows": { "authorizationCode": {
                    "authorizationUrl": "https://example.com/auth", "tokenUrl": "https://example.com/token",
                    "refreshUrl": "https://example.com/refresh", "scopes": { "read": "Reads" }, "pkceRequired": true
                } }
            } },
            "device": { "oauth2SecurityScheme": { "flows": { "deviceCode": {
                "deviceAuthorizationUrl": "https://example.com/device", "tokenUrl": "https://example.com/token"
            } } } },
            "oidc": { "openIdConnectSecurityScheme": { "openIdConnectUrl": "https://example.com/oidc" } },
            "tls": { "mtlsSecurityScheme": { "description": "d" } }
        },
        "securityRequirements": [{ "schemes": { "oauth": { "list": ["read"] } } }],
        "defaultInputModes": ["text/plain"], "defaultOutputModes": ["text/plain"],
        "skills": [{
            "id": "refund", "name": "Refund", "description": "Pays back", "tags": ["billing"], "examples": ["e"],
            "inputModes": ["text/plain"], "outputModes": ["text/plain"],
            "securityRequirements": [{ "schemes": { "key": { "list": ["a"] } } }]
        }],
        "signatures": [{ "protected": "e30", "signature": "c2ln", "header": { "kid": "k" } }]
    })
}

/// Returns the full card with another value at a JSON pointer.
fn with(pointer: &str, value: Value) -> Value {
    let mut card = full();
    if let Some(old) = card.pointer_mut(pointer) {
        *old = value;
        return card;
    }
    let (parent, member) = pointer.rsplit_once('/').expect("a pointer");
    card.pointer_mut(parent).expect("the full card has it")[member] = value;
    card
}

/// Returns the pointers of all values below one.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect(),
        _ => Vec::new(),
    };
    for (name, value) in members {
        let at = format!("{at}/{name}");
        pointers(value, &at, found);
        found.push(at);
    }
}

fn agent(content: AgentContent) -> Agent {
    Agent {
        id: AgentId::v7(UnixMillis(0), [1; 10]),
        tenant: tenancy::TenantId::PLATFORM,
        name: "one".parse().expect("a name"),
        content,
        status: AgentStatus::Active,
        revision: 1,
        created_at: UnixMillis(0),
        updated_at: UnixMillis(0),
        last_seen_at: None,
    }
}

/// Returns the card that this crate serves for a card that it was given, or `None` if it rejects the card.
fn served(card: &Value) -> Option<Value> {
    let card: A2aCard = serde_json::from_value(card.clone()).ok()?;
    let content = card.to_content().ok()?;
    Some(serde_json::to_value(A2aCard::of(&agent(content))).expect("JSON"))
}

#[test]
fn a_full_card_arrives_unchanged() {
    let card = served(&full()).expect("a valid card");
    assert_eq!(card, full());
    if let Some(received) = client(&[card]) {
        assert_eq!(received, [full()]);
    }
}

#[test]
fn a_description_of_4_kib_arrives_unchanged() {
    let card = with("/description", "d".repeat(4096).into());
    assert_eq!(served(&card).as_ref(), Some(&card));
    if let Some(received) = client(std::slice::from_ref(&card)) {
        assert_eq!(received, [card]);
    }
}

/// Each value of the full card is replaced by values of all other types.
#[test]
fn every_wrong_type_is_rejected_here_if_the_client_rejects_it() {
    let mut all = Vec::new();
    pointers(&full(), "", &mut all);
    // The values below these are free.
    let free = |at: &String| !at.contains("/params/") && !at.contains("/header/");
    let values = [json!("yes"), json!(true), json!(7), json!({}), json!([]), json!([{}]), json!({ "x": 1 })];
    let variants: Vec<(String, Value)> = all
        .iter()
        .filter(|at| free(at))
        .flat_map(|at| values.iter().map(move |value| (format!("{at} = {value}"), with(at, value.clone()))))
        .collect();
    let cards: Vec<Value> = variants.iter().map(|(_, card)| card.clone()).collect();
    let accepted = cards.iter().filter(|card| served(card).is_some()).count();
    assert!(accepted > 20 && accepted < cards.len() / 2, "{accepted} of {}", cards.len());
    let Some(received) = client(&cards) else { return };
    for ((what, card), received) in variants.iter().zip(received) {
        assert!(served(card).is_none() || !received.is_null(), "the client refuses {what}");
    }
}

#[test]
fn wrong_types_and_urls_that_are_code_are_rejected() {
    for (pointer, value) in [
        ("/capabilities/streaming", json!("yes")),
        ("/signatures", json!({})),
        ("/iconUrl", json!(5)),
        ("/iconUrl", json!("javascript:alert(1)")),
        ("/documentationUrl", json!("javascript://x/%0aalert(1)")),
        ("/provider/url", json!("JavaScript:alert(1)")),
        ("/supportedInterfaces/1/url", json!("javascript:alert(1)")),
        ("/capabilities/extensions/0/uri", json!("javascript:alert(1)")),
        ("/securitySchemes/oidc/openIdConnectSecurityScheme/openIdConnectUrl", json!("data:text/html,x")),
        ("/securitySchemes/tls/apiKeySecurityScheme", json!({})),
        ("/icon_url", json!("https://two.example/")),
        ("/skills/0/examples", json!([1])),
    ] {
        assert_eq!(served(&with(pointer, value.clone())), None, "{pointer} = {value}");
    }
    for (pointer, value) in
        [("/iconUrl", Value::Null), ("/xOther", json!([1])), ("/skills/0/xOther", json!({}))]
    {
        let card = with(pointer, value.clone());
        assert_eq!(served(&card).as_ref(), Some(&card), "{pointer} = {value}");
    }
}
