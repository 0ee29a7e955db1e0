//! A Postgres server of a test's or a benchmark's own.

#![allow(dead_code, reason = "nobody uses all of it")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use tokio_postgres::{Client, NoTls};

/// Where Debian keeps the newest server, if the programs are not on the path.
const DEBIAN: &str = "/usr/lib/postgresql";

/// A server on a unix socket, which ends with the test. Its superuser is `postgres`, without a password; `port` is
/// part of the socket's name alone.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    folder: PathBuf,
}

impl Server {
    pub(crate) fn start() -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("tenancy-postgres-{}-{number}", process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        if is_root() {
            assert!(run(Command::new("chown").arg("postgres").arg(&folder)), "the user postgres exists");
        }
        let data = folder.join("data");
        let made = run(as_postgres("initdb")
            .args(["-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8"])
            .arg(&data));
        assert!(made, "initdb: `cargo xtask test postgres` installs Postgres");
        let child = Self::spawn(&folder);
        let mut server = Self { child, folder };
        assert!(server.answers(), "postgres ended");
        server
    }

    fn spawn(folder: &Path) -> Child {
        as_postgres("postgres")
            .arg("-D")
            .arg(folder.join("data"))
            .arg("-k")
            .arg(folder)
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=100"])
            .args(["-c", "shared_buffers=32MB"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("postgres is installed")
    }

    /// Waits until it does, or ends by itself.
    fn answers(&mut self) -> bool {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let ready = run(as_postgres("psql")
                .arg("-h")
                .arg(&self.folder)
                .args(["-U", "postgres", "-c", "SELECT 1"]));
            if ready {
                return true;
            }
            if self.child.try_wait().expect("a state").is_some() {
                return false;
            }
            assert!(Instant::now() < end, "postgres did not answer within 60 s");
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// What a client is told, for a user and a database.
    pub(crate) fn config(&self, user: &str, database: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host_path(&self.folder).user(user).dbname(database);
        config
    }

    pub(crate) async fn client(&self, user: &str, database: &str) -> Client {
        let (client, connection) = self.config(user, database).connect(NoTls).await.expect("a connection");
        tokio::spawn(async move {
            // It ends with its client, or with the server.
            let _ = connection.await;
        });
        client
    }

    /// The superuser, in the database `postgres`.
    pub(crate) async fn superuser(&self) -> Client {
        self.client("postgres", "postgres").await
    }

    /// Ends it as a power cut would, and starts it again.
    pub(crate) fn crash_and_restart(&mut self) {
        self.signal("KILL");
        let _ = self.child.wait();
        let pid_file = self.folder.join("data/postmaster.pid");
        let _ = fs::remove_file(pid_file);
        // The backends notice that their parent is gone, each in its time; a server that finds one of them ends.
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            self.child = Self::spawn(&self.folder);
            if self.answers() {
                return;
            }
            assert!(Instant::now() < end, "postgres did not start again within 60 s");
        }
    }

    /// Whether there is someone to send it to.
    fn signal(&self, signal: &str) -> bool {
        let Some(pid) = self.postmaster() else { return false };
        run(Command::new("kill").arg(format!("-{signal}")).arg(pid))
    }

    /// The server itself, which `runuser` is not. It is none before it has begun, and once it has ended.
    fn postmaster(&self) -> Option<String> {
        let file = fs::read_to_string(self.folder.join("data/postmaster.pid")).ok()?;
        file.lines().next().map(str::to_owned)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Immediate shutdown: nothing of value is in it.
        if !self.signal("QUIT") {
            // It has ended, or hardly begun: then it ends without its folder.
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The server does not run as root.
pub(crate) fn as_postgres(program: &str) -> Command {
    let program = find(program);
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program);
    // Its own folder may be closed to that user.
    command.current_dir("/");
    command
}

fn find(program: &str) -> PathBuf {
    let on_path = env::var_os("PATH").and_then(|path| {
        env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| candidate.exists())
    });
    let newest = || {
        let mut versions: Vec<_> = fs::read_dir(DEBIAN).ok()?.flatten().map(|entry| entry.path()).collect();
        versions.sort();
        versions.pop().map(|version| version.join("bin").join(program))
    };
    on_path.or_else(newest).unwrap_or_else(|| program.into())
}

pub(crate) fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("`id` is there");
    id.stdout.starts_with(b"0")
}

pub(crate) fn run(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}
