//! The rows of tenancy-postgres in the README: `cargo xtask bench postgres`.

#[path = "../../../crates/tenancy-postgres/tests/common/server.rs"]
mod server;

use std::fmt::Debug;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bench_harness::{Table, contender, subject};
use bench_postgres::{
    Delay, Guide, INSERT, NOTES, Plain, SELECT, Separate, TENANT, UPDATE, key, large, notes, peers_notes,
};
use serde::{Deserialize, Serialize};
use tenancy::TenantFutureExt;
use tenancy_postgres::{Config, TenantDb};
use tokio::runtime::Runtime;
use tokio_postgres::Client;
use tokio_postgres::config::Host;
use tokio_postgres::types::ToSql;

use server::Server;

const TITLE: &str = "a title";

fn main() {
    let table = Table::from_args();
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let bench = Bench { table, runtime, server };
    bench.runtime.block_on(bench.set_up());
    let folder = bench.folder();
    let near = bench.connect(&folder);
    bench.one_statement("postgres: one statement, unix socket", &near, 1.8);
    bench.table_api(&near);
    bench.one_update(&near);
    bench.transaction("postgres: explicit transaction, unix socket", &near);
    let delay = Delay::start(&folder, Duration::from_millis(1));
    let far = bench.connect(delay.folder());
    bench.one_statement("postgres: one statement, 1 ms each way", &far, 1.1);
    bench.transaction("postgres: explicit transaction, 1 ms each way", &far);
    bench.scan();
}

/// The runtime has one thread.
struct Bench {
    table: Table,
    runtime: Runtime,
    server: Server,
}

/// All of them over one way to the server.
struct Contenders {
    tenants: TenantDb,
    plain: Plain,
    separate: Separate,
    guide: Guide,
}

#[derive(Deserialize)]
struct Note {
    title: String,
}

#[derive(Serialize)]
struct Changed {
    title: &'static str,
}

impl Bench {
    async fn set_up(&self) {
        let mut operator = self.server.superuser().await;
        for database in ["peers", "large"] {
            operator.batch_execute(&format!("CREATE DATABASE {database}")).await.expect("a database");
        }
        notes(&mut operator).await;
        peers_notes(&self.server.client("postgres", "peers").await).await;
    }

    /// Where the server's socket is.
    fn folder(&self) -> PathBuf {
        match &self.server.config("", "").get_hosts()[0] {
            Host::Unix(folder) => folder.clone(),
            Host::Tcp(_) => unreachable!("a unix socket"),
        }
    }

    fn connect(&self, folder: &Path) -> Contenders {
        let config = |database| {
            let mut config = tokio_postgres::Config::new();
            config.host_path(folder).user("service").dbname(database);
            config
        };
        // A pool of sqlx's begins a task.
        let _entered = self.runtime.enter();
        Contenders {
            tenants: self.wait(TenantDb::connect(Config::new(config("postgres"), key()))),
            plain: Plain::new(config("peers")),
            separate: Separate::new(config("postgres")),
            guide: Guide::new(folder),
        }
    }

    fn one_statement(&self, name: &str, by: &Contenders, target: f64) {
        self.table.row(
            name,
            subject(|at| self.one_row(by.tenants.query(SELECT, &[&id(at)]).in_tenant(TENANT))),
            [
                contender("tokio-postgres without a tenant", |at| self.one_row(by.plain.select(id(at))))
                    .target(target),
                contender("a statement at a time", |at| self.one_row(by.separate.select(id(at)))),
                contender("sqlx and `set_config`", |at| self.one_row(by.guide.select(id(at)))),
            ],
        );
    }

    fn table_api(&self, by: &Contenders) {
        let notes = by.tenants.table("notes");
        self.table.row(
            "postgres: one statement by the table API, unix socket",
            subject(|at| {
                let rows = notes.select("title").eq("id", id(at)).rows::<Note>();
                let rows = self.wait(rows.in_tenant(TENANT));
                assert!(!rows[0].title.is_empty());
            }),
            [contender("tokio-postgres without a tenant", |at| self.one_row(by.plain.select(id(at))))],
        );
        self.table.row(
            "postgres: an update by the table API, unix socket",
            subject(|at| {
                let update = notes.update(Changed { title: TITLE }).eq("id", id(at)).execute();
                assert_eq!(self.wait(update.in_tenant(TENANT)), 1);
            }),
            [contender("tokio-postgres without a tenant", |at| {
                assert_eq!(self.wait(by.plain.update(TITLE, id(at))), 1);
            })],
        );
    }

    fn one_update(&self, by: &Contenders) {
        self.table.row(
            "postgres: one update, unix socket",
            subject(|at| {
                let id = id(at);
                let update: [&(dyn ToSql + Sync); 2] = [&TITLE, &id];
                assert_eq!(self.wait(by.tenants.execute(UPDATE, &update).in_tenant(TENANT)), 1);
            }),
            [contender("tokio-postgres without a tenant", |at| {
                assert_eq!(self.wait(by.plain.update(TITLE, id(at))), 1);
            })],
        );
    }

    fn transaction(&self, name: &str, by: &Contenders) {
        self.table.row(
            name,
            subject(|at| {
                let tx = by.tenants.tx(async |tx| {
                    tx.execute(INSERT, &[&TITLE]).await?;
                    tx.query(SELECT, &[&id(at)]).await
                });
                self.one_row(tx.in_tenant(TENANT));
            }),
            [contender("tokio-postgres without a tenant", |at| {
                self.one_row(by.plain.transaction(TITLE, id(at)));
            })],
        );
    }

    /// On one core each: with parallel workers a busy machine would be what is measured.
    fn scan(&self) {
        let name = "postgres: scan of 1,000,000 rows by the signed policy";
        if !self.table.wants(name) {
            return;
        }
        let [emitted, each_row, plain] = self.runtime.block_on(async {
            large(&mut self.server.client("postgres", "large").await).await;
            [self.in_tenant().await, self.in_tenant().await, self.in_tenant().await]
        });
        let count = |client: &Client, sql: &str| {
            let rows = self.wait(client.query_typed(sql, &[]));
            assert_eq!(rows[0].get::<_, i64>(0), 50_000);
        };
        let of_tenant = format!("SELECT count(*) FROM plain WHERE amount >= 500 AND tenant_id = '{TENANT}'");
        self.table.rounds(30).row(
            name,
            subject(|_| count(&emitted, "SELECT count(*) FROM emitted WHERE amount >= 500")),
            [contender("`WHERE tenant_id = …`, no policy", |_| count(&plain, &of_tenant))],
        );
        self.table.rounds(3).row(
            name,
            subject(|_| count(&emitted, "SELECT count(*) FROM emitted WHERE amount >= 500")),
            [contender("the policy without its sub-select", |_| {
                count(&each_row, "SELECT count(*) FROM each_row WHERE amount >= 500");
            })],
        );
    }

    async fn in_tenant(&self) -> Client {
        let client = self.server.client("service", "large").await;
        let alone = "SET max_parallel_workers_per_gather = 0; SET enable_indexscan = off; SET enable_bitmapscan = off";
        client.batch_execute(alone).await.expect("settings");
        Separate::begin(&client).await.expect("a tenant");
        client
    }

    fn one_row<R, E: Debug>(&self, rows: impl Future<Output = Result<Vec<R>, E>>) {
        assert_eq!(black_box(self.wait(rows)).len(), 1);
    }

    fn wait<T, E: Debug>(&self, answer: impl Future<Output = Result<T, E>>) -> T {
        self.runtime.block_on(answer).expect("an answer")
    }
}

/// One of the tenant's, by the number of the call.
fn id(at: usize) -> i64 {
    i64::try_from(at).unwrap_or_default() * 10 % NOTES + 1
}
