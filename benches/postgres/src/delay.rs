//! A proxy that adds the latency of a network.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

/// The name of a server's socket on the default port.
const SOCKET: &str = ".s.PGSQL.5432";

/// A proxy that delivers all bytes late, in both directions, without limiting how many are under way.
///
/// It uses threads: their sleep is exact to about 60 µs, a timer of tokio to 1 ms.
#[derive(Debug)]
pub struct Delay {
    folder: PathBuf,
}

impl Delay {
    /// Starts a proxy for the server whose socket is in this folder.
    pub fn start(server: &Path, each_way: Duration) -> Self {
        let folder = env::temp_dir().join(format!("tenancy-delay-{}", process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let listener = UnixListener::bind(folder.join(SOCKET)).expect("a socket");
        let server = server.join(SOCKET);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = UnixStream::connect(&server).expect("the server");
                forward(&client, &server, each_way);
                forward(&server, &client, each_way);
            }
        });
        Self { folder }
    }

    /// The folder of the proxy's socket.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Delay {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn forward(from: &UnixStream, to: &UnixStream, delay: Duration) {
    let (mut from, mut to) = (from.try_clone().expect("a handle"), to.try_clone().expect("a handle"));
    let (sender, receiver) = mpsc::channel::<(Instant, Vec<u8>)>();
    thread::spawn(move || {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if sender.send((Instant::now() + delay, buffer[..length].to_vec())).is_err() {
                break;
            }
        }
    });
    thread::spawn(move || {
        for (due, bytes) in receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}
