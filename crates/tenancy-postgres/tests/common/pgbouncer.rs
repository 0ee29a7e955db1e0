//! A pgbouncer in transaction mode, in front of a test's server.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio_postgres::config::Host;

use super::server::{Server, as_postgres, is_root, run};

/// It ends with the test. Its user is `service`, whom it trusts.
#[derive(Debug)]
pub(crate) struct PgBouncer {
    child: Child,
    folder: PathBuf,
}

impl PgBouncer {
    /// Clients share so many of the server's connections.
    pub(crate) fn start(server: &Server, pool_size: usize) -> Self {
        Self::start_with(server, &format!("default_pool_size = {pool_size}"))
    }

    pub(crate) fn start_with(server: &Server, settings: &str) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("tenancy-pgbouncer-{}-{number}", process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let Some(Host::Unix(socket)) = server.config("", "").get_hosts().first().cloned() else {
            panic!("a unix socket")
        };
        let (socket, at) = (socket.display(), folder.display());
        let config = format!(
            "[databases]\npostgres = host={socket} port=5432\n[pgbouncer]\npool_mode = transaction\n\
             unix_socket_dir = {at}\nlisten_port = 5432\nauth_type = trust\nauth_file = {at}/users\n\
             pidfile = {at}/pid\n{settings}\n"
        );
        fs::write(folder.join("users"), "\"service\" \"\"\n").expect("a file");
        fs::write(folder.join("config"), config).expect("a file");
        if is_root() {
            assert!(
                run(Command::new("chown").args(["-R", "postgres"]).arg(&folder)),
                "the user postgres exists"
            );
        }
        let child = as_postgres("pgbouncer")
            .arg("-q")
            .arg(folder.join("config"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pgbouncer: `cargo xtask test postgres` installs it");
        let pgbouncer = Self { child, folder };
        pgbouncer.wait();
        pgbouncer
    }

    fn wait(&self) {
        let end = Instant::now() + Duration::from_secs(30);
        while !self.folder.join(".s.PGSQL.5432").exists() || self.pid().is_none() {
            assert!(Instant::now() < end, "pgbouncer did not start within 30 s");
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn config(&self) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host_path(&self.folder).user("service").dbname("postgres");
        config
    }

    /// Leaves statements of these names in a session of the server's, as a client that is gone does.
    pub(crate) async fn prepare(&self, sql: &str, names: &[String]) {
        let mut stream = UnixStream::connect(self.folder.join(".s.PGSQL.5432")).await.expect("a socket");
        let mut messages = Vec::new();
        message(&mut messages, None, b"\0\x03\0\0user\0service\0database\0postgres\0\0");
        for name in names {
            message(&mut messages, Some(b'P'), format!("{name}\0{sql}\0\0\0").as_bytes());
        }
        message(&mut messages, Some(b'S'), b"");
        stream.write_all(&messages).await.expect("written");
        let (mut answers, mut ready) = (BytesMut::new(), 0);
        while ready < 2 {
            assert_ne!(stream.read_buf(&mut answers).await.expect("an answer"), 0, "it hung up");
            while let Some(header) = answers.get(..5) {
                let length =
                    1 + usize::try_from(u32::from_be_bytes([header[1], header[2], header[3], header[4]]))
                        .expect("a length");
                if answers.len() < length {
                    break;
                }
                let message = answers.split_to(length);
                assert_ne!(message[0], b'E', "{message:?}");
                ready += usize::from(message[0] == b'Z');
            }
        }
    }

    /// The program itself, which `runuser` is not.
    fn pid(&self) -> Option<String> {
        let file = fs::read_to_string(self.folder.join("pid")).ok()?;
        file.lines().next().map(str::to_owned)
    }
}

fn message(out: &mut Vec<u8>, r#type: Option<u8>, body: &[u8]) {
    out.extend(r#type);
    out.extend(u32::try_from(4 + body.len()).expect("a short message").to_be_bytes());
    out.extend(body);
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        if let Some(pid) = self.pid() {
            // Immediate shutdown.
            run(Command::new("kill").arg("-TERM").arg(pid));
            let _ = self.child.wait();
        }
        let _ = fs::remove_dir_all(&self.folder);
    }
}
