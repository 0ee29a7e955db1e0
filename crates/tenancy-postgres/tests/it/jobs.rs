//! Jobs in a table run in a transaction of the tenant of their token, or not at all.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tenancy::{TenantContext, TenantFutureExt, TenantId};
use tenancy_postgres::{EnqueueError, Error, JOBS_SQL, JobProducer, JobWorker, PgJob, TenantDb, TenantTx};
use tenancy_token::{Claims, Issuer, JobOutcome, MAX_TOKEN, TokenErrorKind, TokenKey, UnixSeconds, Verifier};
use tokio_postgres::Client;

use crate::support::database::{Contents, Database};
use crate::support::notes::{config, connect_by, insert, notes};
use crate::support::{A, B};

type Outcome = JobOutcome<&'static str>;

fn token_key() -> TokenKey {
    TokenKey::hmac(b"2026-12", &[7; 32]).expect("a key")
}

fn verifier() -> Verifier<1> {
    Verifier::new("jobs").key(token_key()).expect("room for a key")
}

fn producer() -> JobProducer {
    JobProducer::new(Issuer::new(token_key(), "jobs", Duration::from_secs(300)).expect("an issuer"))
}

fn claims(tenant: TenantId) -> Claims<'static> {
    Claims::new(tenant, "jobs", UnixSeconds::now().expect("the time").after(300)).id(b"12345678")
}

fn mint(key: &TokenKey, claims: &Claims<'_>) -> Vec<u8> {
    key.mint(claims, &mut [0; MAX_TOKEN]).expect("a token").to_vec()
}

/// A database with the job tables, and a worker that starts jobs again at once.
struct Queue {
    database: Database,
    db: TenantDb,
    superuser: Client,
    worker: JobWorker<1>,
}

impl Queue {
    async fn start() -> Self {
        // A login with `BYPASSRLS` belongs to a whole server.
        let database = Database::alone(Contents::Notes);
        let superuser = database.superuser().await;
        superuser.batch_execute(JOBS_SQL).await.expect("the tables");
        let worker = "CREATE ROLE jobs_worker LOGIN BYPASSRLS;
            GRANT SELECT, UPDATE ON public.tenancy_jobs TO jobs_worker;
            GRANT SELECT, INSERT, DELETE ON public.tenancy_job_tokens TO jobs_worker";
        superuser.batch_execute(worker).await.expect("the worker's login");
        // The audit accepts the tables.
        let db = connect_by(&database, config(&database)).await;
        let worker = worker_of(&database, &db).await;
        Self { database, db, superuser, worker }
    }

    async fn enqueue(&self, tenant: TenantId, payload: &[u8]) {
        let enqueue = async |tx: &TenantTx<'_>| producer().enqueue(tx, payload).await;
        self.db.tx(enqueue).in_tenant(tenant).await.expect("a job");
    }

    /// Adds a job as an attacker does who can write to the table.
    async fn add(&self, tenant: TenantId, token: &[u8], payload: &[u8]) {
        let sql = "INSERT INTO tenancy_jobs (tenant_id, token, payload) VALUES ($1, $2, $3)";
        let tenant = uuid::Uuid::from(tenant);
        self.superuser.execute(sql, &[&tenant, &token, &payload]).await.expect("a job");
    }

    async fn run(
        &self,
        handler: impl AsyncFnOnce(&TenantTx<'_>, PgJob) -> Result<(), &'static str>,
    ) -> Option<Outcome> {
        let outcome = self.worker.run_next(handler).await.expect("a database");
        assert!(!TenantContext::is_set(), "a job left a context");
        outcome
    }

    async fn count(&self, condition: &str) -> i64 {
        let sql = format!("SELECT count(*) FROM tenancy_jobs WHERE {condition}");
        self.superuser.query_one(&sql, &[]).await.expect("a count").get(0)
    }
}

async fn worker_of(database: &Database, db: &TenantDb) -> JobWorker<1> {
    let client = database.client("jobs_worker").await;
    JobWorker::new(db.clone(), client, verifier()).retry_after(Duration::ZERO).max_attempts(3)
}

/// The handler of a job that must not run.
async fn forbidden(_: &TenantTx<'_>, job: PgJob) -> Result<(), &'static str> {
    panic!("job {} ran", job.id)
}

async fn write(tx: &TenantTx<'_>, title: &str) {
    tx.execute("INSERT INTO notes (title) VALUES ($1)", &[&title]).await.expect("a note");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn job_runs_in_a_transaction_of_its_tenant_and_is_removed() {
    let queue = Queue::start().await;
    assert_eq!(queue.run(forbidden).await, None);
    queue.enqueue(A, b"of a").await;
    queue.enqueue(B, b"of b").await;
    for (tenant, payload) in [(A, "of a"), (B, "of b")] {
        let outcome = queue.run(async |tx, job| {
            assert_eq!((TenantContext::get(), tx.tenant()), (Ok(tenant), tenant));
            assert_eq!((&*job.payload, job.attempt), (payload.as_bytes(), 1));
            write(tx, payload).await;
            assert_eq!(TenantContext::get(), Ok(tenant));
            Ok(())
        });
        assert_eq!(outcome.await, Some(Outcome::Completed));
    }
    assert_eq!(queue.run(forbidden).await, None);
    assert_eq!(queue.count("true").await, 0);
    assert_eq!(
        (notes(&queue.db, A).await, notes(&queue.db, B).await),
        (vec!["of a".into()], vec!["of b".into()])
    );
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn job_without_a_tenant_is_an_error_at_the_sender() {
    let queue = Queue::start().await;
    let enqueue = async |tx: &TenantTx<'_>| producer().enqueue(tx, b"a job").await;
    let error = queue.db.tx(enqueue).await.unwrap_err();
    assert!(matches!(error, EnqueueError::Database(Error::Tenant(_))), "{error:?}");
    // A transaction that is rolled back adds no job.
    let failed = queue.db.tx(async |tx| {
        producer().enqueue(tx, b"a job").await?;
        Err::<(), _>(EnqueueError::Database(Error::TxClosed))
    });
    assert!(failed.in_tenant(A).await.is_err());
    assert_eq!(queue.count("true").await, 0);
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn jobs_without_a_valid_token_never_run_and_do_not_stop_the_queue() {
    let queue = Queue::start().await;
    let good = mint(&token_key(), &claims(A).payload(b"a job"));
    let forged = mint(&TokenKey::hmac(b"2026-12", &[8; 32]).unwrap(), &claims(A).payload(b"a job"));
    let elsewhere = Claims::new(A, "mail", UnixSeconds(u64::MAX)).id(b"12345678").payload(b"a job");
    let past = Claims::new(A, "jobs", UnixSeconds(1)).id(b"12345678").payload(b"a job");
    let nameless = Claims::new(A, "jobs", UnixSeconds(u64::MAX)).payload(b"a job");
    let cases: [(TenantId, &[u8], &[u8], TokenErrorKind); 9] = [
        (A, b"", b"a job", TokenErrorKind::Malformed),
        (A, b"not a token", b"a job", TokenErrorKind::Malformed),
        (A, &forged, b"a job", TokenErrorKind::Signature),
        (A, &good, b"another job", TokenErrorKind::Payload),
        (A, &mint(&token_key(), &claims(A)), b"a job", TokenErrorKind::Payload),
        (A, &mint(&token_key(), &elsewhere), b"a job", TokenErrorKind::Audience),
        (A, &mint(&token_key(), &past), b"a job", TokenErrorKind::Expired),
        (A, &mint(&token_key(), &nameless), b"a job", TokenErrorKind::Replayed),
        // A row of another tenant with the token of this one.
        (B, &good, b"a job", TokenErrorKind::Tenant),
    ];
    for (tenant, token, payload, _) in cases {
        queue.add(tenant, token, payload).await;
    }
    queue.enqueue(B, b"the next job").await;
    for (.., kind) in cases {
        assert_eq!(queue.run(forbidden).await, Some(Outcome::Rejected(kind.into())));
    }
    assert_eq!(queue.run(async |_, _| Ok(())).await, Some(Outcome::Completed));
    assert_eq!(queue.run(forbidden).await, None);
    assert_eq!(queue.count("rejected IS NOT NULL").await, 9);
    assert_eq!(queue.count("rejected = 'invalid signature'").await, 1);
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn copy_of_a_job_does_not_run() {
    let queue = Queue::start().await;
    let token = mint(&token_key(), &claims(A).payload(b"a job"));
    queue.add(A, &token, b"a job").await;
    queue.add(A, &token, b"a job").await;
    assert_eq!(queue.run(async |_, _| Ok(())).await, Some(Outcome::Completed));
    let replayed = Outcome::Rejected(TokenErrorKind::Replayed.into());
    assert_eq!(queue.run(forbidden).await, Some(replayed.clone()));
    // A tenant copies its own job, and cannot reach the list of tokens.
    let sql = "INSERT INTO tenancy_jobs (token, payload) VALUES ($1, 'a job')";
    assert_eq!(queue.db.execute(sql, &[&token]).in_tenant(A).await.expect("a job"), 1);
    let forget = queue.db.execute("DELETE FROM tenancy_job_tokens", &[]).in_tenant(A).await.unwrap_err();
    assert_eq!(forget.code(), Some("42501"));
    assert_eq!(queue.run(forbidden).await, Some(replayed));
    // Tokens that have expired are forgotten.
    queue
        .superuser
        .batch_execute("UPDATE tenancy_job_tokens SET expires_at = now() - interval '1 s'")
        .await
        .unwrap();
    queue.enqueue(B, b"a job").await;
    assert_eq!(queue.run(async |_, _| Ok(())).await, Some(Outcome::Completed));
    let left = queue.superuser.query_one("SELECT count(*) FROM tenancy_job_tokens", &[]).await.unwrap();
    assert_eq!(left.get::<_, i64>(0), 1);
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn failed_and_panicked_jobs_are_rolled_back_and_run_again_until_they_are_exhausted() {
    let queue = Queue::start().await;
    queue.enqueue(A, b"poison").await;
    let failed = queue.run(async |tx, _| {
        write(tx, "failed").await;
        TenantContext::set(B);
        Err("broken")
    });
    assert_eq!(failed.await, Some(Outcome::Failed("broken")));
    let panicked = queue.run(async |tx, job| {
        assert_eq!((job.attempt, TenantContext::get()), (2, Ok(A)));
        write(tx, "panicked").await;
        std::mem::forget(TenantContext::enter(B));
        std::panic::resume_unwind(Box::new("on purpose"))
    });
    assert_eq!(panicked.await, Some(Outcome::Panicked));
    // The handler ignores an error, and could not be committed.
    let rolled_back = queue.run(async |tx, _| {
        write(tx, "ignored").await;
        assert!(tx.execute("SELECT 1 / 0", &[]).await.is_err());
        Ok(())
    });
    assert_eq!(rolled_back.await, Some(Outcome::RolledBack));
    assert_eq!(queue.run(forbidden).await, Some(Outcome::Exhausted));
    assert_eq!(queue.run(forbidden).await, None);
    assert_eq!((queue.count("rejected IS NULL").await, queue.count("true").await), (0, 1));
    assert!(notes(&queue.db, A).await.is_empty(), "failed jobs left something");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn handler_that_leaves_its_transaction_does_not_complete_the_job() {
    let queue = Queue::start().await;
    queue.enqueue(A, b"escapes").await;
    let escaped = queue.run(async |tx, _| {
        let _ = tx.execute("COMMIT", &[]).await;
        Ok(())
    });
    assert_eq!(escaped.await, Some(Outcome::RolledBack));
    assert_eq!(queue.count("attempt = 1").await, 1);
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn cancelled_job_runs_again_and_a_slow_one_commits_once() {
    let queue = Queue::start().await;
    queue.enqueue(A, b"slow").await;
    let job = queue.run(async |tx, _| {
        write(tx, "cancelled").await;
        TenantContext::set(B);
        std::future::pending().await
    });
    let cancelled = tokio::time::timeout(Duration::from_millis(300), job).await;
    assert!(cancelled.is_err() && !TenantContext::is_set());
    // Another worker starts the job while the first one is still running.
    let other = worker_of(&queue.database, &queue.db).await;
    let slow = queue.run(async |tx, job| {
        assert_eq!((job.attempt, TenantContext::get()), (2, Ok(A)));
        write(tx, "slow").await;
        let outcome = other.run_next(async |tx: &TenantTx<'_>, _| {
            write(tx, "fast").await;
            Ok::<_, &str>(())
        });
        assert_eq!(outcome.await.expect("a database"), Some(Outcome::Completed));
        assert_eq!(TenantContext::get(), Ok(A));
        Ok(())
    });
    assert_eq!(slow.await, Some(Outcome::RolledBack));
    assert_eq!(notes(&queue.db, A).await, ["fast"]);
}

fn tenant(number: usize) -> TenantId {
    let mut bytes = [0xa5; 16];
    bytes[8..].copy_from_slice(&(number as u64).to_be_bytes());
    TenantId::from_bytes(bytes).expect("neither nil nor max")
}

/// The number of jobs of the next test. `TENANCY_TOKEN_JOBS` sets another one.
fn job_count() -> usize {
    std::env::var("TENANCY_TOKEN_JOBS").map_or(1_000, |count| count.parse().expect("a number"))
}

/// Jobs of 50 tenants on 4 workers. Some fail, panic or are cancelled at their first attempt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn jobs_under_load_run_in_their_own_tenants_once() {
    let queue = Queue::start().await;
    let (count, producer) = (job_count(), producer());
    for number in 0..count {
        let payload = number.to_string();
        let enqueue = async |tx: &TenantTx<'_>| producer.enqueue(tx, payload.as_bytes()).await;
        queue.db.tx(enqueue).in_tenant(tenant(number % 50)).await.expect("a job");
    }
    let (completed, wrong) = (Mutex::new(HashMap::new()), AtomicUsize::new(0));
    let work = async || {
        let worker = worker_of(&queue.database, &queue.db).await.max_attempts(100);
        let worker = worker.retry_after(Duration::from_millis(500));
        while completed.lock().unwrap().len() < count {
            let seen = Mutex::new(None);
            let handler = async |tx: &TenantTx<'_>, job: PgJob| {
                let number: usize = str::from_utf8(&job.payload).unwrap().parse().unwrap();
                let is_wrong = || usize::from(TenantContext::get() != Ok(tenant(number % 50)));
                wrong.fetch_add(is_wrong(), Ordering::Relaxed);
                if job.attempt == 1 {
                    // What careless code leaves behind.
                    TenantContext::set(tenant(999));
                    match number % 97 {
                        0 => return Err("on purpose"),
                        1 => std::panic::resume_unwind(Box::new("on purpose")),
                        2 => std::future::pending().await,
                        _ => TenantContext::set(tx.tenant()),
                    }
                }
                write(tx, &number.to_string()).await;
                wrong.fetch_add(is_wrong(), Ordering::Relaxed);
                *seen.lock().unwrap() = Some(number);
                Ok(())
            };
            // A job that never ends is cancelled.
            let next = tokio::time::timeout(Duration::from_secs(5), worker.run_next(handler)).await;
            wrong.fetch_add(usize::from(TenantContext::is_set()), Ordering::Relaxed);
            match next {
                Ok(Ok(Some(Outcome::Completed))) => {
                    let number = seen.lock().unwrap().take().expect("it ran");
                    *completed.lock().unwrap().entry(number).or_insert(0) += 1;
                }
                Ok(Ok(None)) => tokio::time::sleep(Duration::from_millis(5)).await,
                _ => {}
            }
        }
    };
    tokio::join!(work(), work(), work(), work());
    assert_eq!(wrong.into_inner(), 0, "jobs in the wrong tenant or in none");
    let completed = completed.into_inner().unwrap();
    assert!(completed.len() == count && completed.values().all(|times| *times == 1));
    let sql = "SELECT count(*), count(DISTINCT title), count(DISTINCT tenant_id) FROM notes";
    let row = queue.superuser.query_one(sql, &[]).await.unwrap();
    let expected = i64::try_from(count).unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, i64>(2)), (expected, expected, 50));
    let wrong = "SELECT count(*) FROM notes
        WHERE right(tenant_id::text, 12) <> lpad(to_hex(title::bigint % 50), 12, '0')";
    assert_eq!(queue.superuser.query_one(wrong, &[]).await.unwrap().get::<_, i64>(0), 0);
    assert_eq!(queue.count("true").await, 0);
    insert(&queue.db, A, "after").await;
}
