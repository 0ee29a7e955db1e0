//! Jobs in a stream run in the tenant of their token, or not at all.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_nats::jetstream::{self, consumer::pull, context::Context, stream};
use tenancy::{TenantContext, TenantFutureExt, TenantId};
use tenancy_nats::{Job, JobWorker, PublishError, create_token_bucket};
use tenancy_testkit::NatsServer;
use tenancy_token::{Issuer, JobOutcome, TokenErrorKind};

use crate::support::{A, B, LIFETIME, claims, hostile, key, mint, publisher, tenant, verifier, with_tokens};

type Outcome = JobOutcome<&'static str>;

/// How long a test waits for a message that the server delivers again.
const LIMIT: Duration = Duration::from_secs(60);

/// A server with a stream and a consumer, and a worker whose failed jobs are delivered again at once.
struct Queue {
    _server: NatsServer,
    jetstream: Context,
    stream: stream::Stream,
    worker: JobWorker<1>,
}

const RETRY: Duration = Duration::from_millis(1);

impl Queue {
    async fn start() -> Self {
        let server = NatsServer::start().expect("a server");
        let jetstream = jetstream::new(async_nats::connect(server.url()).await.expect("a connection"));
        let config = stream::Config {
            name: "JOBS".to_owned(),
            subjects: vec!["jobs".to_owned()],
            retention: stream::RetentionPolicy::WorkQueue,
            ..Default::default()
        };
        let stream = jetstream.get_or_create_stream(config).await.expect("a stream");
        let worker = worker(&jetstream, &stream).await;
        Self { _server: server, jetstream, stream, worker }
    }

    async fn enqueue(&self, tenant: TenantId, payload: &'static str) {
        let sender = publisher();
        let published = sender.publish_job(&self.jetstream, "jobs", payload.into());
        published.in_tenant(tenant).await.expect("a job");
    }

    async fn run(&self, handler: impl AsyncFnOnce(Job) -> Result<(), &'static str>) -> Option<Outcome> {
        let outcome = self.worker.run_next(handler).await.expect("a server");
        assert!(!TenantContext::is_set(), "a job left a context");
        outcome
    }

    /// Runs the next job, which the server may deliver a little later.
    async fn run_soon(&self, handler: impl AsyncFn(Job) -> Result<(), &'static str>) -> Outcome {
        let end = Instant::now() + LIMIT;
        loop {
            if let Some(outcome) = self.run(&handler).await {
                return outcome;
            }
            assert!(Instant::now() < end, "no job");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    async fn count(&mut self) -> u64 {
        // The server handles acknowledgements later than the worker sends them.
        let end = Instant::now() + LIMIT;
        loop {
            let count = self.stream.info().await.expect("a stream").state.messages;
            if count == 0 || Instant::now() > end {
                return count;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn worker(jetstream: &Context, stream: &stream::Stream) -> JobWorker<1> {
    let config = pull::Config {
        durable_name: Some("workers".to_owned()),
        ack_wait: Duration::from_millis(700),
        ..Default::default()
    };
    let consumer = stream.get_or_create_consumer("workers", config).await.expect("a consumer");
    let tokens = create_token_bucket(jetstream, "tokens", LIFETIME).await.expect("a bucket");
    let worker = JobWorker::new(consumer, tokens, verifier()).await.expect("a worker");
    worker.retry_after(RETRY).max_attempts(3)
}

async fn forbidden(job: Job) -> Result<(), &'static str> {
    panic!("job {:?} ran", job.payload)
}

#[tokio::test]
#[ignore = "needs nats-server; cargo xtask test runs it"]
async fn job_runs_in_its_tenant_and_is_removed() {
    let mut queue = Queue::start().await;
    assert_eq!(queue.run(forbidden).await, None);
    queue.enqueue(A, "of a").await;
    queue.enqueue(B, "of b").await;
    for (tenant, payload) in [(A, "of a"), (B, "of b")] {
        let outcome = queue.run(async |job| {
            assert_eq!((job.tenant, &*job.payload, job.attempt), (tenant, payload.as_bytes(), 1));
            assert_eq!((TenantContext::get(), &*job.subject), (Ok(tenant), "jobs"));
            tokio::task::yield_now().await;
            assert_eq!(TenantContext::get(), Ok(tenant));
            Ok(())
        });
        assert_eq!(outcome.await, Some(Outcome::Completed));
    }
    assert_eq!(queue.run(forbidden).await, None);
    assert_eq!(queue.count().await, 0);
}

#[tokio::test]
#[ignore = "needs nats-server; cargo xtask test runs it"]
async fn job_without_a_tenant_is_an_error_at_the_sender() {
    let mut queue = Queue::start().await;
    let error = publisher().publish_job(&queue.jetstream, "jobs", "a job".into()).await.unwrap_err();
    assert!(matches!(error, PublishError::NoTenant(_)), "{error:?}");
    assert_eq!(error.to_string(), "cannot publish a message without a tenant");
    assert_eq!(queue.count().await, 0);
}

#[tokio::test]
#[ignore = "needs nats-server; cargo xtask test runs it"]
async fn jobs_without_a_valid_token_never_run_and_do_not_stop_the_queue() {
    let mut queue = Queue::start().await;
    for (headers, payload, _) in hostile() {
        let sent = queue.jetstream.publish_with_headers("jobs", headers, payload).await.expect("sent");
        sent.await.expect("stored");
    }
    queue.enqueue(B, "the next job").await;
    for (.., kind) in hostile() {
        assert_eq!(queue.run(forbidden).await, Some(Outcome::Rejected(kind.into())));
    }
    assert_eq!(queue.run(async |_| Ok(())).await, Some(Outcome::Completed));
    assert_eq!(queue.count().await, 0);
}

#[tokio::test]
#[ignore = "needs nats-server; cargo xtask test runs it"]
async fn copy_of_a_job_does_not_run() {
    let mut queue = Queue::start().await;
    let token = mint(&key(), &claims(A).payload(b"a job"));
    for _ in 0..3 {
        let sent = queue.jetstream.publish_with_headers("jobs", with_tokens(&[&token]), "a job".into()).await;
        sent.expect("sent").await.expect("stored");
    }
    assert_eq!(queue.run(async |_| Ok(())).await, Some(Outcome::Completed));
    let replayed = Some(Outcome::Rejected(TokenErrorKind::Replayed.into()));
    assert_eq!(queue.run(forbidden).await, replayed);
    // Another worker knows the token too.
    queue.worker = worker(&queue.jetstream, &queue.stream).await;
    assert_eq!(queue.run(forbidden).await, replayed);
}

/// The bucket would forget such a token while it is still valid.
#[tokio::test]
#[ignore = "needs nats-server; cargo xtask test runs it"]
async fn token_that_outlives_the_bucket_is_rejected() {
    let queue = Queue::start().await;
    let issuer = Issuer::new(key(), "jobs", LIFETIME + Duration::from_secs(60)).unwrap();
    let sender = tenancy_nats::TenantPublisher::new(issuer);
    sender.publish_job(&queue.jetstream, "jobs", "a job".into()).in_tenant(A).await.expect("a job");
    assert_eq!(queue.run(forbidden).await, Some(Outcome::Rejected(TokenErrorKind::Full.into())));
}

#[tokio::test]
#[ignore = "needs nats-server; cargo xtask test runs it"]
async fn failed_and_panicked_jobs_run_again_until_they_are_exhausted() {
    let mut queue = Queue::start().await;
    queue.enqueue(A, "poison").await;
    let failed = queue.run(async |_| {
        TenantContext::set(B);
        Err("broken")
    });
    assert_eq!(failed.await, Some(Outcome::Failed("broken")));
    for attempt in [2, 3] {
        let panicked = queue.run_soon(async |job| {
            assert_eq!((job.attempt, TenantContext::get()), (attempt, Ok(A)));
            std::mem::forget(TenantContext::enter(B));
            std::panic::resume_unwind(Box::new("on purpose"))
        });
        assert_eq!(panicked.await, Outcome::Panicked);
    }
    assert_eq!(queue.run_soon(forbidden).await, Outcome::Exhausted);
    assert_eq!(queue.count().await, 0);
}

#[tokio::test]
#[ignore = "needs nats-server; cargo xtask test runs it"]
async fn cancelled_job_runs_again_at_another_worker() {
    let mut queue = Queue::start().await;
    queue.enqueue(A, "slow").await;
    let job = queue.run(async |_| {
        TenantContext::set(B);
        std::future::pending().await
    });
    let cancelled = tokio::time::timeout(Duration::from_millis(200), job).await;
    assert!(cancelled.is_err() && !TenantContext::is_set());
    queue.worker = worker(&queue.jetstream, &queue.stream).await;
    let again = queue.run_soon(async |job| {
        assert_eq!((job.attempt, TenantContext::get()), (2, Ok(A)));
        Ok(())
    });
    assert_eq!(again.await, Outcome::Completed);
}

/// The number of jobs of the next test. `TENANCY_TOKEN_JOBS` sets another one.
fn job_count() -> usize {
    std::env::var("TENANCY_TOKEN_JOBS").map_or(2_000, |count| count.parse().expect("a number"))
}

/// Jobs of 50 tenants on 4 workers. Some fail, panic or are cancelled at their first attempt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs nats-server; cargo xtask test runs it"]
async fn jobs_under_load_run_in_their_own_tenants() {
    let mut queue = Queue::start().await;
    let (count, sender) = (job_count(), publisher());
    for number in 0..count {
        let job = sender.publish_job(&queue.jetstream, "jobs", number.to_string().into());
        job.in_tenant(tenant(number % 50)).await.expect("a job");
    }
    let (completed, wrong) = (Mutex::new(HashMap::new()), AtomicUsize::new(0));
    let work = async || {
        let worker = worker(&queue.jetstream, &queue.stream).await.max_attempts(100);
        while completed.lock().unwrap().len() < count {
            let handler = async |job: Job| {
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
            let next = tokio::time::timeout(Duration::from_millis(600), worker.run_next(handler)).await;
            wrong.fetch_add(usize::from(TenantContext::is_set()), Ordering::Relaxed);
            if matches!(next, Ok(Ok(None))) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    tokio::join!(work(), work(), work(), work());
    assert_eq!(wrong.into_inner(), 0, "jobs in the wrong tenant or in none");
    assert_eq!(completed.into_inner().unwrap().len(), count);
    assert_eq!(queue.count().await, 0);
}
