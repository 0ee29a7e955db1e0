//! Forms of the page are rejected if another site sent them.

use super::{form, is_form, page, sign_in};
use crate::support::ALICE;
use crate::support::call::Call;
use crate::support::process::Gateway;
use crate::support::store::{Store, on_each_store};
use crate::support::{ACME, GLOBEX};

on_each_store![rejects_forms_of_other_sites, api_ignores_cookies];

fn rejects_forms_of_other_sites(store: &Store) {
    let gateway = store.start();
    let cookie = sign_in(&gateway, ALICE);
    let send = |path: &str, fields: &[(&str, &str)]| {
        let call = Call::new("POST", path).field("Cookie", &cookie);
        let call = call.field("Content-Type", "application/x-www-form-urlencoded");
        let call = fields.iter().fold(call, |call, (name, value)| call.field(name, value));
        call.body("token=demo-alice&tenant=acme").send(gateway.address)
    };
    for path in ["/sign-in", "/sign-out"] {
        for fields in [
            &[][..],
            &[("Origin", "http://evil.example")],
            &[("Origin", "http://gateway:8080")],
            &[("Origin", "null")],
            &[("Sec-Fetch-Site", "cross-site"), ("Origin", "http://gateway")],
            &[("Sec-Fetch-Site", "same-site")],
            &[("Sec-Fetch-Site", "none")],
            &[("Referer", "http://gateway/")],
        ] {
            let answer = send(path, fields);
            assert_eq!((answer.status, answer.field("set-cookie")), (403, None), "{path} {fields:?}");
        }
    }
    assert!(!is_form(&page(&gateway, &cookie, "")), "the session is there still");
    assert_eq!(send("/sign-in", &[("Origin", "http://gateway")]).status, 303);
}

fn api_ignores_cookies(store: &Store) {
    let gateway = store.start();
    let cookie = sign_in(&gateway, ALICE);
    for (method, path) in [
        ("GET", "/v1/whoami"),
        ("GET", "/v1/agents"),
        ("POST", "/v1/agents"),
        ("GET", "/v1/notes"),
        ("GET", "/v1/tenants"),
        ("GET", "/nowhere"),
        ("GET", "//"),
        ("GET", "/sign-in/"),
        ("GET", "/page.js/../v1/agents"),
    ] {
        let without = Call::new(method, path).of(ACME).send(gateway.address);
        assert_eq!(without.status, 401, "{path}");
        let with = Call::new(method, path).of(ACME).field("Cookie", &cookie).send(gateway.address);
        assert_eq!(with, without, "{method} {path}");
        let alone = Call::new(method, path).field("Cookie", &cookie).send(gateway.address);
        assert_eq!(alone, without, "{method} {path}");
    }
}

#[test]
fn page_rejects_tokens_and_tenant_headers() {
    let gateway = Gateway::start();
    let cookie = sign_in(&gateway, ALICE);
    let status = |call: Call| call.send(gateway.address).status;
    let home = || Call::get("/").field("Cookie", &cookie);
    assert_eq!(status(home()), 200);
    assert_eq!(status(home().of(GLOBEX)), 400);
    assert_eq!(status(home().of(ACME)), 400);
    assert_eq!(status(home().of("")), 400);
    assert_eq!(status(home().by("bob")), 400);
    assert_eq!(status(home().by("alice").of(ACME)), 400);
    assert_eq!(status(Call::get("/").by("alice").of(ACME)), 400);
    assert_eq!(status(form("/sign-in", "token=demo-alice&tenant=acme").of(GLOBEX)), 400);
    assert_eq!(status(form("/sign-out", "").field("Cookie", &cookie).by("alice")), 400);
    assert_eq!(status(home()), 200);
}

#[test]
fn rejects_invalid_forms() {
    let gateway = Gateway::start();
    let status = |fields: &str| form("/sign-in", fields).send(gateway.address).status;
    for fields in [
        "",
        "token=demo-alice",
        "tenant=acme",
        "token=demo-alice&tenant=acme&more=1",
        "token=demo-alice&token=demo-alice&tenant=acme",
        "{\"token\":\"demo-alice\",\"tenant\":\"acme\"}",
    ] {
        assert_eq!(status(fields), 422, "{fields}");
    }
    let long = format!("token=demo-alice&tenant={}", "a".repeat(5000));
    assert_eq!(status(&long), 422);
    let json = Call::new("POST", "/sign-in").field("Origin", "http://gateway");
    let json = json.json(r#"{"token":"demo-alice","tenant":"acme"}"#);
    assert_eq!(json.send(gateway.address).status, 422);
}
