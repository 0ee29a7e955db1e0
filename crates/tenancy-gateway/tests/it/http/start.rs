//! Options and errors at the start.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;

use crate::support::call::Call;
use crate::support::process::{self, Gateway, command};
use crate::support::{ACME, GLOBEX};

const TOKEN: &str = "s3cret-of-alice";

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    process::run(command(arguments))
}

fn file(name: &str, text: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).expect("written");
    path
}

fn census(tenants: &str, principals: &str) -> String {
    format!(r#"{{"tenants":[{tenants}],"principals":[{principals}]}}"#)
}

fn tenant(id: &str, slug: &str) -> String {
    format!(r#"{{"id":"{id}","slug":"{slug}","status":"active"}}"#)
}

fn principal(name: &str, token: &str, tenants: &str) -> String {
    format!(r#"{{"name":"{name}","token":"{token}","tenants":{tenants}}}"#)
}

#[test]
fn refuses_to_serve_demo_tokens_to_other_machines() {
    let demo = file("demo-token.json", &census("", &principal("x", "demo-bob", "\"all\"")));
    let demo = demo.to_str().unwrap();
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        for arguments in [&["--listen", listen][..], &["--listen", listen, "--principals", demo]] {
            let (code, stdout, stderr) = run(arguments);
            assert_eq!((code, stdout.as_str()), (Some(1), ""));
            assert!(stderr.contains("tokens are public") && stderr.contains("--principals"), "{stderr}");
        }
    }
}

#[test]
fn own_tokens_are_served_everywhere_and_never_printed() {
    let alice = principal("alice", TOKEN, &format!("[\"{ACME}\"]"));
    let path = file("own.json", &census(&tenant(ACME, "own"), &alice));
    let gateway = Gateway::with(&["--listen", "0.0.0.0:0", "--principals", path.to_str().unwrap()]);
    let ask = |token| {
        let call = Call::get("/v1/whoami").field("Authorization", &format!("Bearer {token}")).of(ACME);
        call.send(gateway.address)
    };
    assert_eq!(ask(TOKEN).json()["slug"], "own");
    assert_eq!(ask("demo-alice").status, 401);
    let stdout = gateway.stdout.text();
    assert!(
        stdout.contains("\"Authorization: Bearer $TOKEN\"") && stdout.contains("http://127.0.0.1:"),
        "{stdout}"
    );
    assert!(!stdout.contains(TOKEN) && !gateway.stderr.text().contains(TOKEN));
}

#[test]
fn names_an_invalid_principals_file_and_its_fault() {
    let (acme, globex) = (tenant(ACME, "acme"), tenant(GLOBEX, "globex"));
    let of_acme = format!("[\"{ACME}\"]");
    let alice = principal("alice", TOKEN, &of_acme);
    let cases = [
        ("{", "EOF"),
        ("{}", "missing field `tenants`"),
        (&census(&acme, &alice).replace("\"name\"", "\"nam\""), "unknown field `nam`"),
        (&census(&acme, "").replace("active", "asleep"), "unknown variant `asleep`"),
        (&census(&tenant("550e8400", "acme"), ""), "invalid tenant id"),
        (&census(&tenant("00000000-0000-0000-0000-000000000000", "acme"), ""), "invalid tenant id"),
        (&census(&tenant(ACME, "Acme"), ""), "invalid tenant slug"),
        (&census(&format!("{acme},{}", tenant(ACME, "other")), ""), "two tenants have the id 550e8400"),
        (&census(&format!("{acme},{}", tenant(GLOBEX, "acme")), ""), "two tenants have the slug acme"),
        (&census(&acme, &format!("{alice},{alice}")), "two principals have the name \"alice\""),
        (&census(&acme, &format!("{alice},{}", principal("bob", TOKEN, &of_acme))), "token of another"),
        (&census(&acme, &principal("alice", "s3cret with spaces", &of_acme)), "a token is made of"),
        (
            &census(&acme, &principal("alice", TOKEN, "\"most\"")),
            "expected a list of tenants' ids, or \"all\"",
        ),
        (&census(&acme, &principal("alice", TOKEN, "[\"x\"]")), "invalid tenant id"),
        (&census(&globex, &alice), "which is not in the file"),
    ];
    for (text, expected) in cases {
        let path = file("bad.json", text);
        let (code, stdout, stderr) = run(&["--principals", path.to_str().unwrap()]);
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{text}");
        assert!(stderr.contains("bad.json: ") && stderr.contains(expected), "{expected} in {stderr}");
        assert!(!stderr.contains("s3cret"), "{stderr}");
    }
    let (code, _, stderr) = run(&["--principals", "/nowhere.json"]);
    assert!(code == Some(1) && stderr.contains("/nowhere.json: "), "{stderr}");
}

#[test]
fn names_a_port_in_use_and_the_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let (code, stdout, stderr) = run(&["--listen", &taken.local_addr().unwrap().to_string()]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("is taken") && stderr.contains("--listen 127.0.0.1:0"), "{stderr}");
}

#[test]
fn help_names_every_flag_and_variable() {
    let (code, help, _) = run(&["--help"]);
    assert!(code == Some(0) && help.contains("\n  examples "), "{help}");
    for flag in ["listen", "principals", "rate", "burst", "max-notes", "shutdown-timeout", "log"] {
        assert!(help.contains(&format!("--{flag} ")), "{flag}");
        assert!(help.contains(&format!("GATEWAY_{}", flag.to_uppercase().replace('-', "_"))), "{flag}");
    }
    assert_eq!(run(&["--version"]).1, format!("gateway {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(run(&["--rate", "many"]).0, Some(2));
}

#[test]
fn examples_are_printed_without_a_running_gateway() {
    let (code, demo, stderr) = run(&["examples"]);
    assert_eq!((code, &*stderr), (Some(0), ""));
    assert!(demo.contains("http://127.0.0.1:8080/v1/notes") && demo.contains("Bearer demo-alice"), "{demo}");
    let alice = principal("alice", TOKEN, &format!("[\"{ACME}\"]"));
    let path = file("examples.json", &census(&tenant(ACME, "own"), &alice));
    let (code, own, _) =
        run(&["examples", "--listen", "0.0.0.0:9000", "--principals", path.to_str().unwrap()]);
    assert!(code == Some(0) && own.contains("http://127.0.0.1:9000/v1/notes"), "{own}");
    assert!(own.contains("Bearer $TOKEN") && own.contains(ACME) && !own.contains(TOKEN), "{own}");
    let (code, stdout, stderr) = run(&["examples", "--listen", "127.0.0.1:0"]);
    assert_eq!((code, &*stdout), (Some(1), ""));
    assert!(stderr.contains("port 0") && stderr.contains("--listen"), "{stderr}");
}

#[test]
fn environment_sets_options() {
    let mut command = command(&[]);
    command.env("GATEWAY_LISTEN", "0.0.0.0:0");
    let (code, _, stderr) = process::run(command);
    assert!(code == Some(1) && stderr.contains("tokens are public"), "{stderr}");
}
