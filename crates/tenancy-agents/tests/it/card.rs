//! A2A cards and agents as JSON round-trip.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tenancy::TenantId;
use tenancy_agents::{
    A2aCard, A2aInterface, A2aSkill, Agent, AgentContent, AgentId, AgentStatus, Card, Field,
    InvalidAgentKind, UnixMillis,
};

fn agent(name: &str, content: AgentContent) -> Agent {
    Agent {
        id: AgentId::v7(UnixMillis(1_700_000_000_000), [1; 10]),
        tenant: TenantId::PLATFORM,
        name: name.parse().expect("a name"),
        content,
        status: AgentStatus::Active,
        revision: 3,
        created_at: UnixMillis(1_700_000_000_000),
        updated_at: UnixMillis(1_700_000_000_001),
        last_seen_at: Some(UnixMillis(1_700_000_000_002)),
    }
}

fn text(most: usize) -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![9 => "[ -~]", 1 => Just("é".to_owned()), 1 => Just("\"\\\n".to_owned())],
        0..most,
    )
    .prop_map(|parts| parts.concat())
}

/// Members that the crate does not know.
fn others() -> impl Strategy<Value = Map<String, Value>> {
    let value = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text(8).prop_map(Value::from),
        Just(json!({ "organization": "Example", "url": "https://example.com" })),
    ];
    proptest::collection::btree_map("x[A-Z][a-z]{1,6}", value, 0..4)
        .prop_map(|members| members.into_iter().collect())
}

fn interface() -> impl Strategy<Value = A2aInterface> {
    ("https://[a-z]{1,9}\\.example/[a-z0-9]{0,9}", "JSONRPC|GRPC|HTTP\\+JSON", "0\\.3|1\\.0", others())
        .prop_map(|(url, protocol_binding, protocol_version, others)| A2aInterface {
            url,
            protocol_binding,
            protocol_version,
            others,
        })
}

fn skill() -> impl Strategy<Value = A2aSkill> {
    let tags = proptest::collection::vec("[a-zA-Z ]{0,40}", 0..9);
    ("[a-z]{1,9}", text(12), text(20), tags, others())
        .prop_map(|(id, name, description, tags, others)| A2aSkill { id, name, description, tags, others })
}

fn card() -> impl Strategy<Value = A2aCard> {
    let modes = || proptest::collection::vec("text/plain|application/json|image/png", 0..3);
    let texts = ("[!-~][ -~]{0,30}", text(30), "[0-9.]{0,9}");
    let interfaces = proptest::collection::vec(interface(), 0..3);
    let skills = proptest::collection::vec(skill(), 0..4);
    (texts, interfaces, others(), modes(), modes(), skills, others()).prop_map(
        |(
            (name, description, version),
            supported_interfaces,
            capabilities,
            input,
            output,
            skills,
            others,
        )| A2aCard {
            name,
            description,
            version,
            supported_interfaces,
            capabilities,
            default_input_modes: input,
            default_output_modes: output,
            skills,
            others,
        },
    )
}

proptest! {
    #[test]
    fn a_card_goes_in_and_comes_out_the_same(card in card()) {
        let content = card.to_content().expect("within the limits");
        prop_assert_eq!(content.display_name.as_str(), &card.name);
        let agent = agent("one", content);
        let out = A2aCard::of(&agent);
        prop_assert_eq!(&out, &card);
        // The card also round-trips as JSON, and as the card of an agent.
        let json = serde_json::to_string(&out).expect("JSON");
        prop_assert_eq!(&serde_json::from_str::<A2aCard>(&json).expect("a card"), &card);
        let json = serde_json::to_string(&agent).expect("JSON");
        let read: Agent = serde_json::from_str(&json).expect("an agent");
        prop_assert_eq!(&read, &agent);
        prop_assert_eq!(A2aCard::of(&read), card);
    }
}

#[test]
fn what_is_said_since_is_in_the_card() {
    let given: A2aCard = serde_json::from_value(json!({
        "name": "Old", "description": "old", "version": "1",
        "supportedInterfaces": [
            { "url": "https://old.example/", "protocolBinding": "GRPC", "protocolVersion": "1.0", "tenant": "t" },
            { "url": "https://other.example/", "protocolBinding": "JSONRPC", "protocolVersion": "1.0" }
        ],
        "capabilities": { "streaming": true }, "defaultInputModes": [], "defaultOutputModes": ["text/plain"],
        "signatures": [{ "protected": "e30", "signature": "x" }],
        "skills": [{ "id": "Not A Tag", "name": "n", "description": "d", "tags": ["billing"], "examples": ["e"] }],
        "iconUrl": "https://old.example/icon.png"
    }))
    .expect("a card");
    let content = given.to_content().expect("within the limits");
    assert_eq!(
        content.capabilities.iter().map(tenancy_agents::Capability::as_str).collect::<Vec<_>>(),
        ["billing"]
    );
    let content = AgentContent {
        description: "new".parse().expect("a text"),
        endpoint: "https://new.example/".parse().expect("a URL"),
        ..content
    };
    let card = A2aCard::of(&agent("one", content));
    assert_eq!(
        (card.description.as_str(), card.supported_interfaces[0].url.as_str()),
        ("new", "https://new.example/")
    );
    let wanted = A2aCard { description: given.description.clone(), ..card.clone() };
    assert_eq!(wanted.supported_interfaces[0].others, given.supported_interfaces[0].others);
    let mut others = given.others.clone();
    assert!(others.remove("signatures").is_some(), "a signature of the old text is removed");
    assert_eq!((wanted.skills, wanted.others), (given.skills.clone(), others));
    let unchanged = given.to_content().expect("within the limits");
    assert_eq!(A2aCard::of(&agent("one", unchanged)), given, "a signature of the present text stays");
}

#[test]
fn what_only_the_card_says_stays_in_it() {
    let given: A2aCard = serde_json::from_value(json!({
        "name": "Support", "description": "Answers", "version": "1.2.0", "supportedInterfaces": [],
        "capabilities": {}, "defaultInputModes": [], "defaultOutputModes": [], "skills": []
    }))
    .expect("a card");
    let card = given.to_content().expect("within the limits").card;
    let alone = AgentContent { card, ..AgentContent::default() };
    assert_eq!(A2aCard::of(&agent("one", alone)), given);
    // A2A requires a name.
    let nameless = A2aCard { name: String::new(), ..given.clone() };
    let content = nameless.to_content().expect("within the limits");
    assert_eq!(A2aCard::of(&agent("one", content)), A2aCard { name: "one".to_owned(), ..given });
}

#[test]
fn without_a_card_one_is_made() {
    let content = AgentContent {
        capabilities: tenancy_agents::Capabilities::parse(["chat"]).expect("tags"),
        endpoint: "https://agents.example/".parse().expect("a URL"),
        ..AgentContent::default()
    };
    let card = serde_json::to_value(A2aCard::of(&agent("support", content))).expect("JSON");
    let wanted = json!({
        "name": "support", "description": "", "version": "",
        "supportedInterfaces": [
            { "url": "https://agents.example/", "protocolBinding": "JSONRPC", "protocolVersion": "1.0" }
        ],
        "capabilities": {}, "defaultInputModes": ["text/plain"], "defaultOutputModes": ["text/plain"],
        "skills": [{ "id": "chat", "name": "chat", "description": "chat", "tags": ["chat"] }]
    });
    assert_eq!(card, wanted);
}

#[test]
fn what_does_not_fit_is_said_and_nothing_is_cut() {
    let card = |member: &str, value: Value| {
        let mut card =
            serde_json::to_value(A2aCard::of(&agent("one", AgentContent::default()))).expect("JSON");
        card[member] = value;
        serde_json::from_value::<A2aCard>(card).expect("a card").to_content().expect_err("too long")
    };
    let error = card("description", "d".repeat(4097).into());
    assert_eq!((error.field, error.kind), (Field::Description, InvalidAgentKind::TooLong { limit: 4096 }));
    assert_eq!(error.to_string(), "description has more than 4096 bytes");
    let error = card("x", "d".repeat(Card::LIMIT).into());
    assert_eq!((error.field, error.kind), (Field::Card, InvalidAgentKind::TooLong { limit: Card::LIMIT }));
    for url in ["javascript://x/%0aalert(1)", "JavaScript://x", "://x", "1a://x", "https://", "https://a b"] {
        assert_eq!(tenancy_agents::Endpoint::parse(url), Err(InvalidAgentKind::Url), "{url}");
    }
}

#[test]
fn an_agent_is_flat_json_and_what_is_not_known_is_refused() {
    let json = serde_json::to_value(agent("one", AgentContent::default())).expect("JSON");
    let wanted = json!({
        "id": "018bcfe5-6800-7101-8101-010101010101", "tenant": "00000000-0000-0000-0000-000000000001", "name": "one",
        "display_name": "", "description": "", "version": "", "tier": "standard", "visibility": "private",
        "capabilities": [], "endpoint": "", "owner": "", "card": null, "status": "active", "revision": 3,
        "created_at": "2023-11-14T22:13:20Z", "updated_at": "2023-11-14T22:13:20.001Z",
        "last_seen_at": "2023-11-14T22:13:20.002Z"
    });
    assert_eq!(json, wanted);
    let mut unknown = wanted.clone();
    unknown["tenant_id"] = json!("550e8400-e29b-41d4-a716-446655440000");
    assert!(serde_json::from_value::<Agent>(unknown).is_err());
    assert!(serde_json::from_value::<AgentContent>(json!({ "status": "active" })).is_err());
    assert!(serde_json::from_str::<AgentContent>(r#"{ "tier": "basic", "tier": "premium" }"#).is_err());
    assert_eq!(
        serde_json::from_value::<AgentContent>(json!({})).expect("nothing is said"),
        AgentContent::default()
    );
}

#[test]
fn hostile_cards_are_refused() {
    let deep = format!("{}{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000));
    for text in ["", "[]", "null", "1", "{", r#"{"a":1}x"#, &deep] {
        assert_eq!(Card::parse(text), Err(InvalidAgentKind::Json), "{}", &text[..text.len().min(20)]);
    }
    for text in [r#"{"a":"\u0000"}"#, r#"{"\u0000":1}"#, r#"{"a":[{"b":"x\u0000"}]}"#] {
        assert_eq!(Card::parse(text), Err(InvalidAgentKind::Character), "{text}");
    }
    assert!(Card::parse(r#"{"a":"\\u0000"}"#).is_ok(), "six characters, and none of them U+0000");
    let nested = |levels: usize| format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
    assert!(Card::parse(&nested(Card::DEPTH)).is_ok());
    assert_eq!(Card::parse(&nested(Card::DEPTH + 1)), Err(InvalidAgentKind::TooDeep { limit: Card::DEPTH }));
    let lists = format!(r#"{{"a":{}{}}}"#, "[".repeat(Card::DEPTH), "]".repeat(Card::DEPTH));
    assert_eq!(Card::parse(&lists), Err(InvalidAgentKind::TooDeep { limit: Card::DEPTH }));
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(Card::LIMIT));
    assert_eq!(Card::parse(&long), Err(InvalidAgentKind::TooLong { limit: Card::LIMIT }));
}

#[test]
fn a_url_that_is_code_is_refused() {
    let with_url = |url: &str| {
        let mut card = A2aCard::of(&agent("one", AgentContent::default()));
        card.supported_interfaces =
            serde_json::from_value(json!([{ "url": url, "protocolBinding": "x", "protocolVersion": "1" }]))
                .expect("an interface");
        card.to_content().expect_err("code")
    };
    for url in ["javascript:alert(1)", "JAVASCRIPT://x", "x"] {
        let error = with_url(url);
        assert_eq!((error.field, error.kind), (Field::Endpoint, InvalidAgentKind::Url), "{url}");
    }
}

#[test]
fn a_stored_card_that_is_not_a2a_is_not_passed_on() {
    let stored = json!({
        "name": "Support", "description": "", "version": "1", "supportedInterfaces": [],
        "capabilities": { "streaming": "yes" }, "defaultInputModes": [], "defaultOutputModes": [], "skills": []
    });
    let card = Card::from_object(stored.as_object().expect("an object").clone()).expect("a card");
    let content = AgentContent { card: Some(card), ..AgentContent::default() };
    let card = A2aCard::of(&agent("one", content));
    assert_eq!((card.name.as_str(), &card.capabilities), ("one", &Map::new()));
}

#[tokio::test]
async fn a_change_of_a_signed_card_removes_its_signatures() {
    use tenancy::TenantFutureExt;
    static STORE: tenancy_agents::FixedStore<2> = tenancy_agents::FixedStore::new();
    let registry =
        tenancy_agents::AgentRegistry::new(&STORE, tenancy_agents::SystemClock, tenancy_agents::RandomIds);
    let signed = json!({
        "name": "Support", "description": "", "version": "1", "supportedInterfaces": [],
        "capabilities": {}, "defaultInputModes": [], "defaultOutputModes": [], "skills": [],
        "signatures": [{ "protected": "e30", "signature": "x" }]
    });
    let with = |member: &str, value: Value| {
        let mut card = signed.clone();
        card[member] = value;
        Card::parse(&card.to_string()).expect("a card")
    };
    let content = AgentContent::new().card(Some(with("version", json!("1"))));
    let change = async {
        let id = registry.register("one".parse().expect("a name"), content).await.expect("a slot").agent.id;
        let update = async |card: Card| {
            let change = move |content: &mut AgentContent| {
                content.card = Some(card.clone());
                Ok::<_, tenancy_agents::AgentError>(())
            };
            let changed = registry.update_with(id, None, change).await.expect("its own");
            changed.content.card.expect("a card").to_object().contains_key("signatures")
        };
        assert!(update(with("version", json!("1"))).await, "the same card");
        assert!(!update(with("iconUrl", json!("https://x.example/"))).await, "the old signatures");
        assert!(update(with("signatures", json!([]))).await, "other signatures");
    };
    change.in_tenant(TenantId::PLATFORM).await;
}
