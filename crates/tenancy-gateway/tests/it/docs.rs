//! The commands and the file in the README and in `docs/gateway` work as printed.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tenancy_gateway::principals::PrincipalsFile;
use tenancy_testkit::process::unused_port;
use tenancy_testkit::{PgServer, RedisServer};

use crate::support::process::{Gateway, prepared, run};

/// Stands in for `cargo run -p tenancy-gateway [-- ARGUMENTS]`: it does not build, and ends a gateway that has started.
const CARGO: &str = r#"#!/bin/sh
[ "$1 $2 $3" = "run -p tenancy-gateway" ] || exit 99
shift 3
[ "$1" = -- ] && shift
[ $# -gt 0 ] && exec "$GATEWAY" "$@"
GATEWAY_LISTEN=127.0.0.1:0 "$GATEWAY" >output &
until grep -q "^Press Ctrl-C" output; do
    kill -0 $! || exit 98
    sleep 0.05
done
kill -TERM $!
wait $!
"#;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn guide(name: &str) -> String {
    let path = root().join("docs/gateway").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn readme() -> String {
    fs::read_to_string(root().join("crates/tenancy-gateway/README.md")).expect("the README")
}

/// Returns the blocks of a language.
fn blocks<'t>(text: &'t str, language: &str) -> Vec<&'t str> {
    let begin = format!("\n```{language}\n");
    text.split(&begin).skip(1).map(|rest| rest.split("\n```").next().expect("an end")).collect()
}

/// Runs the shell blocks of a text in a folder, with replaced addresses.
fn run_blocks(text: &str, folder: &Path, replacements: &[(&str, &str)]) {
    let bin = folder.join("bin");
    fs::create_dir_all(&bin).expect("a folder");
    fs::write(bin.join("cargo"), CARGO).expect("written");
    fs::set_permissions(bin.join("cargo"), fs::Permissions::from_mode(0o755)).expect("executable");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("a search path"));
    let blocks = blocks(text, "sh");
    assert!(!blocks.is_empty(), "{text}");
    for block in blocks {
        let mut script = block.to_owned();
        for (from, to) in replacements {
            assert!(script.contains(from), "no {from:?} in {script}");
            script = script.replace(from, to);
        }
        let mut shell = prepared(Command::new("sh"));
        shell.args(["-euc", &script]).current_dir(folder).env("PATH", &path);
        shell.env("GATEWAY", env!("CARGO_BIN_EXE_gateway")).env_remove("GATEWAY_MEMORY");
        let (code, stdout, stderr) = run(shell);
        assert_eq!(code, Some(0), "{script}\n{stdout}{stderr}");
    }
}

#[test]
fn every_guide_with_commands_is_tested() {
    let folder = root().join("docs/gateway");
    let names = fs::read_dir(folder).expect("the guides").map(|entry| entry.unwrap().file_name());
    let names: BTreeSet<_> = names
        .map(|name| name.into_string().unwrap())
        .filter(|name| !blocks(&guide(name), "sh").is_empty())
        .collect();
    let tested = ["agents.md", "auth.md", "notes.md", "postgres.md", "redis.md", "transfer.md"];
    assert_eq!(names, tested.map(str::to_owned).into());
}

#[test]
fn commands_of_the_readme_and_of_the_transfer_guide_work() {
    let folder = tempfile::tempdir().unwrap();
    run_blocks(&readme(), folder.path(), &[]);
    // The README's gateway has created the folder that is exported.
    run_blocks(&guide("transfer.md"), folder.path(), &[]);
    assert!(folder.path().join("acme.ndjson").exists() && folder.path().join("another-folder").is_dir());
}

#[test]
fn principals_file_of_the_guide_is_valid() {
    let guide = guide("auth.md");
    let [file] = blocks(&guide, "json")[..] else { panic!("one file") };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("principals.json");
    fs::write(&path, file).unwrap();
    let census = PrincipalsFile::read(&path).expect("valid");
    assert_eq!(census.tenants.len(), 1);
    assert!(census.principals.of_token(b"a-long-random-secret").is_some());
}

#[test]
#[ignore = "needs curl; cargo xtask test runs it"]
fn curl_lines_of_the_guides_work() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = Gateway::start();
    let address = gateway.address.to_string();
    for name in ["auth.md", "notes.md", "agents.md"] {
        let guide = guide(name).replace("\ncurl ", "\ncurl -sS --fail -m 20 ");
        run_blocks(&guide, folder.path(), &[("127.0.0.1:8080", &address)]);
    }
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn commands_of_the_postgres_guide_work() {
    let folder = tempfile::tempdir().unwrap();
    let port = unused_port().unwrap().to_string();
    let options = PgServer::options().setting("listen_addresses", "127.0.0.1").setting("port", &port);
    let _server = options.start().expect("a server");
    run_blocks(&guide("postgres.md"), folder.path(), &[("127.0.0.1/", &format!("127.0.0.1:{port}/"))]);
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn commands_of_the_redis_guide_work() {
    let folder = tempfile::tempdir().unwrap();
    let port = unused_port().unwrap().to_string();
    let options = RedisServer::options().password("password").setting("port", &port);
    let _server = options.setting("bind", "127.0.0.1").start().expect("a server");
    run_blocks(&guide("redis.md"), folder.path(), &[("127.0.0.1:6379", &format!("127.0.0.1:{port}"))]);
}
