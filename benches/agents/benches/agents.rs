//! The rows of tenancy-agents in the README: `cargo xtask bench agents`.

#[path = "../../../crates/tenancy-postgres/tests/common/server.rs"]
mod server;

use std::hint::black_box;
use std::time::Instant;

use bench_agents::{
    ByHand, Map, PlainPostgres, TENANT, connect, empty_files, files, fill, fill_postgres, id, scattered,
    set_up, tenant,
};
use bench_harness::{Table, contender, subject};
use tenancy::{TenantContext, TenantFutureExt, TenantId};
use tenancy_agents::{
    Agent, AgentContent, AgentId, AgentName, AgentRegistry, AgentStatus, Capabilities, Filter, FixedStore,
    PgStore, Query, Source, SqliteStore, Store, SystemSource,
};
use tokio::runtime::Runtime;

use server::Server;

const FEW: u64 = 10_000;
const MANY: u64 = 1_000_000;
const PAGE: usize = 20;
/// What waits for a disk, or for a server, has fewer rounds.
const ROUNDS: usize = 40;

fn main() {
    let table = Table::from_args();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let bench = Bench { table, runtime };
    bench.fixed();
    bench.files();
    bench.many_files();
    bench.postgres();
}

struct Bench {
    table: Table,
    runtime: Runtime,
}

type Registry<S> = AgentRegistry<S, SystemSource>;

/// A registry with so many agents of the tenant.
struct Filled<'b, S> {
    bench: &'b Bench,
    registry: Registry<S>,
    agents: u64,
}

impl<S: Store> Filled<'_, S> {
    fn wait<T>(&self, tenant: TenantId, work: impl Future<Output = T>) -> T {
        self.bench.runtime.block_on(work.in_tenant(tenant))
    }

    fn get(&self) {
        let id = id(scattered(self.agents));
        black_box(self.wait(TENANT, self.registry.get(id)).expect("an agent"));
    }

    fn list(&self) {
        let after = Some(id(scattered(self.agents / 2)));
        let query = Query { filter: Filter::default(), after, limit: PAGE };
        self.page(&query);
    }

    fn find(&self) {
        let after = Some(id(scattered(self.agents / 2)));
        let filter = Filter::active_with("chat".parse().expect("a tag"));
        self.page(&Query { filter, after, limit: PAGE });
    }

    fn page(&self, query: &Query) {
        let mut seen = 0;
        let page = self.registry.list(query, |agent| {
            black_box(agent);
            seen += 1;
        });
        self.wait(TENANT, page).expect("a page");
        assert_eq!(seen, PAGE);
    }

    fn register(&self) {
        let name = AgentName::parse(&format!("new-{}", unheard_of())).expect("a name");
        let registered = self.wait(TENANT, self.registry.register(name, content())).expect("room");
        assert!(registered.is_new);
    }
}

/// What nobody has the name of.
fn unheard_of() -> AgentId {
    SystemSource.new_id()
}

fn content() -> AgentContent {
    AgentContent {
        display_name: "An agent".parse().expect("a text"),
        description: "It answers".parse().expect("a text"),
        capabilities: Capabilities::parse(["chat"]).expect("a tag"),
        ..AgentContent::default()
    }
}

impl Bench {
    fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// 64 agents of four tenants.
    fn fixed(&self) {
        static STORE: FixedStore<64> = FixedStore::new();
        let registry = AgentRegistry::new(&STORE, SystemSource);
        let (map, mut own) = (Map::default(), Vec::new());
        for number in 0..63 {
            let owner = if number % 2 == 0 { TENANT } else { tenant(number % 4) };
            let agent = self.active(&registry, owner, number);
            map.insert(agent.clone());
            if owner == TENANT {
                own.push(agent.id);
            }
        }
        let pick = |at: usize| own[at % own.len()];
        let get = |id: AgentId| self.wait(registry.get(id).in_tenant(TENANT)).expect("an agent");
        self.table.row(
            "agents in fixed memory, 64: get",
            subject(|at| drop(black_box(get(pick(at))))),
            [contender("a `BTreeMap` in a mutex", |at| drop(black_box(map.get(TENANT, pick(at)))))],
        );
        let page = |filter: Filter| {
            let query = Query::first(filter, PAGE);
            let list = registry.list(&query, |agent| drop(black_box(agent)));
            self.wait(list.in_tenant(TENANT)).expect("a page");
        };
        self.table.row(
            "agents in fixed memory, 64: list 20",
            subject(|_| page(Filter::default())),
            [contender("a `BTreeMap` in a mutex", |_| drop(black_box(map.list(TENANT, PAGE))))],
        );
        let chat = Filter::active_with("chat".parse().expect("a tag"));
        self.table.row(
            "agents in fixed memory, 64: find 20",
            subject(|_| page(chat.clone())),
            [contender("list 20", |_| page(Filter::default()))],
        );
        let in_and_out = |_| {
            let register = registry.register(AgentName::parse("in-and-out").expect("a name"), content());
            let agent = self.wait(register.in_tenant(TENANT)).expect("room").agent;
            self.wait(registry.deregister(agent.id).in_tenant(TENANT)).expect("its own");
        };
        self.table.row(
            "agents in fixed memory, 64: register and deregister",
            subject(in_and_out),
            [contender("get", |at| drop(black_box(get(pick(at)))))],
        );
    }

    fn active<S: Store>(&self, registry: &Registry<S>, owner: TenantId, number: u64) -> Agent {
        let name = AgentName::parse(&format!("agent-{number}")).expect("a name");
        let activate = async {
            let id = registry.register(name, content()).await.expect("room").agent.id;
            registry.submit(id).await.expect("a draft");
            let approval =
                TenantContext::scope(TenantId::PLATFORM, || tenancy_agents::Approval::grant(owner, id));
            registry.approve(id, &approval.expect("the platform")).await.expect("submitted")
        };
        let agent = self.wait(activate.in_tenant(owner));
        assert_eq!(agent.status, AgentStatus::Active);
        agent
    }

    fn files(&self) {
        if !self.table.wants("agents in files: ") {
            return;
        }
        let folders = [FEW, MANY].map(|agents| {
            let folder = tempfile::tempdir().expect("a folder");
            let files = files(&folder.path().join("tenants"));
            told(&format!("{agents} agents in a file"), || fill(&files, TENANT, agents));
            (
                Filled {
                    bench: self,
                    registry: AgentRegistry::new(SqliteStore::new(files), SystemSource),
                    agents,
                },
                folder,
            )
        });
        let hand = tempfile::tempdir().expect("a folder");
        let by_hand = told("the same by hand", || ByHand::filled(hand.path(), MANY));
        let [(few, _), (many, _)] = &folders;
        let table = self.table.rounds(ROUNDS);
        table.row(
            "agents in files: get of 1,000,000",
            subject(|_| many.get()),
            [
                contender("of 10,000", |_| few.get()),
                contender("rusqlite by hand, one file for all", |_| {
                    black_box(by_hand.get(scattered(MANY)));
                }),
            ],
        );
        table.row(
            "agents in files: list 20 of 1,000,000",
            subject(|_| many.list()),
            [
                contender("of 10,000", |_| few.list()),
                contender("rusqlite by hand, one file for all", |_| {
                    black_box(by_hand.list(scattered(MANY / 2), 20));
                }),
            ],
        );
        table.row(
            "agents in files: find 20 of 1,000,000",
            subject(|_| many.find()),
            [contender("of 10,000", |_| few.find()), contender("list 20", |_| many.list())],
        );
        let mut next = MANY;
        table.row(
            "agents in files: register beside 1,000,000",
            subject(|_| many.register()),
            [
                contender("beside 10,000", |_| few.register()),
                contender("rusqlite by hand, one file for all", |_| {
                    next += 1;
                    by_hand.insert(next);
                }),
            ],
        );
    }

    /// A tenant at random of so many: its file is open for few of them alone.
    fn many_files(&self) {
        if !self.table.wants("agents in files, by tenants: ") {
            return;
        }
        let folders = [10, 1_000, 100_000].map(|tenants| {
            let folder = tempfile::tempdir().expect("a folder");
            let files = files(folder.path());
            told(&format!("{tenants} files"), || empty_files(&files, tenants));
            let registry = AgentRegistry::new(SqliteStore::new(files), SystemSource);
            (tenants, registry, folder)
        });
        let count = |place: usize| {
            let (tenants, registry, _): &(u64, Registry<SqliteStore>, _) = &folders[place];
            let all = Filter::default();
            let count = registry.count(&all).in_tenant(tenant(scattered(*tenants)));
            assert_eq!(self.wait(count).expect("a count"), 0);
        };
        let table = self.table.rounds(ROUNDS);
        table.row(
            "agents in files, by tenants: 100,000",
            subject(|_| count(2)),
            [contender("1,000", |_| count(1)), contender("10", |_| count(0))],
        );
    }

    fn postgres(&self) {
        if !self.table.wants("agents in Postgres") {
            return;
        }
        let server = Server::start();
        let [few, many] = [FEW, MANY].map(|agents| {
            let database = format!("agents_{agents}");
            let registry = told(&format!("{agents} agents in Postgres"), || {
                self.database(&server, &database, TENANT, 1, agents)
            });
            Filled { bench: self, registry, agents }
        });
        let plain = self.wait(async {
            PlainPostgres::new(server.client("postgres", &format!("agents_{MANY}")).await).await
        });
        let table = self.table.rounds(ROUNDS);
        table.row(
            "agents in Postgres: get of 1,000,000",
            subject(|_| many.get()),
            [
                contender("of 10,000", |_| few.get()),
                contender("tokio-postgres without a tenant", |_| {
                    assert_eq!(self.wait(plain.get(scattered(MANY))), 1);
                }),
            ],
        );
        table.row(
            "agents in Postgres: list 20 of 1,000,000",
            subject(|_| many.list()),
            [
                contender("of 10,000", |_| few.list()),
                contender("tokio-postgres without a tenant", |_| {
                    assert_eq!(self.wait(plain.list(scattered(MANY / 2), 20)), PAGE);
                }),
            ],
        );
        table.row(
            "agents in Postgres: find 20 of 1,000,000",
            subject(|_| many.find()),
            [contender("of 10,000", |_| few.find()), contender("list 20", |_| many.list())],
        );
        table.row(
            "agents in Postgres: register beside 1,000,000",
            subject(|_| many.register()),
            [contender("beside 10,000", |_| few.register())],
        );
        self.many_tenants(&server);
    }

    /// 100,000 agents of so many tenants.
    fn many_tenants(&self, server: &Server) {
        let registries = [10_u64, 1_000, 100_000].map(|tenants| {
            let database = format!("tenants_{tenants}");
            let registry = told(&format!("{tenants} tenants in Postgres"), || {
                self.database(server, &database, tenant(0), tenants, 100_000 / tenants)
            });
            (tenants, registry)
        });
        let get = |place: usize| {
            let (tenants, registry): &(u64, Registry<PgStore>) = &registries[place];
            let owner = tenant(scattered(*tenants));
            black_box(self.wait(registry.get(id(0)).in_tenant(owner)).expect("an agent"));
        };
        self.table.rounds(ROUNDS).row(
            "agents in Postgres, by tenants: get of 100,000",
            subject(|_| get(2)),
            [contender("1,000", |_| get(1)), contender("10", |_| get(0))],
        );
    }

    fn database(
        &self,
        server: &Server,
        name: &str,
        first: TenantId,
        tenants: u64,
        agents: u64,
    ) -> Registry<PgStore> {
        self.wait(async {
            let create = format!("CREATE DATABASE {name}");
            server.superuser().await.batch_execute(&create).await.expect("a database");
            let mut operator = server.client("postgres", name).await;
            set_up(&mut operator).await;
            fill_postgres(&operator, first, tenants, agents).await;
            AgentRegistry::new(connect(server.config("service", name)).await, SystemSource)
        })
    }
}

/// Says how long it takes to make what is timed.
fn told<T>(what: &str, make: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = make();
    eprintln!("{what}: made in {:.0} s", started.elapsed().as_secs_f64());
    result
}
