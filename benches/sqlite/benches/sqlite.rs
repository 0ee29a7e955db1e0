//! The figures `sqlite/…`: `cargo xtask bench sqlite`.
//!
//! Each figure compares the time of the same requests: 32 connections to a service on the tenants' files, and to services on
//! one shared file. All run in this process, the load generator too.

use bench_harness::{Table, Timed, peer};
use bench_sqlite::client::Client;
use bench_sqlite::files::FileStore;
use bench_sqlite::service::Server;
use bench_sqlite::shared::{Reads, SharedStore};
use bench_sqlite::{NOTES, TEXT, token};
use tempfile::TempDir;

const CONNECTIONS: usize = 32;
/// The requests of each connection between two readings of the clock.
const EACH: usize = 24;
/// The turns before the first reading. They send several requests for each tenant.
const WARM_UP: usize = 16;

fn main() {
    let table = Table::from_args().rounds(60);
    for tenants in [50, 200, 1000] {
        if table.wants_any(&format!("sqlite/get/{tenants}"))
            || (tenants == 50 && (table.wants_any("sqlite/list") || table.wants_any("sqlite/post")))
        {
            compare(&table, tenants);
        }
    }
}

/// The services of this many tenants, with their folders.
struct Services {
    files: Server,
    inline: Server,
    blocking: Server,
    _folders: [TempDir; 3],
}

impl Services {
    fn start(tenants: usize) -> Self {
        let folders = [0; 3].map(|_| tempfile::tempdir().expect("a folder"));
        let shared = |folder: &TempDir, reads| SharedStore::filled(folder.path(), tenants, reads);
        Self {
            files: Server::start(FileStore::filled(&folders[0].path().join("tenants"), tenants), tenants),
            inline: Server::start(shared(&folders[1], Reads::Inline), tenants),
            blocking: Server::start(shared(&folders[2], Reads::SpawnBlocking), tenants),
            _folders: folders,
        }
    }

    fn row<F>(&self, table: &Table, name: &str, ratio_of_throughput: f64, each: usize, request: F)
    where
        F: Fn(usize) -> String + Copy + Send + Sync + 'static,
    {
        let timed = |name, server| timed(name, server, each, request);
        let peers = [
            timed("one file, reads on the task's thread", &self.inline).target(1.0 / ratio_of_throughput),
            timed("one file, `spawn_blocking`", &self.blocking),
        ];
        table.row(name, timed("", &self.files), peers);
    }
}

fn timed<F>(name: &'static str, server: &Server, each: usize, request: F) -> Timed<'static>
where
    F: Fn(usize) -> String + Copy + Send + Sync + 'static,
{
    let mut client = Client::connect(server.address(), CONNECTIONS);
    // Every tenant's file is open for these requests, and the caches are filled.
    client.run(each * WARM_UP, request);
    let mut sent = each * WARM_UP * CONNECTIONS;
    peer(name, move |_| {
        let first = sent;
        sent += each * CONNECTIONS;
        client.run(each, move |number| request(first + number));
    })
}

fn compare(table: &Table, tenants: usize) {
    let services = Services::start(tenants);
    let tokens: &'static [String] = (0..tenants).map(token).collect::<Vec<_>>().leak();
    let get = |tenant: usize, number: usize| {
        let id = mix(number) % NOTES as usize + 1;
        format!("GET /notes/{id} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n", tokens[tenant])
    };
    let name = format!("sqlite/get/{tenants}");
    match tenants {
        50 => {
            services.row(table, &name, 0.85, EACH, move |number| get(mix(number) / 7 % 50, number));
            services.row(table, "sqlite/list/50", 0.85, EACH, move |number| {
                let after = mix(number) % 80;
                let token = &tokens[mix(number) / 7 % 50];
                format!(
                    "GET /notes?after={after}&limit=20 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n"
                )
            });
            let body = format!("{{\"text\":\"{TEXT}\"}}");
            let (length, body): (usize, &'static str) = (body.len(), body.leak());
            services.row(&table.rounds(30), "sqlite/post/50", 0.8, 4, move |number| {
                let token = &tokens[mix(number) / 7 % 50];
                format!(
                    "POST /notes HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
                     content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
                )
            });
        }
        200 => services.row(table, &name, 0.75, EACH, move |number| get(mix(number) / 7 % 200, number)),
        // Nine of ten requests are for a tenth of the tenants.
        _ => services.row(table, &name, 0.6, EACH, move |number| {
            let mixed = mix(number) / 7;
            let tenant =
                if mixed.is_multiple_of(10) { mixed / 10 % tenants } else { mixed / 10 % (tenants / 10) };
            get(tenant, number)
        }),
    }
}

/// A number that looks random.
fn mix(number: usize) -> usize {
    let mixed = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from((mixed ^ mixed >> 29) >> 8).unwrap_or(0)
}
