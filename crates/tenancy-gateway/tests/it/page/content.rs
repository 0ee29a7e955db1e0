//! What the page shows to each tenant.

use serde_json::json;

use super::{page, sign_in};
use crate::support::agents::{active, call, register};
use crate::support::store::{Store, on_each_store};
use crate::support::{ALICE, BOB, OPERATOR};

on_each_store![
    page_shows_own_and_shared_agents_only,
    page_counts_and_filters_by_status,
    it_has_pages,
    texts_are_escaped,
];

fn page_shows_own_and_shared_agents_only(store: &Store) {
    let gateway = store.start();
    register(&gateway, ALICE, &json!({ "name": "of-acme", "description": "acme knows" }));
    register(&gateway, BOB, &json!({ "name": "of-globex", "visibility": "shared" }));
    active(&gateway, OPERATOR, &json!({ "name": "of-all", "visibility": "shared" }));
    register(&gateway, OPERATOR, &json!({ "name": "of-none", "visibility": "shared" }));
    let body = |who| page(&gateway, &sign_in(&gateway, who), "").body;
    let (alice, bob, operator) = (body(ALICE), body(BOB), body(OPERATOR));
    let shows = |body: &str| ["of-acme", "of-globex", "of-all", "of-none"].map(|name| body.contains(name));
    assert_eq!(shows(&alice), [true, false, true, false]);
    assert_eq!(shows(&bob), [false, true, true, false]);
    assert_eq!(shows(&operator), [false, false, true, true]);
    assert!(
        alice.contains("acme knows")
            && alice.contains("of-all</span> <span class=\"mark\">shared by the platform")
    );
    assert!(operator.contains("of-all</span> <span class=\"mark\">shared with all"));
    assert!(!bob.contains("of-globex</span> <span class=\"mark\">"), "a tenant has nobody to share with");
    assert!(!alice.contains("<h2 id=\"tenants\">") && operator.contains("<h2 id=\"tenants\">"));
}

fn page_counts_and_filters_by_status(store: &Store) {
    let gateway = store.start();
    let cookie = sign_in(&gateway, ALICE);
    active(&gateway, ALICE, &json!({ "name": "used" }));
    register(&gateway, ALICE, &json!({ "name": "begun-1" }));
    register(&gateway, ALICE, &json!({ "name": "begun-2" }));
    let gone = register(&gateway, ALICE, &json!({ "name": "gone" }));
    let delete = call(ALICE, "DELETE", &format!("/v1/agents/{gone}")).field("If-Match", "*");
    assert!(delete.send(gateway.address).status < 300);
    let show = |query: &str| {
        let body = page(&gateway, &cookie, query).body;
        let names = ["used", "begun-1", "begun-2", "gone"];
        (names.map(|name| body.contains(&format!("\"name\">{name}<"))), body)
    };
    let (all, body) = show("");
    assert_eq!(all, [true, true, true, false]);
    for count in
        ["all <span class=\"count\">3<", "draft <span class=\"count\">2<", "active <span class=\"count\">1<"]
    {
        assert!(body.contains(count), "{count} in {body}");
    }
    assert!(
        body.contains("deleted <span class=\"count\">1<")
            && body.contains("rejected <span class=\"count\">0<")
    );
    assert_eq!(show("?status=draft").0, [false, true, true, false]);
    assert_eq!(show("?status=active").0, [true, false, false, false]);
    assert_eq!(show("?status=deleted").0, [false, false, false, true]);
    assert!(show("?status=suspended").1.contains("No agent is in this state."));
    assert!(
        show("?status=draft").1.contains("id=\"filter-draft\" href=\"/?status=draft\" aria-current=\"page\"")
    );
}

fn it_has_pages(store: &Store) {
    let gateway = store.start();
    let cookie = sign_in(&gateway, ALICE);
    let mut expected: Vec<_> = (0..60).map(|at| format!("agent-{at:02}")).collect();
    for name in &expected {
        register(&gateway, ALICE, &json!({ "name": name }));
    }
    let (mut query, mut found, mut pages) = ("?status=draft".to_owned(), Vec::new(), 0);
    loop {
        let body = page(&gateway, &cookie, &query).body;
        let names = body.split("\"name\">").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned());
        found.extend(names);
        pages += 1;
        let Some((_, rest)) = body.split_once("id=\"next-agents\" href=\"/") else { break };
        query = rest.split('"').next().unwrap().replace("&amp;", "&");
        assert!(query.starts_with("?status=draft&after="), "{query}");
    }
    // Ids that were created in the same millisecond have no order.
    found.sort();
    expected.sort();
    assert_eq!((found, pages), (expected, 3));
}

fn texts_are_escaped(store: &Store) {
    let gateway = store.start();
    let cookie = sign_in(&gateway, ALICE);
    let hostile = "\"'><script>window.hostile=1</script><img src=x onerror=window.hostile=1>&lt;";
    register(
        &gateway,
        ALICE,
        &json!({
            "name": "hostile",
            "display_name": hostile,
            "description": format!("</td></table>{hostile}"),
            "version": "<b>1</b>",
            "endpoint": "https://evil.example/'><b>",
        }),
    );
    let body = page(&gateway, &cookie, "").body;
    assert!(body.contains("&lt;script&gt;window.hostile=1&lt;/script&gt;"), "{body}");
    assert!(body.contains("&amp;lt;") && body.contains("&lt;b&gt;1&lt;/b&gt;"));
    assert_eq!(body.matches("<script").count(), 1);
    for markup in ["<img", "<b>", "\"'>", "onerror=\""] {
        assert!(!body.contains(markup), "{markup} in {body}");
    }
    assert_eq!(body.matches("</table>").count(), 1);
    assert!(body.contains("https://evil.example/") && !body.contains("href=\"http"), "nobody is led away");
}
