//! Methods, header fields, and the page's script and style.

use super::{form, page, sign_in, try_to_sign_in};
use crate::support::ALICE;
use crate::support::call::{Answer, Call, Connection};
use crate::support::process::Gateway;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

fn assert_strict(answer: &Answer) {
    for (name, value) in [
        ("content-security-policy", POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ] {
        let found = answer.fields.iter().filter(|field| field.starts_with(name)).collect::<Vec<_>>();
        assert_eq!(found, [&format!("{name}: {value}")], "{answer:?}");
    }
}

#[test]
fn page_responses_have_strict_security_headers() {
    let gateway = Gateway::start();
    let cookie = sign_in(&gateway, ALICE);
    for answer in [
        Call::get("/").send(gateway.address),
        page(&gateway, &cookie, ""),
        page(&gateway, &cookie, "?status=nonsense"),
        try_to_sign_in(&gateway, "demo-alice", "acme"),
        try_to_sign_in(&gateway, "demo-alice", "globex"),
        try_to_sign_in(&gateway, "demo-nobody", "acme"),
        Call::new("POST", "/sign-out").send(gateway.address),
        Call::new("DELETE", "/").send(gateway.address),
        Call::get("/page.js").send(gateway.address),
        Call::get("/page.css").send(gateway.address),
        form("/sign-out", "").field("Cookie", &cookie).send(gateway.address),
    ] {
        assert_strict(&answer);
    }
}

#[test]
fn greeting_and_errors_say_how_to_sign_in() {
    let gateway = Gateway::start();
    let lines =
        format!("  page:     http://{}/\n  sign in:  token demo-alice, tenant acme\n", gateway.address);
    assert!(gateway.stdout.text().contains(&lines), "{}", gateway.stdout.text());
    let unknown = try_to_sign_in(&gateway, "demo-nobody", "acme");
    assert!(
        unknown.body.contains("This token is not known.") && unknown.body.contains("action=\"/sign-in\"")
    );
    assert!(!unknown.body.contains("Authorization") && !unknown.body.contains("demo-nobody"), "{unknown:?}");
}

#[test]
fn page_rejects_invalid_queries() {
    let gateway = Gateway::start();
    let cookie = sign_in(&gateway, ALICE);
    for query in
        ["?status=nonsense", "?after=1", "?tenants_after=x", "?limit=1", "?status=draft&status=draft"]
    {
        let answer = page(&gateway, &cookie, query);
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.body.contains("role=\"alert\"") && !answer.body.contains("nonsense"), "{answer:?}");
    }
}

#[test]
fn page_paths_reject_other_methods() {
    let gateway = Gateway::start();
    let cookie = sign_in(&gateway, ALICE);
    let answer = |method, path| {
        let mut connection = Connection::to(gateway.address);
        connection.write(&Call::new(method, path).field("Cookie", &cookie).bytes());
        connection.answer_head()
    };
    for path in ["/", "/page.js", "/page.css"] {
        assert_eq!((answer("GET", path).status, answer("HEAD", path).status), (200, 200), "{path}");
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let refused = answer(method, path);
            assert_eq!((refused.status, refused.field("allow")), (405, Some("GET, HEAD")), "{method} {path}");
        }
    }
    for path in ["/sign-in", "/sign-out"] {
        for method in ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"] {
            let refused = answer(method, path);
            assert_eq!((refused.status, refused.field("allow")), (405, Some("POST")), "{method} {path}");
        }
    }
    assert_eq!(page(&gateway, &cookie, "").status, 200, "no GET has ended the session");
}

#[test]
fn script_and_style_need_no_session() {
    let gateway = Gateway::start();
    let script = Call::get("/page.js").send(gateway.address);
    assert_eq!(script.field("content-type"), Some("text/javascript; charset=utf-8"));
    let style = Call::get("/page.css").send(gateway.address);
    assert_eq!(style.field("content-type"), Some("text/css; charset=utf-8"));
    assert!(!style.body.contains("url(") && !style.body.contains("@import"));
    // The page has no inline code, which the policy would block.
    let page = page(&gateway, &sign_in(&gateway, ALICE), "");
    assert_eq!(page.body.matches("<script").count(), 1);
    assert!(page.body.contains("<script src=\"/page.js\" defer></script>") && !page.body.contains(" style="));
}
