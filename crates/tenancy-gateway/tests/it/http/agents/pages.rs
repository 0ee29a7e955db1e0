//! Lists of agents: filters and pages.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::agents::{active, ask, names, register};
use crate::support::call::Answer;
use crate::support::process::Gateway;
use crate::support::store::{Store, on_each_store};
use crate::support::{ALICE, BOB, OPERATOR};

on_each_store![
    filtered_lists_have_pages,
    page_has_at_most_256_kib,
    lists_are_complete_at_any_page_size,
    rejects_invalid_queries,
];

fn list(gateway: &Gateway, query: &str) -> Answer {
    ask(gateway, ALICE, "GET", &format!("/v1/agents{query}"))
}

/// Reads all pages and returns the names.
fn all(gateway: &Gateway, path: &str, filter: &str, limit: usize) -> Vec<String> {
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = ask(gateway, ALICE, "GET", &format!("{path}?limit={limit}{filter}{after}")).json();
        assert!(names(&page).len() <= limit);
        seen.extend(names(&page).into_iter().map(str::to_owned));
        match &page["next"] {
            Value::Null => return seen,
            next => after = format!("&after={}", next.as_str().unwrap()),
        }
    }
}

fn lists_are_complete_at_any_page_size(store: &Store) {
    let gateway = store.with(&["--rate", "0"]);
    let wanted: Vec<_> = (0..60).map(|n| format!("a{n}")).collect();
    for name in &wanted {
        register(&gateway, ALICE, &json!({ "name": name }));
    }
    let page = list(&gateway, "?limit=200").json();
    assert_eq!((names(&page), &page["next"]), (wanted.iter().map(String::as_str).collect(), &Value::Null));
    for limit in [50, 51, 59, 60] {
        assert_eq!(names(&list(&gateway, &format!("?limit={limit}")).json()), wanted[..limit]);
        assert_eq!(all(&gateway, "/v1/agents", "", limit), wanted, "{limit}");
    }
}

fn filtered_lists_have_pages(store: &Store) {
    let gateway = store.start();
    register(&gateway, BOB, &json!({ "name": "another-s", "capabilities": ["even"] }));
    active(
        &gateway,
        OPERATOR,
        &json!({ "name": "shared", "visibility": "shared", "capabilities": ["even"] }),
    );
    for n in 0..12 {
        let tag = if n % 2 == 0 { "even" } else { "odd" };
        let tier = ["basic", "standard", "premium"][n % 3];
        let agent = json!({ "name": format!("a{n}"), "capabilities": [tag, "all"], "tier": tier });
        if n < 3 {
            active(&gateway, ALICE, &agent)
        } else {
            register(&gateway, ALICE, &agent)
        };
    }
    let last = register(&gateway, ALICE, &json!({ "name": "gone" }));
    assert_eq!(ask(&gateway, ALICE, "DELETE", &format!("/v1/agents/{last}")).status, 204);

    let expected = [
        ("", 13),
        ("&status=draft", 9),
        ("&status=active", 4),
        ("&status=deleted", 1),
        ("&capability=even", 7),
        ("&capability=none", 0),
        ("&tier=premium", 4),
        ("&tier=standard", 5),
        ("&visibility=shared", 1),
        ("&visibility=private&capability=even&tier=basic", 2),
    ];
    for (filter, number) in expected {
        for limit in [1, 2, 5, 200] {
            let seen = all(&gateway, "/v1/agents", filter, limit);
            assert_eq!(seen.len(), number, "{filter} by {limit}: {seen:?}");
            assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), number);
        }
        let count =
            ask(&gateway, ALICE, "GET", &format!("/v1/agents/count?{}", filter.trim_start_matches('&')));
        assert_eq!(count.json(), json!({ "count": number }), "{filter}");
    }
    assert_eq!(all(&gateway, "/v1/agents/find", "&capability=even", 1), ["shared", "a0", "a2"]);
    assert_eq!(names(&list(&gateway, "?limit=2").json()), ["shared", "a0"]);
}

fn page_has_at_most_256_kib(store: &Store) {
    let gateway = store.start();
    for n in 0..6 {
        let card = json!({ "text": "x".repeat(60 * 1024) });
        register(&gateway, ALICE, &json!({ "name": format!("a{n}"), "card": card }));
    }
    let page = list(&gateway, "");
    assert_eq!(names(&page.json()), ["a0", "a1", "a2", "a3"]);
    assert!(page.body.len() < 256 * 1024);
    let rest = list(&gateway, &format!("?after={}", page.json()["next"].as_str().unwrap())).json();
    assert_eq!((names(&rest), &rest["next"]), (vec!["a4", "a5"], &json!(null)));
}

fn rejects_invalid_queries(store: &Store) {
    let gateway = store.start();
    let queries = [
        "?limit=0",
        "?limit=201",
        "?limit=x",
        "?after=x",
        "?limt=1",
        "?status=",
        "?status=Active",
        "?status=none",
        "?capability=A",
        "?capability=",
        "?tier=gold",
        "?visibility=public",
        "?status=draft&status=active",
        "?tenant=550e8400-e29b-41d4-a716-446655440000",
        "/count?limit=1",
        "/count?after=11111111-2222-4333-8444-555555555555",
        "/count?status=x",
        "/find",
        "/find?capability=",
        "/find?capability=a&status=draft",
        "/find?capability=a&limit=0",
    ];
    for query in queries {
        let answer = list(&gateway, query);
        assert_eq!((answer.status, answer.problem()), (400, "gateway:malformed-query".to_owned()), "{query}");
    }
    assert_eq!(list(&gateway, "?limit=200&after=11111111-2222-4333-8444-555555555555").status, 200);
}
