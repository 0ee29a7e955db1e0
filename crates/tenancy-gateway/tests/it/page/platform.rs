//! The platform's page also shows all tenants and the numbers of their agents.

use serde_json::json;

use super::{page, sign_in};
use crate::support::agents::{active, call, register};
use crate::support::store::{Store, on_each_store};
use crate::support::{ACME, GLOBEX};
use crate::support::{ALICE, BOB, OPERATOR};

on_each_store![platform_page_shows_tenants_with_counts, platform_page_lists_tenants_in_pages];

/// Returns the numbers in a tenant's row: one per state, and the total.
fn numbers(body: &str, tenant: &str) -> Vec<u64> {
    let row = body
        .split("<tr>")
        .skip(1)
        .find(|row| row.contains(tenant))
        .unwrap_or_else(|| panic!("{tenant} in {body}"));
    let cells = row.split("<td class=\"number\">").skip(1);
    cells
        .map(|cell| cell.trim_start_matches("<strong>").split('<').next().unwrap().parse().expect("a number"))
        .collect()
}

fn platform_page_shows_tenants_with_counts(store: &Store) {
    let gateway = store.start();
    active(&gateway, ALICE, &json!({ "name": "used" }));
    register(&gateway, ALICE, &json!({ "name": "begun" }));
    // An agent that a tenant marks as shared is not shared, and counts as the tenant's own.
    active(&gateway, BOB, &json!({ "name": "used", "visibility": "shared" }));
    active(&gateway, OPERATOR, &json!({ "name": "of-all", "visibility": "shared" }));
    active(&gateway, OPERATOR, &json!({ "name": "of-all-too", "visibility": "shared" }));
    let body = page(&gateway, &sign_in(&gateway, OPERATOR), "").body;
    let tenants = body.split("<h2 id=\"agents\">").next().unwrap();
    // Draft, pending approval, active, rejected, suspended, deprecated, total.
    assert_eq!(numbers(tenants, ACME), [1, 0, 1, 0, 0, 0, 2]);
    assert_eq!(numbers(tenants, GLOBEX), [0, 0, 1, 0, 0, 0, 1]);
    assert_eq!(numbers(tenants, ">platform<"), [0, 0, 2, 0, 0, 0, 2]);
    assert_eq!(numbers(tenants, ">initech<"), [0; 7]);
    assert!(tenants.contains("<span class=\"status suspended\">suspended</span>"), "initech");
    // In another tenant, the operator sees what its members see.
    let in_acme = page(&gateway, &sign_in(&gateway, ("operator", ACME)), "").body;
    assert!(!in_acme.contains(GLOBEX) && !in_acme.contains(">initech<"), "{in_acme}");
}

fn platform_page_lists_tenants_in_pages(store: &Store) {
    let gateway = store.start();
    for at in 0..12 {
        let slug = json!({ "slug": format!("tenant-{at}") }).to_string();
        assert_eq!(call(OPERATOR, "POST", "/v1/tenants").json(&slug).send(gateway.address).status, 201);
    }
    let cookie = sign_in(&gateway, OPERATOR);
    let first = page(&gateway, &cookie, "?status=draft").body;
    let (_, link) = first.split_once("id=\"next-tenants\" href=\"/").expect("a next page");
    let link = link.split('"').next().unwrap().replace("&amp;", "&");
    assert!(link.starts_with("?status=draft&tenants_after="), "{link}");
    let second = page(&gateway, &cookie, &link).body;
    let slugs = |body: &str| body.matches("<span class=\"more\"><code>").count();
    assert_eq!((slugs(&first), slugs(&second)), (10, 6));
    assert!(!second.contains("next-tenants") && second.contains("first-tenants"));
}
