//! Several instances, and the Redis that they share.

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, process, thread};

use common::call::{Answer, Call};
use common::process::{Gateway, command, run, wait_for};
use common::{ACME, GLOBEX};

/// A server on a unix socket, which ends with the test.
struct Redis {
    child: Child,
    folder: PathBuf,
}

impl Redis {
    fn start(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("tenancy-gateway-{}-{name}", process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let child = Self::spawn(&folder);
        Self { child, folder }
    }

    fn spawn(folder: &std::path::Path) -> Child {
        let _ = fs::remove_file(folder.join("socket"));
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--unixsocket"]).arg(folder.join("socket"));
        command.arg("--dir").arg(folder).stdout(Stdio::null());
        let child = command.spawn().expect("redis-server is installed: `cargo xtask test gateway` does it");
        wait_for(|| folder.join("socket").exists().then_some(())).expect("it listens");
        child
    }

    fn kill(&mut self) {
        self.child.kill().expect("a child");
        self.child.wait().expect("a child");
    }

    fn restart(&mut self) {
        self.child = Self::spawn(&self.folder);
    }

    fn url(&self) -> String {
        format!("unix://{}", self.folder.join("socket").display())
    }

    /// The names of all keys.
    fn keys(&self) -> Vec<String> {
        let mut command = Command::new("redis-cli");
        let listed = command.arg("-s").arg(self.folder.join("socket")).args(["KEYS", "*"]).output();
        String::from_utf8(listed.expect("redis-cli").stdout)
            .expect("text")
            .lines()
            .map(str::to_owned)
            .collect()
    }

    fn gateway(&self, arguments: &[&str]) -> Gateway {
        Gateway::with(&[&["--redis-url", &self.url()], arguments].concat())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // Both fail where it ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn whoami(gateway: &Gateway, principal: &'static str, tenant: &'static str) -> Answer {
    Call::get("/v1/whoami").by(principal).of(tenant).send(gateway.address)
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn two_instances_have_one_limit_for_each_tenant() {
    let redis = Redis::start("limit");
    let instances = [(); 2].map(|()| redis.gateway(&["--rate", "1", "--burst", "10"]));
    let answers: Vec<_> = (0..30).map(|round| whoami(&instances[round % 2], "alice", ACME)).collect();
    let allowed = answers.iter().filter(|answer| answer.status == 200).count();
    // Each second that the loop takes adds one.
    assert!((10..15).contains(&allowed), "{allowed}");
    let refused = answers.iter().find(|answer| answer.status == 429).expect("a refusal");
    assert_eq!(refused.problem(), "tenancy:tenant-rate-limited");
    assert_eq!(refused.field("retry-after"), Some("1"));
    for instance in &instances {
        assert_eq!(whoami(instance, "bob", GLOBEX).status, 200, "another tenant's own");
    }
    let keys = redis.keys();
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert!(keys.iter().all(|key| key.starts_with("t:") && key.ends_with(":limit:requests")), "{keys:?}");
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn without_redis_each_instance_limits_by_itself_and_then_again_together() {
    let mut redis = Redis::start("outage");
    let instances = [(); 2].map(|()| redis.gateway(&["--rate", "1", "--burst", "4"]));
    assert_eq!(whoami(&instances[0], "alice", ACME).status, 200);
    redis.kill();
    for instance in &instances {
        let allowed = (0..12).filter(|_| whoami(instance, "alice", ACME).status == 200).count();
        assert!((4..8).contains(&allowed), "{allowed}");
        assert!(instance.stderr.with("Redis fails").matches("Redis fails").count() == 1);
    }
    redis.restart();
    for instance in &instances {
        let again = wait_for(|| {
            // At one a second, as by the rate.
            thread::sleep(Duration::from_millis(300));
            whoami(instance, "bob", GLOBEX);
            instance.stderr.text().contains("limits are shared again").then_some(())
        });
        assert!(again.is_some(), "{}", instance.stderr.text());
    }
    let allowed = (0..20).filter(|round| whoami(&instances[round % 2], "alice", ACME).status == 200).count();
    assert!((4..8).contains(&allowed), "{allowed}");
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn a_note_is_kept_for_its_tenant_and_its_instance_alone() {
    let redis = Redis::start("cache");
    let [first, second] = [(); 2].map(|()| redis.gateway(&["--rate", "0"]));
    let made =
        Call::new("POST", "/v1/notes").by("alice").of(ACME).json(r#"{"text":"one"}"#).send(first.address);
    assert_eq!(made.status, 201);
    let path: &'static str = made.field("location").expect("a path").to_owned().leak();
    let read =
        |gateway: &Gateway, principal, tenant| Call::get(path).by(principal).of(tenant).send(gateway.address);
    for _ in 0..2 {
        assert_eq!(read(&first, "alice", ACME).json()["text"], "one");
    }
    let is_note = |key: &&String| key.contains(":cache:notes:");
    assert_eq!(redis.keys().iter().filter(is_note).count(), 1);
    // Another tenant, and another instance, whose memory has it not.
    assert_eq!(read(&first, "bob", GLOBEX).status, 404);
    assert_eq!(read(&second, "alice", ACME).status, 404);
    let changed = Call::new("PUT", path).by("alice").of(ACME).json(r#"{"text":"two"}"#).send(first.address);
    assert_eq!(changed.status, 200);
    assert_eq!(read(&first, "alice", ACME).json()["text"], "two");
    assert_eq!(Call::new("DELETE", path).by("alice").of(ACME).send(first.address).status, 204);
    assert_eq!(read(&first, "alice", ACME).status, 404);
    let tenants = [ACME, GLOBEX].map(|tenant| format!("t:{}:", tenant.replace('-', "")));
    for key in redis.keys() {
        assert!(tenants.iter().any(|prefix| key.starts_with(prefix)), "{key}");
    }
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn notes_are_served_while_redis_is_away() {
    let mut redis = Redis::start("away");
    let gateway = redis.gateway(&["--rate", "0"]);
    redis.kill();
    let made =
        Call::new("POST", "/v1/notes").by("alice").of(ACME).json(r#"{"text":"one"}"#).send(gateway.address);
    let path: &'static str = made.field("location").expect("a path").to_owned().leak();
    assert_eq!(Call::get(path).by("alice").of(ACME).send(gateway.address).json()["text"], "one");
    assert_eq!(Call::new("DELETE", path).by("alice").of(ACME).send(gateway.address).status, 204);
    assert_eq!(Call::get(path).by("alice").of(ACME).send(gateway.address).status, 404);
}

#[test]
fn an_address_that_leads_nowhere_is_told_without_its_password() {
    for url in ["redis://:hunter2@127.0.0.1:1/", "nonsense://hunter2", "redis://user:hunter2@127.0.0.1:x/"] {
        let mut command = command(&["--listen", "127.0.0.1:0"]);
        command.env("REDIS_URL", url);
        let (code, stdout, stderr) = run(command);
        assert_eq!(code, Some(1), "{url}");
        assert!(stderr.contains("Redis") && !stderr.contains("hunter2") && stdout.is_empty(), "{stderr}");
    }
    let (code, stdout, _) = run({
        let mut command = command(&["--help"]);
        command.env("REDIS_URL", "redis://:hunter2@127.0.0.1/");
        command
    });
    assert!(code == Some(0) && stdout.contains("--redis-url") && !stdout.contains("hunter2"));
}
