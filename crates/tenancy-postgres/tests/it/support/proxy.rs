//! A proxy between a client and the server that counts round trips and can lose answers.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

use super::database::Database;

/// How long each answer is held back. Everything that a client sends before an answer arrives belongs to one round trip,
/// so this is longer than a client needs to send it, on a busy machine too.
const DELAY: Duration = Duration::from_millis(200);

const SOCKET: &str = ".s.PGSQL.5432";

#[derive(Debug)]
pub(crate) struct Proxy {
    folder: TempDir,
    database: String,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    trips: AtomicUsize,
    loses_answers: AtomicBool,
}

impl Proxy {
    pub(crate) fn start(database: &Database) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = UnixListener::bind(folder.path().join(SOCKET)).expect("a socket");
        let state = Arc::new(State::default());
        tokio::spawn(accept(listener, database.folder().join(SOCKET), Arc::clone(&state)));
        Self { folder, database: database.name.clone(), state }
    }

    pub(crate) fn config(&self, user: &str) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host_path(self.folder.path()).user(user).dbname(&self.database);
        config
    }

    /// Returns how often the client has sent something after an answer since the last call.
    pub(crate) fn take_trips(&self) -> usize {
        self.state.trips.swap(0, Ordering::SeqCst)
    }

    /// From now on, the server receives requests, but the client's connection is closed instead of an answer.
    pub(crate) fn lose_answers(&self, is_lost: bool) {
        self.state.loses_answers.store(is_lost, Ordering::SeqCst);
    }
}

async fn accept(listener: UnixListener, server: PathBuf, state: Arc<State>) {
    while let Ok((client, _)) = listener.accept().await {
        tokio::spawn(forward(client, server.clone(), Arc::clone(&state)));
    }
}

async fn forward(client: UnixStream, server: PathBuf, state: Arc<State>) {
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
        tokio::time::sleep(DELAY).await;
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
