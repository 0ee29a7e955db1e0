//! Sessions of the page: sign-in, sign-out and expiry.

use super::{cookie_of, form, is_form, page, sign_in, try_to_sign_in};
use crate::support::agents::call;
use crate::support::call::Call;
use crate::support::process::{Gateway, wait_for};
use crate::support::store::{Store, on_each_store};
use crate::support::{ACME, GLOBEX, INITECH, NOBODY, PLATFORM};
use crate::support::{ALICE, BOB, OPERATOR};

on_each_store![
    page_without_session_is_the_sign_in_form,
    rejects_foreign_and_absent_tenants_alike,
    members_learn_what_is_wrong_with_the_tenant,
    sign_in_accepts_slug_and_id,
    page_of_a_suspended_tenant_is_not_shown,
    session_ends_at_sign_out,
];

fn page_without_session_is_the_sign_in_form(store: &Store) {
    let gateway = store.start();
    let answer = Call::get("/").send(gateway.address);
    assert!(is_form(&answer), "{answer:?}");
    assert_eq!(answer.field("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(answer.field("set-cookie"), None);
    for cookie in ["", "__Host-gateway", "__Host-gateway=", "__Host-gateway=demo-alice", "gateway=demo-alice"]
    {
        assert_eq!(page(&gateway, cookie, ""), answer, "{cookie}");
    }
    assert_eq!(page(&gateway, &format!("__Host-gateway={}", "0".repeat(64)), "?status=draft"), answer);
    // A cookie with a token or with the name that is used with TLS is not a session.
    let cookie = sign_in(&gateway, ALICE);
    let (name, id) = cookie.split_once('=').expect("a cookie");
    assert!(name == "__Host-gateway" && id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(page(&gateway, &format!("gateway={id}"), ""), answer);
    assert_eq!(
        page(&gateway, &format!("{cookie}; {cookie}"), ""),
        answer,
        "one of them may be somebody else's"
    );
    assert!(!is_form(&page(&gateway, &cookie, "")));
}

fn rejects_foreign_and_absent_tenants_alike(store: &Store) {
    let gateway = store.start();
    let refused = try_to_sign_in(&gateway, "demo-alice", NOBODY);
    assert_eq!((refused.status, refused.field("set-cookie")), (403, None));
    for tenant in [GLOBEX, PLATFORM, "globex", "platform", "nobody", "", "no%20slug", "%00"] {
        assert_eq!(try_to_sign_in(&gateway, "demo-alice", tenant), refused, "{tenant}");
    }
    let unknown = try_to_sign_in(&gateway, "demo-nobody", NOBODY);
    assert_eq!((unknown.status, unknown.field("set-cookie")), (401, None));
    for tenant in [ACME, INITECH, GLOBEX, "acme", "globex", "nobody", ""] {
        assert_eq!(try_to_sign_in(&gateway, "demo-nobody", tenant), unknown, "{tenant}");
    }
    assert_eq!(try_to_sign_in(&gateway, "", ACME), unknown);
}

fn members_learn_what_is_wrong_with_the_tenant(store: &Store) {
    let gateway = store.start();
    for tenant in [INITECH, "initech"] {
        let answer = try_to_sign_in(&gateway, "demo-alice", tenant);
        assert_eq!((answer.status, cookie_of(&answer)), (403, None));
        assert!(answer.body.contains("role=\"alert\"") && answer.body.contains("suspended"), "{answer:?}");
    }
    for tenant in [NOBODY, "nobody"] {
        assert_eq!(try_to_sign_in(&gateway, "demo-operator", tenant).status, 404);
    }
}

fn sign_in_accepts_slug_and_id(store: &Store) {
    let gateway = store.start();
    for (token, tenant) in [
        ("demo-alice", "acme"),
        ("demo-alice", ACME),
        ("+demo-alice+", "+acme+"),
        ("demo-alice", "550E8400E29B41D4A716446655440000"),
        ("demo-operator", "acme"),
    ] {
        let answer = try_to_sign_in(&gateway, token, tenant);
        assert_eq!(answer.status, 303, "{tenant}: {answer:?}");
        let page = page(&gateway, &cookie_of(&answer).unwrap(), "");
        assert!(page.body.contains("<h1>Agents of acme</h1>"), "{page:?}");
    }
}

fn page_of_a_suspended_tenant_is_not_shown(store: &Store) {
    let gateway = store.start();
    let (cookie, other) = (sign_in(&gateway, BOB), sign_in(&gateway, ALICE));
    assert_eq!(page(&gateway, &cookie, "").status, 200);
    let suspend = call(OPERATOR, "POST", &format!("/v1/tenants/{GLOBEX}/suspend")).send(gateway.address);
    assert_eq!(suspend.status, 200);
    let answer = page(&gateway, &cookie, "");
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("suspended") && !answer.body.contains("<table"), "{answer:?}");
    assert_eq!(page(&gateway, &other, "").status, 200);
    // A user can sign out although the tenant is suspended.
    assert_eq!(form("/sign-out", "").field("Cookie", &cookie).send(gateway.address).status, 303);
    let resume = call(OPERATOR, "POST", &format!("/v1/tenants/{GLOBEX}/resume")).send(gateway.address);
    assert_eq!(resume.status, 200);
    assert!(is_form(&page(&gateway, &cookie, "")));
}

fn session_ends_at_sign_out(store: &Store) {
    let gateway = store.start();
    let (cookie, other) = (sign_in(&gateway, ALICE), sign_in(&gateway, ALICE));
    let answer = form("/sign-out", "").field("Cookie", &cookie).send(gateway.address);
    assert_eq!((answer.status, answer.field("location")), (303, Some("/")));
    let gone = answer.field("set-cookie").expect("a field");
    assert!(gone.starts_with("__Host-gateway=; Path=/; Max-Age=0;"), "{gone}");
    assert!(is_form(&page(&gateway, &cookie, "")), "who kept the cookie has nothing by it");
    assert!(!is_form(&page(&gateway, &other, "")));
    // A second sign-in replaces the session of the browser.
    let again =
        form("/sign-in", "token=demo-alice&tenant=acme").field("Cookie", &other).send(gateway.address);
    assert_eq!(again.status, 303);
    assert!(is_form(&page(&gateway, &other, "")));
    assert!(!is_form(&page(&gateway, &cookie_of(&again).unwrap(), "")));
}

#[test]
fn session_expires() {
    let gateway = Gateway::with(&["--rate", "0", "--session", "1"]);
    let cookie = sign_in(&gateway, ALICE);
    // Requests do not extend the session.
    let ended = wait_for(|| is_form(&page(&gateway, &cookie, "")).then_some(()));
    assert!(ended.is_some());
}

#[test]
fn page_requests_count_against_the_rate_limit() {
    let gateway = Gateway::with(&["--rate", "1", "--burst", "3"]);
    let cookie = sign_in(&gateway, ALICE);
    let mut statuses = (0..20).map(|_| page(&gateway, &cookie, ""));
    let limited = statuses.find(|answer| answer.status == 429).expect("a limit");
    assert!(limited.field("retry-after").is_some() && limited.body.contains("role=\"alert\""), "{limited:?}");
}

#[test]
fn log_names_the_caller_without_token_or_cookie() {
    let gateway = Gateway::start();
    let cookie = sign_in(&gateway, ALICE);
    assert_eq!(page(&gateway, &cookie, "").status, 200);
    assert_eq!(form("/sign-out", "").field("Cookie", &cookie).send(gateway.address).status, 303);
    let log = gateway.stderr.with("/sign-out");
    let line = log.lines().find(|line| line.contains("path=\"/\"")).expect("a line");
    assert!(line.contains("alice") && line.contains(ACME), "{line}");
    let id = cookie.split_once('=').unwrap().1;
    assert!(!log.contains(id) && !log.contains("demo-alice"), "{log}");
}
