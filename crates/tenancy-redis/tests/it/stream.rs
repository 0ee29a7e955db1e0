//! Jobs in a stream run in the tenant of their token, or not at all.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, cmd};
use tenancy::{TenantContext, TenantFutureExt, TenantId};
use tenancy_redis::{EnqueueError, StreamJob, StreamProducer, StreamWorker};
use tenancy_token::{
    Claims, Issuer, JobOutcome, MAX_TOKEN, TokenError, TokenErrorKind, TokenKey, UnixSeconds, Verifier,
};

use crate::support::aio::multiplexed;
use crate::support::{A, B, Server};

const LIFETIME: Duration = Duration::from_secs(300);

type Outcome = JobOutcome<&'static str>;

/// The fields of an entry.
type Fields<'a> = &'a [(&'a str, &'a [u8])];

fn key() -> TokenKey {
    TokenKey::hmac(b"2026-12", &[7; 32]).expect("a key")
}

fn verifier() -> Verifier<1> {
    Verifier::new("jobs").key(key()).expect("room for a key")
}

fn producer() -> StreamProducer {
    StreamProducer::new("jobs", Issuer::new(key(), "jobs", LIFETIME).expect("an issuer"))
}

/// A server with a stream and its group, and a worker that starts jobs again at once.
struct Queue {
    server: Server,
    connection: MultiplexedConnection,
    worker: StreamWorker<1>,
}

fn worker(name: &str) -> StreamWorker<1> {
    StreamWorker::new("jobs", "group", name, verifier()).retry_after(Duration::ZERO).max_attempts(3)
}

impl Queue {
    async fn start(resp: u8) -> Self {
        let server = Server::start();
        let mut connection = multiplexed(&server.client(resp)).await.expect("a connection");
        let worker = worker("one");
        worker.create_group(&mut connection).await.expect("a group");
        worker.create_group(&mut connection).await.expect("an existing group is no error");
        Self { server, connection, worker }
    }

    async fn enqueue(&mut self, tenant: TenantId, payload: &[u8]) -> String {
        producer().enqueue(&mut self.connection, payload).in_tenant(tenant).await.expect("a job")
    }

    /// Adds an entry as an attacker does who can write to the stream.
    async fn add(&mut self, fields: Fields<'_>) -> String {
        self.connection.xadd("jobs", "*", fields).await.expect("an entry")
    }

    async fn run(
        &mut self,
        handler: impl AsyncFnOnce(StreamJob) -> Result<(), &'static str>,
    ) -> Option<Outcome> {
        let outcome = self.worker.run_next(&mut self.connection, handler).await.expect("a server");
        assert!(!TenantContext::is_set(), "a job left a context");
        outcome
    }

    async fn length(&mut self, stream: &str) -> usize {
        self.connection.xlen(stream).await.expect("a length")
    }
}

fn mint(key: &TokenKey, claims: &Claims<'_>) -> Vec<u8> {
    key.mint(claims, &mut [0; MAX_TOKEN]).expect("a token").to_vec()
}

fn claims(tenant: TenantId) -> Claims<'static> {
    Claims::new(tenant, "jobs", UnixSeconds::now().expect("the time").after(300)).id(b"12345678")
}

/// The handler of a job that must not run.
async fn forbidden(job: StreamJob) -> Result<(), &'static str> {
    panic!("entry {} ran", job.entry)
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn job_runs_in_its_tenant_and_is_removed() {
    for resp in [2, 3] {
        let mut queue = Queue::start(resp).await;
        assert_eq!(queue.run(forbidden).await, None);
        let entry = queue.enqueue(A, b"of a").await;
        queue.enqueue(B, b"of b").await;
        for (tenant, payload) in [(A, &b"of a"[..]), (B, b"of b")] {
            let outcome = queue.run(async |job| {
                assert_eq!(TenantContext::get(), Ok(tenant));
                assert_eq!((job.tenant, &*job.payload, job.attempt), (tenant, payload, 1));
                assert_eq!(job.entry == entry, tenant == A);
                tokio::task::yield_now().await;
                assert_eq!(TenantContext::get(), Ok(tenant));
                Ok(())
            });
            assert_eq!(outcome.await, Some(Outcome::Completed));
        }
        assert_eq!(queue.run(forbidden).await, None);
        assert_eq!(queue.length("jobs").await, 0);
    }
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn job_without_a_tenant_is_an_error_at_the_sender() {
    let mut queue = Queue::start(2).await;
    let error = producer().enqueue(&mut queue.connection, b"a job").await.unwrap_err();
    assert!(matches!(error, EnqueueError::NoTenant(_)), "{error:?}");
    assert_eq!(error.to_string(), "cannot enqueue a job without a tenant");
    assert_eq!(queue.length("jobs").await, 0);
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn entries_without_a_valid_token_never_run_and_do_not_stop_the_queue() {
    let mut queue = Queue::start(2).await;
    let good = mint(&key(), &claims(A).payload(b"a job"));
    let forged = mint(&TokenKey::hmac(b"2026-12", &[8; 32]).unwrap(), &claims(A).payload(b"a job"));
    let elsewhere = Claims::new(A, "mail", UnixSeconds(u64::MAX)).id(b"12345678").payload(b"a job");
    let past = Claims::new(A, "jobs", UnixSeconds(1)).id(b"12345678").payload(b"a job");
    let nameless = Claims::new(A, "jobs", UnixSeconds(u64::MAX)).payload(b"a job");
    let tenant = A.to_string();
    let cases: [(Fields<'_>, TokenErrorKind); 10] = [
        (&[("payload", b"a job")], TokenErrorKind::Malformed),
        (&[("tenant", tenant.as_bytes()), ("payload", b"a job")], TokenErrorKind::Malformed),
        (&[("token", b"not a token"), ("payload", b"a job")], TokenErrorKind::Malformed),
        (&[("token", &good), ("token", &good), ("payload", b"a job")], TokenErrorKind::Malformed),
        (&[("token", &forged), ("payload", b"a job")], TokenErrorKind::Signature),
        (&[("token", &good), ("payload", b"another job")], TokenErrorKind::Payload),
        (&[("token", &mint(&key(), &claims(A))), ("payload", b"a job")], TokenErrorKind::Payload),
        (&[("token", &mint(&key(), &elsewhere)), ("payload", b"a job")], TokenErrorKind::Audience),
        (&[("token", &mint(&key(), &past)), ("payload", b"a job")], TokenErrorKind::Expired),
        (&[("token", &mint(&key(), &nameless)), ("payload", b"a job")], TokenErrorKind::Replayed),
    ];
    for (fields, _) in cases {
        queue.add(fields).await;
    }
    queue.enqueue(B, b"the next job").await;
    for (fields, kind) in cases {
        match queue.run(forbidden).await {
            Some(Outcome::Rejected(error)) => assert_eq!(error.kind(), kind, "{fields:?}"),
            other => panic!("{other:?}: {fields:?}"),
        }
    }
    assert_eq!(queue.run(async |_| Ok(())).await, Some(Outcome::Completed));
    assert_eq!(queue.run(forbidden).await, None);
    assert_eq!((queue.length("jobs").await, queue.length("jobs:rejected").await), (0, cases.len()));
    // The reason names the step.
    let (reason, raw) = (TokenErrorKind::Signature, &mut queue.server.raw());
    let entries: redis::Value = cmd("XRANGE").arg("jobs:rejected").arg("-").arg("+").query(raw).unwrap();
    assert!(format!("{entries:?}").contains(&TokenError::from(reason).to_string()));
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn copy_of_an_entry_does_not_run() {
    let mut queue = Queue::start(2).await;
    let token = mint(&key(), &claims(A).payload(b"a job"));
    let entry: [(&str, &[u8]); 2] = [("token", &token), ("payload", b"a job")];
    queue.add(&entry).await;
    queue.add(&entry).await;
    assert_eq!(queue.run(async |_| Ok(())).await, Some(Outcome::Completed));
    queue.add(&entry).await;
    let replayed = Outcome::Rejected(TokenErrorKind::Replayed.into());
    assert_eq!(queue.run(forbidden).await, Some(replayed.clone()));
    // Another worker knows the token too.
    queue.worker = worker("two");
    assert_eq!(queue.run(forbidden).await, Some(replayed));
    // The ids are forgotten an hour after their tokens have expired.
    let keys = queue.server.keys();
    let remembered = keys.iter().find(|key| key.starts_with(b"jobs:token:")).expect("a key");
    let left: i64 = cmd("TTL").arg(remembered).query(&mut queue.server.raw()).unwrap();
    assert!((3_600..=3_900).contains(&left), "{left}");
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn failed_and_panicked_jobs_run_again_until_they_are_exhausted() {
    let mut queue = Queue::start(3).await;
    queue.enqueue(A, b"poison").await;
    let failed = queue.run(async |job| {
        TenantContext::set(B);
        if job.attempt == 1 { Err("broken") } else { Ok(()) }
    });
    assert_eq!(failed.await, Some(Outcome::Failed("broken")));
    for attempt in [2, 3] {
        let panicked = queue.run(async |job| {
            assert_eq!((job.attempt, TenantContext::get()), (attempt, Ok(A)));
            std::mem::forget(TenantContext::enter(B));
            std::panic::resume_unwind(Box::new("on purpose"))
        });
        assert_eq!(panicked.await, Some(Outcome::Panicked));
    }
    assert_eq!(queue.run(forbidden).await, Some(Outcome::Exhausted));
    assert_eq!((queue.length("jobs").await, queue.length("jobs:rejected").await), (0, 1));
    assert_eq!(queue.run(forbidden).await, None);
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn cancelled_job_runs_again_at_another_worker() {
    let mut queue = Queue::start(2).await;
    queue.enqueue(A, b"slow").await;
    let job = queue.run(async |_| {
        TenantContext::set(B);
        std::future::pending().await
    });
    let cancelled = tokio::time::timeout(Duration::from_millis(200), job).await;
    assert!(cancelled.is_err() && !TenantContext::is_set());
    // The default leaves a job alone for a minute.
    queue.worker = StreamWorker::new("jobs", "group", "two", verifier());
    assert_eq!(queue.run(forbidden).await, None);
    queue.worker = worker("two");
    let again = queue.run(async |job| {
        assert_eq!((job.attempt, TenantContext::get()), (2, Ok(A)));
        Ok(())
    });
    assert_eq!(again.await, Some(Outcome::Completed));
}

fn tenant(number: usize) -> TenantId {
    let mut bytes = [0xa5; 16];
    bytes[8..].copy_from_slice(&(number as u64).to_be_bytes());
    TenantId::from_bytes(bytes).expect("neither nil nor max")
}

/// The number of jobs of the next test. `TENANCY_TOKEN_JOBS` sets another one.
fn job_count() -> usize {
    std::env::var("TENANCY_TOKEN_JOBS").map_or(4_000, |count| count.parse().expect("a number"))
}

/// Jobs of 50 tenants on 4 workers. Some fail, panic or are cancelled at their first attempt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn jobs_under_load_run_in_their_own_tenants() {
    let mut queue = Queue::start(2).await;
    let count = job_count();
    let producer = producer();
    for number in 0..count {
        let payload = number.to_string();
        let job = producer.enqueue(&mut queue.connection, payload.as_bytes());
        job.in_tenant(tenant(number % 50)).await.expect("a job");
    }
    let (completed, wrong) = (Mutex::new(HashMap::new()), AtomicUsize::new(0));
    let work = async |name: &str| {
        // Long enough for each job of this test, so that no job runs twice at once.
        let worker = worker(name).retry_after(Duration::from_millis(500)).max_attempts(100);
        let mut connection = queue.connection.clone();
        while completed.lock().unwrap().len() < count {
            let handler = async |job: StreamJob| {
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
                        _ => TenantContext::set(job.tenant),
                    }
                }
                tokio::task::yield_now().await;
                wrong.fetch_add(is_wrong(), Ordering::Relaxed);
                *completed.lock().unwrap().entry(number).or_insert(0) += 1;
                Ok(())
            };
            // A job that never ends is cancelled.
            let next = worker.run_next(&mut connection, handler);
            let next = tokio::time::timeout(Duration::from_millis(400), next).await;
            wrong.fetch_add(usize::from(TenantContext::is_set()), Ordering::Relaxed);
            if matches!(next, Ok(Ok(None))) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    tokio::join!(work("one"), work("two"), work("three"), work("four"));
    assert_eq!(wrong.into_inner(), 0, "jobs in the wrong tenant or in none");
    assert_eq!(completed.into_inner().unwrap().len(), count);
    assert_eq!(queue.length("jobs:rejected").await, 0);
}
