//! One spoiled message per operation: no tenant sees another one's rows, and each error tells whether the transaction
//! was committed.

use std::collections::BTreeMap;
use std::env;
use std::time::{Duration, Instant};

use fastrand::Rng;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tenancy::{TenantFutureExt, TenantId};
use tenancy_postgres::{Config, Error, PgTenantId, Row, TenantDb, TenantTx};
use tokio::time::{sleep, timeout};
use tokio_postgres::Client;

use crate::support::database::Database;
use crate::support::faults::{Fault, FaultProxy, Label, Phase, Plan, Side};
use crate::support::{A, B, LIMIT, eventually, key};

/// The number of faults, unless the environment variable `TENANCY_FAULTS` sets another one.
const FAULTS: usize = 1200;

/// The number of pools that are tested at the same time, each with a database of its own.
const LANES: usize = 16;

/// How long one operation may take.
const HANG: Duration = Duration::from_secs(5);

/// Each title begins with its tenant's marker. Their characters differ in 7 of 8 bits, and a fault flips at most three.
const MARKERS: [(TenantId, &str); 2] = [(A, "@@@@@@@@"), (B, "????????")];

/// More texts than a session keeps prepared, so that one is closed.
const TEXTS: usize = 40;
const PREPARED: usize = 33;

const INSERT: &str = "INSERT INTO notes (title) VALUES ($1)";
const SELECT: &str = "SELECT tenant_id, title FROM notes WHERE title <> '' ORDER BY id";

/// Returns what an operation can leave in a session.
const LEFT: &str = "SELECT concat_ws(' ', nullif(current_user::text, 'service'), nullif(session_user::text, 'service'),
    nullif(current_setting('statement_timeout'), '0'), nullif(current_setting('my.own', true), ''),
    (SELECT string_agg(name, ',') FROM pg_catalog.pg_cursors WHERE name <> ''), to_regclass('pg_temp.t')::text,
    (SELECT string_agg(objid::text, ',') FROM pg_catalog.pg_locks
        WHERE locktype = 'advisory' AND pid = pg_backend_pid()))";

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Op {
    Execute,
    ExecuteTyped,
    Query,
    QueryThatCloses,
    TableInsert,
    Commit,
    Rollback,
    State,
    Notices,
    Failure,
}

const OPS: [Op; 10] = [
    Op::Execute,
    Op::ExecuteTyped,
    Op::Query,
    Op::QueryThatCloses,
    Op::TableInsert,
    Op::Commit,
    Op::Rollback,
    Op::State,
    Op::Notices,
    Op::Failure,
];

/// The tenant and the title of rows.
type Seen = Vec<(TenantId, String)>;

type Counts = BTreeMap<(Label, Fault), usize>;

struct Lane {
    db: TenantDb,
    proxy: FaultProxy,
    superuser: Client,
    rng: Rng,
    /// The messages of each operation, and how often each is sent.
    known: BTreeMap<(Op, Label), usize>,
    counts: Counts,
    /// How operations with a fault ended.
    outcomes: BTreeMap<&'static str, usize>,
    /// The number of operations without a fault that failed after one.
    repeated: usize,
    number: usize,
}

/// Connects. On a busy machine the audit can take longer than the limit of an answer.
async fn connect(config: &Config) -> TenantDb {
    for _ in 0..20 {
        match TenantDb::connect(config.clone()).await {
            Ok(db) => return db,
            Err(Error::Connection(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    panic!("no connection within 20 attempts");
}

impl Lane {
    async fn open(database: &Database, rng: Rng) -> Self {
        let proxy = FaultProxy::start(database);
        let config = Config::new(proxy.config("service"), key())
            .max_connections(1)
            .acquire_timeout(Duration::from_secs(4))
            .answer_timeout(Duration::from_millis(300));
        let superuser = database.superuser().await;
        superuser.batch_execute("REVOKE ALL ON public.plain FROM tenancy_app").await.expect("revoked");
        let db = connect(&config).await;
        for (tenant, marker) in MARKERS {
            let sql = format!("INSERT INTO notes (tenant_id, title) VALUES ('{tenant}', '{marker} seed')");
            superuser.batch_execute(&sql).await.expect("a seed");
        }
        let mut lane = Self {
            db,
            proxy,
            superuser,
            rng,
            known: BTreeMap::new(),
            counts: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            repeated: 0,
            number: 0,
        };
        for round in 0..3 {
            for op in OPS {
                lane.step(op, round == 0, None).await;
            }
        }
        lane
    }

    async fn run(&mut self, faults: usize) {
        let mut injected = 0;
        let mut attempts = 0;
        while injected < faults {
            attempts += 1;
            assert!(attempts < 20 * faults + 1000, "faults are not injected: {injected} of {faults}");
            let &(op, label) = self.rng.choice(self.known.keys()).expect("messages");
            let fault = self.rng.choice(Fault::ALL).expect("a fault");
            let passes = self.rng.usize(..self.known[&(op, label)]);
            let plan = Plan { label, passes, fault, rng: self.rng.fork() };
            let is_new_session = self.rng.u8(..8) == 0;
            injected += usize::from(self.step(op, is_new_session, Some(plan)).await);
        }
    }

    /// Runs one operation, and looks at everything afterwards. Returns whether the fault was injected.
    async fn step(&mut self, op: Op, is_new_session: bool, plan: Option<Plan>) -> bool {
        self.number += 1;
        let number = self.number;
        let (tenant, marker) = MARKERS[number % 2];
        let what = format!("operation {number}, {op:?} of {marker}, {plan:?}");
        if op == Op::QueryThatCloses {
            // A session closes the statement that it used least recently.
            for text in 0..PREPARED {
                let sql = format!("{SELECT} /* {} */", (number + text) % TEXTS);
                let _ = self.db.query(&sql, &[]).in_tenant(tenant).await;
            }
        }
        if is_new_session {
            self.proxy.cut();
            sleep(Duration::from_millis(1)).await;
        }
        self.proxy.arm(plan.clone());
        let ended = timeout(HANG, self.operate(op, tenant, marker)).await;
        let ended = ended.unwrap_or_else(|_| panic!("a hang: {what}"));
        let (is_met, seen) = self.proxy.disarm();
        let plan = plan.filter(|_| is_met);
        for (label, count) in seen {
            if label.name() != "another message" {
                let known = self.known.entry((op, label)).or_default();
                *known = count.max(*known);
            }
        }
        let fault = plan.as_ref().map(|plan| plan.fault);
        let expected = op.titles(marker, number);
        let is_garbled = fault == Some(Fault::Garble);
        let outcome = match &ended {
            Ok(_) => "ok",
            Err(Error::CommitUnknown(_)) => "commit unknown",
            Err(Error::TxEscaped) => "escaped",
            Err(Error::Postgres(_)) => "server error",
            Err(Error::Connection(_)) => "connection error",
            Err(_) => "another error",
        };
        if let Some(plan) = &plan {
            *self.counts.entry((plan.label, plan.fault)).or_default() += 1;
            *self.outcomes.entry(outcome).or_default() += 1;
        } else if op != Op::Failure && !is_new_session {
            assert!(ended.is_ok(), "an error without a fault: {ended:?}, {what}");
        }
        if let Ok(rows) = &ended {
            verify(rows, tenant, &what);
        }
        // The other tenant is next in this pool.
        let (other, _) = MARKERS[(number + 1) % 2];
        for tenant in [other, tenant] {
            let rows = self.without_fault(tenant, is_garbled, &what, async |db: &TenantDb| {
                Ok(read(&db.query(SELECT, &[]).in_tenant(tenant).await?))
            });
            let rows = rows.await;
            verify(&rows, tenant, &what);
            assert!(rows.iter().any(|(_, title)| title.ends_with("seed")), "{rows:?}, {what}");
            let left = self.without_fault(tenant, is_garbled, &what, async |db: &TenantDb| {
                let left = async |tx: &TenantTx<'_>| tx.query_unverified(LEFT, &[]).await;
                Ok(db.tx_in(tenant, left).await?[0].get::<_, String>(0))
            });
            assert_eq!(left.await, "", "{what}");
        }
        self.sessions_end(&what).await;
        self.compare(&ended, &expected, plan.as_ref(), tenant, &what).await;
        is_met && plan.is_some()
    }

    async fn operate(&self, op: Op, tenant: TenantId, marker: &str) -> Result<Seen, Error> {
        let (db, number) = (&self.db, self.number);
        let titles = op.titles(marker, number);
        let title = format!("{marker} {number}");
        match op {
            Op::Execute => db.execute(INSERT, &[&title]).in_tenant(tenant).await.map(|_| Seen::new()),
            Op::ExecuteTyped => {
                // A new text, so that the server is asked for the types.
                let sql = format!("INSERT INTO notes (title) SELECT $1 WHERE $2 > 0::bigint /* {number} */");
                db.execute(&sql, &[&title, &1_i64]).in_tenant(tenant).await.map(|_| Seen::new())
            }
            Op::Query => db.query(SELECT, &[]).in_tenant(tenant).await.map(|rows| read(&rows)),
            Op::QueryThatCloses => {
                let sql = format!("{SELECT} /* {} */", (number + PREPARED) % TEXTS);
                db.query(&sql, &[]).in_tenant(tenant).await.map(|rows| read(&rows))
            }
            Op::TableInsert => {
                let insert = db.table("notes").insert(json!({ "title": title })).returning("title");
                let rows: Vec<Value> = insert.rows().in_tenant(tenant).await?;
                let title = |row: &Value| row["title"].as_str().unwrap_or_default().to_owned();
                Ok(rows.iter().map(|row| (tenant, title(row))).collect())
            }
            Op::Commit => {
                db.tx_in(tenant, async |tx: &TenantTx<'_>| {
                    tx.execute(INSERT, &[&titles[0]]).await?;
                    let sql = "INSERT INTO notes (title) VALUES ($1) RETURNING tenant_id, title";
                    Ok(read(&tx.query(sql, &[&titles[1]]).await?))
                })
                .await
            }
            Op::Rollback => {
                let tx = db.begin_in(tenant).await?;
                tx.execute(INSERT, &[&title]).await?;
                let rows = read(&tx.query(SELECT, &[]).await?);
                tx.rollback().await.map(|()| rows)
            }
            Op::State => {
                db.tx_in(tenant, async |tx: &TenantTx<'_>| {
                    tx.execute("SET statement_timeout = '1h'", &[]).await?;
                    tx.execute("SELECT set_config('my.own', 'a', false)", &[]).await?;
                    tx.execute("SELECT pg_advisory_lock(1)", &[]).await?;
                    tx.execute("DECLARE c CURSOR WITH HOLD FOR SELECT title FROM notes", &[]).await?;
                    tx.execute("SET ROLE tenancy_app", &[]).await?;
                    tx.execute(INSERT, &[&title]).await.map(|_| Seen::new())
                })
                .await
            }
            Op::Notices => {
                db.tx_in(tenant, async |tx: &TenantTx<'_>| {
                    tx.execute("DO $$BEGIN RAISE NOTICE 'a notice'; END$$", &[]).await?;
                    // The scrub reports that the session has to be closed.
                    tx.execute("CREATE TEMP TABLE t (n integer)", &[]).await?;
                    tx.execute(INSERT, &[&title]).await.map(|_| Seen::new())
                })
                .await
            }
            Op::Failure => {
                db.tx_in(tenant, async |tx: &TenantTx<'_>| {
                    tx.execute(INSERT, &[&title]).await?;
                    tx.execute("INSERT INTO notes (title) VALUES (NULL)", &[]).await.map(|_| Seen::new())
                })
                .await
            }
        }
    }

    /// Runs work that must succeed. The first attempt may find what is left of a fault, for example a message that
    /// arrived twice. What a session learned from a garbled message ends with the session.
    async fn without_fault<T>(
        &mut self,
        tenant: TenantId,
        is_garbled: bool,
        what: &str,
        work: impl AsyncFn(&TenantDb) -> Result<T, Error>,
    ) -> T {
        for attempt in 0..4 {
            let done = timeout(HANG, work(&self.db)).await;
            match done.unwrap_or_else(|_| panic!("a hang of {tenant:?} after {what}")) {
                Ok(value) => return value,
                Err(error) => assert!(attempt < 3, "{tenant:?} cannot work after {what}: {error:?}"),
            }
            self.repeated += 1;
            if is_garbled && attempt > 0 {
                self.proxy.cut();
                sleep(Duration::from_millis(5)).await;
            }
        }
        unreachable!("the last attempt panics")
    }

    /// Waits until the pool's session is the only one: a session that was closed may still run what it has received.
    async fn sessions_end(&self, what: &str) {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'service' AND datname = current_database()";
        eventually(what, LIMIT, async || {
            self.superuser.query_one(sql, &[]).await.expect("a row").get::<_, i64>(0) <= 1
        })
        .await;
    }

    /// Compares the operation's result with the rows that are stored, and removes them.
    async fn compare(
        &mut self,
        ended: &Result<Seen, Error>,
        titles: &[String],
        plan: Option<&Plan>,
        tenant: TenantId,
        what: &str,
    ) {
        let sql = "DELETE FROM notes WHERE title NOT LIKE '% seed' RETURNING tenant_id, title";
        let rows = self.superuser.query(sql, &[]).await.expect("rows");
        let row = |row: &tokio_postgres::Row| (TenantId::from(row.get::<_, PgTenantId>(0)), row.get(1));
        let mut stored: Seen = rows.iter().map(row).collect();
        stored.sort();
        let expected: Seen = titles.iter().map(|title| (tenant, title.clone())).collect();
        let is_whole = stored.is_empty() || stored == expected;
        match ended {
            Ok(_) => assert_eq!(stored, expected, "ok: {what}"),
            // The outcome is unknown, but the transaction is atomic.
            Err(Error::CommitUnknown(_)) => assert!(is_whole, "{stored:?}, {what}"),
            Err(_) if stored.is_empty() => {}
            // The documentation of `TxEscaped`: "What it did until then may be committed". A garbled answer to the
            // commit says that it was a rollback, or that a transaction is open.
            Err(Error::TxEscaped) if plan.is_some_and(|plan| plan.fault == Fault::Garble) => {
                *self.outcomes.entry("escaped, committed").or_default() += 1;
                assert!(is_whole, "{stored:?}, {what}");
            }
            // The server did not receive `BEGIN`: the `Sync` after a statement commits it.
            Err(_) if plan.is_some_and(loses_begin) => {
                *self.outcomes.entry("committed without BEGIN").or_default() += 1;
                assert!(stored.iter().all(|(found, _)| *found == tenant), "{stored:?}, {what}");
            }
            Err(error) => panic!("committed in spite of {error:?}: {stored:?}, {what}"),
        }
    }
}

/// Whether the server may not receive the `BEGIN`. No client can notice that before the server has run the statement.
fn loses_begin(plan: &Plan) -> bool {
    let is_lost = matches!(plan.fault, Fault::Drop | Fault::Garble);
    is_lost && plan.label.side == Side::Frontend && plan.label.phase == Phase::Enter
}

impl Op {
    /// The titles that are stored if the operation succeeds.
    fn titles(self, marker: &str, number: usize) -> Vec<String> {
        let title = format!("{marker} {number}");
        match self {
            Self::Query | Self::QueryThatCloses | Self::Rollback | Self::Failure => Vec::new(),
            Self::Commit => vec![format!("{title} a"), format!("{title} b")],
            _ => vec![title],
        }
    }
}

/// Reads rows whose bytes may be garbled.
fn read(rows: &[Row]) -> Seen {
    let tenant = |row: &Row| row.try_get::<_, PgTenantId>("tenant_id").map(TenantId::from);
    let title = |row: &Row| row.try_get::<_, String>("title");
    rows.iter().filter_map(|row| Some((tenant(row).ok()?, title(row).ok()?))).collect()
}

/// No row has the other tenant's id or marker.
#[track_caller]
fn verify(rows: &Seen, tenant: TenantId, what: &str) {
    for (found, title) in rows {
        let is_foreign =
            MARKERS.iter().any(|(other, marker)| *other != tenant && title.contains(&marker[..2]));
        assert!(*found == tenant && !is_foreign, "a foreign row {title:?} of {found:?}: {what}");
    }
}

fn setting<T: std::str::FromStr>(name: &str) -> Option<T> {
    env::var(name).ok().and_then(|text| text.parse().ok())
}

fn print(counts: &Counts) {
    let phases = [Phase::Enter, Phase::Statement, Phase::Scrub, Phase::End];
    println!("{:<22}{:<12}{:>8}{:>11}{:>8}{:>8}", "message", "fault", "enter", "statement", "scrub", "end");
    let mut lines: BTreeMap<_, BTreeMap<Phase, usize>> = BTreeMap::new();
    for ((label, fault), count) in counts {
        let line = lines.entry((label.side, label.name(), *fault)).or_default();
        *line.entry(label.phase).or_default() += count;
    }
    for ((_, name, fault), line) in lines {
        let [enter, statement, scrub, end] =
            phases.map(|phase| line.get(&phase).copied().unwrap_or_default());
        println!("{name:<22}{:<12}{enter:>8}{statement:>11}{scrub:>8}{end:>8}", format!("{fault:?}"));
    }
}

#[test]
#[ignore = "needs postgres; cargo xtask test runs it"]
fn a_spoiled_message_shows_no_foreign_row_and_hides_no_commit() {
    let seed = setting("TENANCY_SEED").unwrap_or_else(|| fastrand::u64(..));
    let faults: usize = setting("TENANCY_FAULTS").unwrap_or(FAULTS);
    println!("TENANCY_SEED={seed} TENANCY_FAULTS={faults}");
    let start = Instant::now();
    let databases: Vec<_> = (0..LANES).map(|_| Database::with_notes()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut lanes = Vec::new();
    runtime.block_on(async {
        for (database, number) in databases.iter().zip(0..) {
            lanes.push(Lane::open(database, Rng::with_seed(seed.wrapping_add(number))).await);
        }
        join_all(lanes.iter_mut().map(|lane| lane.run(faults.div_ceil(LANES)))).await;
    });
    let (mut counts, mut outcomes) = (Counts::new(), BTreeMap::new());
    for lane in &lanes {
        lane.counts.iter().for_each(|(key, count)| *counts.entry(*key).or_default() += count);
        lane.outcomes.iter().for_each(|(key, count)| *outcomes.entry(*key).or_insert(0) += count);
    }
    print(&counts);
    let (total, repeated) =
        (counts.values().sum::<usize>(), lanes.iter().map(|lane| lane.repeated).sum::<usize>());
    println!(
        "{total} faults in {:?}: {outcomes:?}; {repeated} later operations were repeated",
        start.elapsed()
    );
    assert!(total >= faults);
}
