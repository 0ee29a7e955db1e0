//! The figures `postgres/…`: `cargo xtask bench postgres`.

use std::cell::Cell;
use std::fmt::Debug;
use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use bench_harness::{Table, peer, subject};
use bench_postgres::{
    Delay, Guide, INSERT, NOTES, PAGE, Plain, SELECT, Separate, TENANT, UPDATE, client, config, key, large,
    notes, peers_notes,
};
use serde::{Deserialize, Serialize};
use tenancy::TenantFutureExt;
use tenancy_postgres::{Config, TenantDb};
use tenancy_testkit::PgServer;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_postgres::Client;
use uuid::Uuid;

const TITLE: &str = "a title";
/// The main peer.
const PLAIN: &str = "tokio-postgres without a tenant";
const SQLX: &str = "sqlx with `set_config`";
/// The sessions of a pool that several tasks use.
const SESSIONS: u32 = 8;
const TASKS: usize = 16;

fn main() {
    let table = Table::from_args();
    let server = PgServer::start().expect("a Postgres server");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let bench = Bench { table, runtime, server };
    bench.set_up();
    let near = bench.connect(bench.server.folder(), 1);
    bench.select("unix", &near, [1.2, 1.55, 2.4]);
    bench.prepared(&near);
    bench.page(&near);
    bench.update(&near);
    let pools = bench.connect(bench.server.folder(), SESSIONS);
    bench.eight_sessions(&pools);
    bench.tasks(&pools);
    bench.insert(&near);
    bench.transaction("unix", &near);
    let delay = Delay::start(bench.server.folder(), Duration::from_millis(1));
    let far = bench.connect(delay.folder(), 1);
    bench.select("1ms", &far, [1.06, 1.06, 1.12]);
    bench.transaction("1ms", &far);
    bench.scan();
}

/// The runtime has one thread.
struct Bench {
    table: Table,
    runtime: Runtime,
    server: PgServer,
}

/// What is compared. All of them use the same socket, and pools of the same size.
#[derive(Clone)]
struct Clients {
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
struct NewTitle {
    title: &'static str,
}

impl Bench {
    fn set_up(&self) {
        for database in ["peers", "large"] {
            let create = format!("CREATE DATABASE {database}");
            self.server.execute("postgres", &create).expect("a new database");
        }
        self.runtime.block_on(async {
            notes(&mut self.client("postgres", "postgres").await).await;
            peers_notes(&self.client("postgres", "peers").await).await;
        });
    }

    async fn client(&self, user: &str, database: &str) -> Client {
        client(config(self.server.folder(), user, database)).await
    }

    fn connect(&self, folder: &Path, sessions: u32) -> Clients {
        let config = |database| config(folder, "service", database);
        // sqlx's pool spawns a task.
        let _entered = self.runtime.enter();
        let tenants = Config::new(config("postgres"), key()).max_connections(sessions as usize);
        Clients {
            tenants: self.wait(TenantDb::connect(tenants)),
            plain: Plain::new(config("peers"), sessions as usize),
            separate: Separate::new(config("postgres"), sessions as usize),
            guide: Guide::new(folder, sessions),
        }
    }

    /// A select by key. The targets are those of the table API, of raw SQL, and of raw SQL that no session has seen.
    fn select(&self, place: &str, by: &Clients, [table, raw, new]: [f64; 3]) {
        let notes = by.tenants.table("notes");
        self.table.row(
            &format!("postgres/table/{place}"),
            subject(|at| {
                let rows = notes.select("title").eq("id", id(at)).rows::<Note>();
                let rows = self.wait(rows.in_tenant(TENANT));
                assert!(!rows[0].title.is_empty());
            }),
            [
                peer(PLAIN, |at| self.one_row(by.plain.select(id(at)))).target(table),
                peer(SQLX, |at| self.one_row(by.guide.select(id(at)))),
            ],
        );
        self.table.row(
            &format!("postgres/raw/{place}"),
            subject(|at| self.one_row(by.tenants.query(SELECT, &[&id(at)]).in_tenant(TENANT))),
            [
                peer(PLAIN, |at| self.one_row(by.plain.select(id(at)))).target(raw),
                peer(SQLX, |at| self.one_row(by.guide.select(id(at))))
                    .target(1.0)
                    .figure(format!("postgres/sqlx/{place}")),
                peer("the same context, a round trip per statement", |at| {
                    self.one_row(by.separate.select(id(at)));
                }),
            ],
        );
        let number = Cell::new(0_u64);
        self.table.row(
            &format!("postgres/new/{place}"),
            subject(|at| {
                number.set(number.get() + 1);
                let sql = format!("{SELECT} -- {}", number.get());
                self.one_row(by.tenants.query(&sql, &[&id(at)]).in_tenant(TENANT));
            }),
            [peer(PLAIN, |at| self.one_row(by.plain.select(id(at)))).target(new)],
        );
    }

    /// How much of the plain statement's time is spent on parsing and planning.
    fn prepared(&self, by: &Clients) {
        self.table.row(
            "postgres/prepared/unix",
            subject(|at| self.one_row(by.plain.select_prepared(id(at)))),
            [peer(PLAIN, |at| self.one_row(by.plain.select(id(at))))],
        );
    }

    fn page(&self, by: &Clients) {
        let notes = by.tenants.table("notes");
        self.table.row(
            "postgres/table/100rows",
            subject(|_| {
                let rows = notes.select("title").limit(100).rows::<Note>();
                assert_eq!(black_box(self.wait(rows.in_tenant(TENANT))).len(), 100);
            }),
            [peer(PLAIN, |_| self.hundred_rows(by.plain.page())).target(1.1)],
        );
        self.table.row(
            "postgres/raw/100rows",
            subject(|_| {
                self.hundred_rows(by.tenants.query(PAGE, &[&Uuid::from(TENANT)]).in_tenant(TENANT));
            }),
            [
                peer(PLAIN, |_| self.hundred_rows(by.plain.page())).target(1.25),
                peer(SQLX, |_| self.hundred_rows(by.guide.page()))
                    .target(1.0)
                    .figure("postgres/sqlx/100rows"),
            ],
        );
    }

    fn update(&self, by: &Clients) {
        let notes = by.tenants.table("notes");
        let plain = || peer(PLAIN, |at| self.one_changed(by.plain.update(TITLE, id(at))));
        self.table.row(
            "postgres/table/update",
            subject(|at| {
                let update = notes.update(NewTitle { title: TITLE }).eq("id", id(at)).execute();
                self.one_changed(update.in_tenant(TENANT));
            }),
            [plain()],
        );
        self.table.row(
            "postgres/raw/update",
            subject(|at| {
                self.one_changed(by.tenants.execute(UPDATE, &[&TITLE, &id(at)]).in_tenant(TENANT));
            }),
            [plain()],
        );
    }

    fn insert(&self, by: &Clients) {
        let notes = by.tenants.table("notes");
        let plain = || peer(PLAIN, |_| self.one_changed(by.plain.insert(TITLE)));
        self.table.row(
            "postgres/table/insert",
            subject(|_| {
                let insert = notes.insert(NewTitle { title: TITLE }).execute();
                self.one_changed(insert.in_tenant(TENANT));
            }),
            [plain().target(1.45)],
        );
        self.table.row(
            "postgres/raw/insert",
            subject(|_| self.one_changed(by.tenants.execute(INSERT, &[&TITLE]).in_tenant(TENANT))),
            [
                plain().target(1.8),
                peer(SQLX, |_| self.one_changed(by.guide.insert(TITLE)))
                    .target(1.0)
                    .figure("postgres/sqlx/insert"),
            ],
        );
    }

    /// One caller and a pool whose sessions are all connected.
    fn eight_sessions(&self, by: &Clients) {
        let name = "postgres/raw/8sessions";
        if !self.table.wants_any(name) && !self.table.wants_any("postgres/sqlx/8sessions") {
            return;
        }
        self.tenant_tasks(by);
        self.plain_tasks(by);
        self.sqlx_tasks(by);
        self.table.row(
            name,
            subject(|at| self.one_row(by.tenants.query(SELECT, &[&id(at)]).in_tenant(TENANT))),
            [
                peer(PLAIN, |at| self.one_row(by.plain.select(id(at)))).target(1.65),
                peer(SQLX, |at| self.one_row(by.guide.select(id(at))))
                    .target(1.0)
                    .figure("postgres/sqlx/8sessions"),
            ],
        );
    }

    fn tasks(&self, by: &Clients) {
        self.table.row(
            "postgres/raw/16tasks",
            subject(|_| self.tenant_tasks(by)),
            [
                peer(PLAIN, |_| self.plain_tasks(by)).target(1.55),
                peer(SQLX, |_| self.sqlx_tasks(by)).target(1.0).figure("postgres/sqlx/16tasks"),
            ],
        );
    }

    fn tenant_tasks(&self, by: &Clients) {
        self.by_tasks(by, |by, id| async move {
            assert_eq!(by.tenants.query(SELECT, &[&id]).in_tenant(TENANT).await.expect("an answer").len(), 1);
        });
    }

    fn plain_tasks(&self, by: &Clients) {
        self.by_tasks(by, |by, id| async move {
            assert_eq!(by.plain.select(id).await.expect("an answer").len(), 1);
        });
    }

    fn sqlx_tasks(&self, by: &Clients) {
        self.by_tasks(by, |by, id| async move {
            assert_eq!(by.guide.select(id).await.expect("an answer").len(), 1);
        });
    }

    fn by_tasks<F: Future<Output = ()> + Send + 'static>(
        &self,
        by: &Clients,
        select: impl Fn(Clients, i64) -> F,
    ) {
        self.runtime.block_on(async {
            let mut tasks: JoinSet<_> = (0..TASKS).map(|task| select(by.clone(), id(task))).collect();
            while let Some(result) = tasks.join_next().await {
                result.expect("a row");
            }
        });
    }

    fn transaction(&self, place: &str, by: &Clients) {
        self.table.row(
            &format!("postgres/transaction/{place}"),
            subject(|at| {
                let tx = by.tenants.tx(async |tx| {
                    tx.execute(INSERT, &[&TITLE]).await?;
                    tx.query(SELECT, &[&id(at)]).await
                });
                self.one_row(tx.in_tenant(TENANT));
            }),
            [peer(PLAIN, |at| self.one_row(by.plain.transaction(TITLE, id(at))))],
        );
    }

    /// A scan without parallel workers, which would measure how busy the machine is.
    fn scan(&self) {
        let name = "postgres/policy/1m";
        if !self.table.wants_any(name) {
            return;
        }
        let rows = self.table.amount(1_000_000);
        let [emitted, each_row, plain] = self.runtime.block_on(async {
            large(&mut self.client("postgres", "large").await, rows).await;
            [self.in_tenant().await, self.in_tenant().await, self.in_tenant().await]
        });
        let count = |client: &Client, sql: &str| {
            let counted = self.wait(client.query_typed(sql, &[]));
            // A tenth of the rows is the tenant's, and half of them have a large amount.
            assert_eq!(u64::try_from(counted[0].get::<_, i64>(0)), Ok(rows / 20));
        };
        let of_tenant = format!("SELECT count(*) FROM plain WHERE amount >= 500 AND tenant_id = '{TENANT}'");
        let emitted = || subject(|_| count(&emitted, "SELECT count(*) FROM emitted WHERE amount >= 500"));
        self.table.rounds(30).row(
            name,
            emitted(),
            [peer("`WHERE tenant_id = …` without a policy", |_| count(&plain, &of_tenant))],
        );
        self.table.rounds(5).row(
            name,
            emitted(),
            [peer("the policy without its sub-select", |_| {
                count(&each_row, "SELECT count(*) FROM each_row WHERE amount >= 500");
            })],
        );
    }

    async fn in_tenant(&self) -> Client {
        let client = self.client("service", "large").await;
        let settings = "SET max_parallel_workers_per_gather = 0; SET enable_indexscan = off; SET enable_bitmapscan = off";
        client.batch_execute(settings).await.expect("valid settings");
        Separate::begin(&client).await.expect("a tenant");
        client
    }

    fn one_row<R, E: Debug>(&self, rows: impl Future<Output = Result<Vec<R>, E>>) {
        assert_eq!(black_box(self.wait(rows)).len(), 1);
    }

    fn hundred_rows<R, E: Debug>(&self, rows: impl Future<Output = Result<Vec<R>, E>>) {
        assert_eq!(black_box(self.wait(rows)).len(), 100);
    }

    fn one_changed<E: Debug>(&self, changed: impl Future<Output = Result<u64, E>>) {
        assert_eq!(self.wait(changed), 1);
    }

    fn wait<T, E: Debug>(&self, answer: impl Future<Output = Result<T, E>>) -> T {
        self.runtime.block_on(answer).expect("an answer")
    }
}

/// The id of one of the tenant's rows, by the number of the call.
fn id(at: usize) -> i64 {
    i64::try_from(at).unwrap_or_default() * 10 % NOTES + 1
}
