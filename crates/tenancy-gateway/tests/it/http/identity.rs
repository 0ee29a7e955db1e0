//! Authentication, then authorization for the tenant, then the tenant's status.

use crate::support::call::Call;
use crate::support::store::{Store, on_each_store};
use crate::support::{ACME, GLOBEX, INITECH, NOBODY, PLATFORM};

on_each_store![
    rejects_several_host_headers,
    demo_tokens_reject_other_host_names,
    unknown_callers_learn_nothing_about_tenants,
    only_a_token_that_is_known_is_one,
    health_needs_no_token,
    rejects_foreign_and_absent_tenants_alike,
    members_learn_what_is_wrong_with_the_tenant,
    whoami_shows_caller_and_tenant,
];

/// A proxy could have checked the other one of two headers.
fn rejects_several_host_headers(store: &Store) {
    let gateway = store.start();
    for path in ["/v1/whoami", "/", "/healthz"] {
        for host in ["localhost", "evil.example", "gateway", ""] {
            let call = Call::get_of_host(path, "localhost").field("Host", host).by("alice").of(ACME);
            let refused = call.send(gateway.address);
            assert_eq!((refused.status, refused.problem()), (400, "gateway:several-hosts".to_owned()));
        }
    }
}

/// A web site whose name points to this machine could make browsers send the demo's tokens.
fn demo_tokens_reject_other_host_names(store: &Store) {
    let gateway = store.start();
    for host in ["127.0.0.1:8080", "localhost", "[::1]:8080", "gateway"] {
        let call = Call::get_of_host("/v1/whoami", host).by("alice").of(ACME);
        assert_eq!(call.send(gateway.address).status, 200, "{host}");
    }
    for path in ["/v1/whoami", "/v1/notes", "/", "/healthz"] {
        for host in ["evil.example", "evil.example:8080", "127.0.0.1.evil.example"] {
            let refused = Call::get_of_host(path, host).by("alice").of(ACME).send(gateway.address);
            assert_eq!(
                (refused.status, refused.problem()),
                (421, "gateway:misdirected".to_owned()),
                "{path} {host}"
            );
        }
    }
}

fn unknown_callers_learn_nothing_about_tenants(store: &Store) {
    let gateway = store.start();
    let calls = ["/v1/notes", "/v1/notes/events", "/v1/tenants", "/v1/whoami", "/nowhere"].map(Call::get);
    let expected = calls[0].send(gateway.address);
    assert_eq!(expected.status, 401);
    assert_eq!(expected.problem(), "gateway:unauthenticated");
    assert_eq!(expected.field("www-authenticate"), Some("Bearer realm=\"gateway\""));
    for call in &calls {
        for tenant in [ACME, INITECH, NOBODY, PLATFORM, "acme", "", "00000000-0000-0000-0000-000000000000"] {
            assert_eq!(call.clone().of(tenant).send(gateway.address), expected, "{tenant}");
        }
        assert_eq!(call.clone().of(ACME).of(GLOBEX).send(gateway.address), expected);
    }
}

fn only_a_token_that_is_known_is_one(store: &Store) {
    let gateway = store.start();
    let call = Call::get("/v1/whoami").of(ACME);
    let status = |fields: &[&str]| {
        let call = fields.iter().fold(call.clone(), |call, value| call.field("Authorization", value));
        call.send(gateway.address)
    };
    assert_eq!(status(&["Bearer demo-alice"]).status, 200);
    assert_eq!(status(&["bearer demo-alice"]).status, 200, "a scheme has no case (RFC 9110, section 11.1)");
    let unknown = status(&["Bearer demo-nobody"]);
    assert_eq!(unknown.status, 401);
    assert_eq!(unknown.field("www-authenticate"), Some("Bearer realm=\"gateway\", error=\"invalid_token\""));
    for fields in [
        &["Basic demo-alice"][..],
        &["demo-alice"],
        &["Bearer"],
        &["Bearer "],
        &["Bearer demo-alice demo-bob"],
        &["Bearer demo-alic"],
        &["Bearer demo-alicee"],
        &["Bearer Demo-Alice"],
        &["Bearer demo-alice", "Bearer demo-alice"],
        &[""],
        &["Bearer \u{e9}\u{e9}"],
    ] {
        assert_eq!(status(fields).status, 401, "{fields:?}");
    }
}

fn health_needs_no_token(store: &Store) {
    let gateway = store.start();
    let answer = Call::get("/healthz").send(gateway.address);
    assert_eq!((answer.status, answer.body.as_str()), (200, r#"{"status":"ok"}"#));
    assert_eq!(Call::get("/healthz").of("nonsense").send(gateway.address).status, 200);
    for path in ["/healthz/", "/healthz/x", "//healthz", "/HEALTHZ", "/healthz%2f..%2fv1%2fnotes"] {
        assert_eq!(Call::get(path).send(gateway.address).status, 401, "{path}");
    }
}

fn rejects_foreign_and_absent_tenants_alike(store: &Store) {
    let gateway = store.start();
    for path in ["/v1/notes", "/v1/notes/events", "/v1/tenants", "/nowhere"] {
        let refusals = [GLOBEX, NOBODY, PLATFORM]
            .map(|tenant| Call::get(path).by("alice").of(tenant).send(gateway.address));
        assert_eq!(refusals[0].problem(), "tenancy:tenant-forbidden");
        assert_eq!(refusals[0], refusals[1]);
        assert_eq!(refusals[0], refusals[2]);
    }
}

fn members_learn_what_is_wrong_with_the_tenant(store: &Store) {
    let gateway = store.start();
    let problem = |call: Call| {
        let answer = call.send(gateway.address);
        (answer.status, answer.problem())
    };
    let alice = || Call::get("/v1/notes").by("alice");
    let refused = |status, kind: &str| (status, format!("tenancy:tenant-{kind}"));
    assert_eq!(problem(alice()), refused(400, "missing"));
    assert_eq!(problem(alice().of("acme")), refused(400, "malformed"));
    assert_eq!(problem(alice().of(ACME).of(ACME)), refused(400, "duplicate"));
    assert_eq!(problem(alice().of("00000000-0000-0000-0000-000000000000")), refused(400, "reserved"));
    assert_eq!(problem(alice().of(INITECH)), refused(403, "suspended"));
    assert_eq!(problem(Call::get("/v1/notes").by("operator").of(NOBODY)), refused(404, "unknown"));
}

fn whoami_shows_caller_and_tenant(store: &Store) {
    let gateway = store.start();
    let answer = Call::get("/v1/whoami").by("alice").of(&ACME.to_uppercase()).send(gateway.address);
    let expected = serde_json::json!({ "principal": "alice", "tenant": ACME, "slug": "acme" });
    assert_eq!(answer.json(), expected);
}
