//! The figures `agents/…`: `cargo xtask bench agents`.

use std::hint::black_box;
use std::time::Instant;

use bench_agents::{
    ByHand, Map, PlainPostgres, TENANT, client, connect, empty_files, files, fill, fill_postgres, id,
    scattered, set_up, tenant,
};
use bench_harness::{Table, peer, subject};
use tenancy::{TenantContext, TenantFutureExt, TenantId};
use tenancy_agents::{
    Agent, AgentContent, AgentId, AgentName, AgentRegistry, AgentStatus, Capabilities, Filter, FixedStore,
    IdGenerator, PgStore, Query, RandomIds, SqliteStore, Store, SystemClock,
};
use tenancy_testkit::PgServer;
use tokio::runtime::Runtime;

const FEW: u64 = 10_000;
const MANY: u64 = 1_000_000;
/// The creation of a file waits for the disk, so that there are fewer files than tenants in Postgres.
const FILES: [u64; 3] = [10, 1_000, 10_000];
const TENANTS: [u64; 3] = [10, 1_000, 100_000];
const PAGE: usize = 20;
/// A row that waits for a disk or a server has fewer rounds.
const ROUNDS: usize = 40;
const MAP: &str = "a `BTreeMap` in a mutex";
const RUSQLITE: &str = "rusqlite, one file for all tenants";
const PLAIN: &str = "tokio-postgres without a tenant";
const OF_FEW: &str = "the same with 10,000 agents";
/// The operations that are timed in each store.
const OPERATIONS: [&str; 4] = ["get", "list", "find", "register"];

fn main() {
    let table = Table::from_args();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let bench = Bench { table, runtime };
    bench.fixed();
    bench.files();
    bench.many_files();
    let is_wanted = |name: &str| bench.table.wants_any(&format!("agents/postgres/{name}"));
    let [agents, tenants] = [OPERATIONS.into_iter().any(is_wanted), is_wanted("tenants")];
    if agents || tenants {
        let server = PgServer::start().expect("a Postgres server");
        if agents {
            bench.postgres(&server);
        }
        if tenants {
            bench.many_tenants(&server);
        }
    }
}

struct Bench {
    table: Table,
    runtime: Runtime,
}

type Registry<S> = AgentRegistry<S, SystemClock, RandomIds>;

/// A registry with this many agents of the tenant.
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
        let name = AgentName::parse(&format!("new-{}", RandomIds.new_id())).expect("a name");
        let registered = self.wait(TENANT, self.registry.register(name, content())).expect("a new agent");
        assert!(registered.is_new);
    }
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

    /// 63 agents of three tenants, half of them of one tenant, and one free slot.
    fn fixed(&self) {
        static STORE: FixedStore<64> = FixedStore::new();
        let registry = AgentRegistry::new(&STORE, SystemClock, RandomIds);
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
            "agents/fixed/get",
            subject(|at| drop(black_box(get(pick(at))))),
            [peer(MAP, |at| drop(black_box(map.get(TENANT, pick(at))))).target(1.5)],
        );
        let page = |filter: Filter| {
            let query = Query::first(filter, PAGE);
            let list = registry.list(&query, |agent| drop(black_box(agent)));
            self.wait(list.in_tenant(TENANT)).expect("a page");
        };
        self.table.row(
            "agents/fixed/list",
            subject(|_| page(Filter::default())),
            [peer(MAP, |_| drop(black_box(map.list(TENANT, PAGE))))],
        );
        let chat = Filter::active_with("chat".parse().expect("a tag"));
        self.table.row(
            "agents/fixed/find",
            subject(|_| page(chat.clone())),
            [
                peer(MAP, |_| drop(black_box(map.find(TENANT, "chat", PAGE)))),
                peer("`tenancy`, list 20", |_| page(Filter::default())),
            ],
        );
        let in_and_out = |_| {
            let register = registry.register(AgentName::parse("in-and-out").expect("a name"), content());
            let agent = self.wait(register.in_tenant(TENANT)).expect("a free slot").agent;
            self.wait(registry.deregister(agent.id).in_tenant(TENANT)).expect("an agent of the tenant");
        };
        let mut agent = map.get(TENANT, pick(0)).expect("an agent");
        self.table.row(
            "agents/fixed/register",
            subject(in_and_out),
            [peer(MAP, |_| {
                agent.id = RandomIds.new_id();
                map.insert(agent.clone());
                drop(black_box(map.remove(TENANT, agent.id)));
            })],
        );
    }

    fn active<S: Store>(&self, registry: &Registry<S>, owner: TenantId, number: u64) -> Agent {
        let name = AgentName::parse(&format!("agent-{number}")).expect("a name");
        let activate = async {
            let id = registry.register(name, content()).await.expect("a free slot").agent.id;
            registry.submit(id).await.expect("a draft");
            let approval =
                TenantContext::scope(TenantId::PLATFORM, || tenancy_agents::Approval::grant(owner, id));
            registry
                .approve(id, &approval.expect("the platform's approval"))
                .await
                .expect("a submitted agent")
        };
        let agent = self.wait(activate.in_tenant(owner));
        assert_eq!(agent.status, AgentStatus::Active);
        agent
    }

    fn files(&self) {
        if !OPERATIONS.iter().any(|name| self.table.wants_any(&format!("agents/sqlite/{name}"))) {
            return;
        }
        let folders = [FEW, MANY].map(|agents| {
            let agents = self.table.amount(agents);
            let folder = tempfile::tempdir().expect("a temporary folder");
            let files = files(&folder.path().join("tenants"));
            prepare(&format!("{agents} agents in a file"), || fill(&files, TENANT, agents));
            (
                Filled {
                    bench: self,
                    registry: AgentRegistry::new(SqliteStore::new(files), SystemClock, RandomIds),
                    agents,
                },
                folder,
            )
        });
        let hand = tempfile::tempdir().expect("a temporary folder");
        let agents = self.table.amount(MANY);
        let by_hand = prepare("a file for rusqlite", || ByHand::filled(hand.path(), agents));
        let [(few, _), (many, _)] = &folders;
        let table = self.table.rounds(ROUNDS);
        table.row(
            "agents/sqlite/get",
            subject(|_| many.get()),
            [
                peer(RUSQLITE, |_| drop(black_box(by_hand.get(scattered(agents))))),
                peer(OF_FEW, |_| few.get()),
            ],
        );
        table.row(
            "agents/sqlite/list",
            subject(|_| many.list()),
            [
                peer(RUSQLITE, |_| {
                    assert_eq!(black_box(by_hand.list(scattered(agents / 2), 20)).len(), PAGE);
                }),
                peer(OF_FEW, |_| few.list()),
            ],
        );
        table.row(
            "agents/sqlite/find",
            subject(|_| many.find()),
            [
                peer(RUSQLITE, |_| {
                    assert_eq!(black_box(by_hand.find(scattered(agents / 2), 20)).len(), PAGE);
                }),
                peer(OF_FEW, |_| few.find()),
                peer("`tenancy`, list 20", |_| many.list()),
            ],
        );
        let mut next = agents;
        table.row(
            "agents/sqlite/register",
            subject(|_| many.register()),
            [
                peer(RUSQLITE, |_| {
                    next += 1;
                    by_hand.register(next);
                }),
                peer(OF_FEW, |_| few.register()),
            ],
        );
    }

    /// Counts the agents of a random tenant. Only a few of the files are open at a time.
    fn many_files(&self) {
        if !self.table.wants_any("agents/sqlite/tenants") {
            return;
        }
        let folders = FILES.map(|tenants| {
            let tenants = self.table.amount(tenants).max(10);
            let folder = tempfile::tempdir().expect("a temporary folder");
            let files = files(folder.path());
            prepare(&format!("{tenants} files"), || empty_files(&files, tenants));
            let registry = AgentRegistry::new(SqliteStore::new(files), SystemClock, RandomIds);
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
            "agents/sqlite/tenants",
            subject(|_| count(2)),
            [
                peer("the same of 10 tenants, whose files stay open", |_| count(0)),
                peer("the same of 1,000 tenants", |_| count(1)),
            ],
        );
    }

    fn postgres(&self, server: &PgServer) {
        let [few, many] = [(FEW, "agents_few"), (MANY, "agents_many")].map(|(agents, database)| {
            let agents = self.table.amount(agents);
            let registry = prepare(&format!("{agents} agents in Postgres"), || {
                self.database(server, database, TENANT, 1, agents)
            });
            Filled { bench: self, registry, agents }
        });
        let agents = many.agents;
        let plain = self
            .wait(async { PlainPostgres::new(client(&server.url("postgres", "agents_many")).await).await });
        let table = self.table.rounds(ROUNDS);
        table.row(
            "agents/postgres/get",
            subject(|_| many.get()),
            [
                peer(PLAIN, |_| assert_eq!(self.wait(plain.get(scattered(agents))), 1)).target(1.3),
                peer(OF_FEW, |_| few.get()),
            ],
        );
        table.row(
            "agents/postgres/list",
            subject(|_| many.list()),
            [
                peer(PLAIN, |_| assert_eq!(self.wait(plain.list(scattered(agents / 2), 20)), PAGE))
                    .target(1.5),
                peer(OF_FEW, |_| few.list()),
            ],
        );
        table.row(
            "agents/postgres/find",
            subject(|_| many.find()),
            [
                peer(PLAIN, |_| assert_eq!(self.wait(plain.find(scattered(agents / 2), 20)), PAGE)),
                peer(OF_FEW, |_| few.find()),
                peer("`tenancy`, list 20", |_| many.list()),
            ],
        );
        table.row(
            "agents/postgres/register",
            subject(|_| many.register()),
            [
                peer(PLAIN, |_| self.wait(plain.register(RandomIds.new_id()))),
                peer(OF_FEW, |_| few.register()),
            ],
        );
    }

    /// Gets an agent of a random tenant. Each database has the same number of agents.
    fn many_tenants(&self, server: &PgServer) {
        let agents = self.table.amount(TENANTS[2]);
        let registries = TENANTS.map(|tenants| {
            let database = format!("tenants_{tenants}");
            let tenants = self.table.amount(tenants).max(10);
            let registry = prepare(&format!("{tenants} tenants in Postgres"), || {
                self.database(server, &database, tenant(0), tenants, agents / tenants)
            });
            (tenants, registry)
        });
        let get = |place: usize| {
            let (tenants, registry): &(u64, Registry<PgStore>) = &registries[place];
            let owner = tenant(scattered(*tenants));
            black_box(self.wait(registry.get(id(0)).in_tenant(owner)).expect("an agent"));
        };
        self.table.rounds(ROUNDS).row(
            "agents/postgres/tenants",
            subject(|_| get(2)),
            [peer("the same of 10 tenants", |_| get(0)), peer("the same of 1,000 tenants", |_| get(1))],
        );
    }

    fn database(
        &self,
        server: &PgServer,
        name: &str,
        first: TenantId,
        tenants: u64,
        agents: u64,
    ) -> Registry<PgStore> {
        server.execute("postgres", &format!("CREATE DATABASE {name}")).expect("a new database");
        self.wait(async {
            let mut operator = client(&server.url("postgres", name)).await;
            set_up(&mut operator).await;
            fill_postgres(&operator, first, tenants, agents).await;
            AgentRegistry::new(connect(&server.url("service", name)).await, SystemClock, RandomIds)
        })
    }
}

/// Prepares data and prints how long it took.
fn prepare<T>(what: &str, prepare: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = prepare();
    eprintln!("created {what} in {:.0} s", started.elapsed().as_secs_f64());
    result
}
