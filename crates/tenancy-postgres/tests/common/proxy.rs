//! Between a client and the server: counts round trips, and loses answers.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use std::{env, fs, process};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio_postgres::config::Host;

use super::Server;

/// Longer than a client takes to send what it has, on a busy machine too: what it sends before an answer arrives is one round trip's.
const WAY_BACK: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(crate) struct Proxy {
    folder: PathBuf,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    trips: AtomicUsize,
    loses_answers: AtomicBool,
}

impl Proxy {
    pub(crate) fn start(server: &Server) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("tenancy-proxy-{}-{number}", process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let listener = UnixListener::bind(folder.join(".s.PGSQL.5432")).expect("a socket");
        let state = Arc::new(State::default());
        let Some(Host::Unix(path)) = server.config("", "").get_hosts().first().cloned() else {
            panic!("a unix socket")
        };
        tokio::spawn(accept(listener, path.join(".s.PGSQL.5432"), Arc::clone(&state)));
        Self { folder, state }
    }

    pub(crate) fn config(&self, user: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host_path(&self.folder).user(user).dbname("postgres");
        config
    }

    /// How often since the last time the client sent something after an answer.
    pub(crate) fn take_trips(&self) -> usize {
        self.state.trips.swap(0, Ordering::SeqCst)
    }

    /// From now on the server hears the client, and the client hears nothing and is cut off.
    pub(crate) fn lose_answers(&self, is_lost: bool) {
        self.state.loses_answers.store(is_lost, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

async fn accept(listener: UnixListener, server: PathBuf, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(forward(client, server.clone(), Arc::clone(&state)));
    }
}

async fn forward(client: UnixStream, server: impl AsRef<Path>, state: Arc<State>) {
    let server = UnixStream::connect(server).await.expect("the server");
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let is_answered = Arc::new(AtomicBool::new(true));
    let answered = Arc::clone(&is_answered);
    let counts = Arc::clone(&state);
    let requests = tokio::spawn(async move {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
            if answered.swap(false, Ordering::SeqCst) {
                counts.trips.fetch_add(1, Ordering::SeqCst);
            }
            if to_server.write_all(&buffer[..length]).await.is_err() {
                break;
            }
        }
    });
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from_server.read(&mut buffer).await {
        tokio::time::sleep(WAY_BACK).await;
        if state.loses_answers.load(Ordering::SeqCst) {
            break;
        }
        is_answered.store(true, Ordering::SeqCst);
        if to_client.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    requests.abort();
}
