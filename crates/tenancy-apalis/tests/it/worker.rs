//! Tasks run in the tenant of their token, or not at all.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use apalis::layers::WorkerBuilderExt;
use apalis::layers::retry::RetryPolicy;
use apalis::prelude::*;
use serde::{Deserialize, Serialize};
use tenancy::{TenantContext, TenantFutureExt, TenantId, tenant_id};
use tenancy_apalis::{PushError, SignError, TASK_TOKEN, TaskSigner, TokenLayer};
use tenancy_token::{Claims, Issuer, MAX_TEXT, MAX_TOKEN, TokenKey, UnixSeconds, Verifier, encode_text};

const A: TenantId = tenant_id!("0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a");
const B: TenantId = tenant_id!("0b0b0b0b-0b0b-0b0b-0b0b-0b0b0b0b0b0b");

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Invoice {
    number: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Plain,
    /// Leaves a context behind, and fails the first time.
    FailsOnce,
    /// Leaves a context behind, and panics the first time.
    PanicsOnce,
    /// Leaves a context behind, and takes longer than the worker waits.
    Hangs,
    /// Stops the worker.
    Last,
}

fn key() -> TokenKey {
    TokenKey::hmac(b"2026-12", &[7; 32]).expect("a key")
}

fn layer() -> TokenLayer<1> {
    TokenLayer::new(Verifier::new("jobs").key(key()).expect("room for a key"), 100_000)
}

fn signer() -> TaskSigner {
    TaskSigner::new(Issuer::new(key(), "jobs", Duration::from_secs(300)).expect("an issuer"))
}

/// The number of a task that ran, and its tenant.
type Ran = (usize, Option<TenantId>);

/// What a worker did.
#[derive(Clone, Debug, Default)]
struct Log {
    ran: Arc<Mutex<Vec<Ran>>>,
    attempts: Arc<Mutex<HashMap<usize, usize>>>,
    errors: Arc<Mutex<Vec<String>>>,
    leaks: Arc<AtomicUsize>,
}

impl Log {
    fn ran(&self) -> Vec<Ran> {
        self.ran.lock().unwrap().clone()
    }
}

async fn handle(invoice: Invoice, log: Data<Log>, worker: WorkerContext) -> Result<(), BoxDynError> {
    let before = TenantContext::get_optional();
    let attempt = {
        let mut attempts = log.attempts.lock().unwrap();
        let attempt = attempts.entry(invoice.number).or_insert(0);
        *attempt += 1;
        *attempt
    };
    tokio::task::yield_now().await;
    if attempt == 1 && invoice.kind != Kind::Plain && invoice.kind != Kind::Last {
        // What careless code leaves behind.
        std::mem::forget(TenantContext::enter(B));
    }
    match invoice.kind {
        Kind::FailsOnce if attempt == 1 => return Err("on purpose".into()),
        Kind::PanicsOnce if attempt == 1 => std::panic::resume_unwind(Box::new("on purpose")),
        Kind::Hangs => std::future::pending().await,
        Kind::Last => worker.stop()?,
        _ => {}
    }
    assert_eq!(TenantContext::get_optional(), before);
    log.ran.lock().unwrap().push((invoice.number, before));
    Ok(())
}

/// Runs tasks until the last one, with retries around the layer and a time limit inside of it.
async fn run(storage: MemoryStorage<Invoice>, layer: TokenLayer<1>) -> Log {
    let log = Log::default();
    let (errors, leaks) = (Arc::clone(&log.errors), Arc::clone(&log.leaks));
    let worker = WorkerBuilder::new("worker")
        .backend(storage)
        // One task after the other.
        .concurrency(1)
        .data(log.clone())
        .retry(RetryPolicy::retries(2))
        .layer(layer)
        .timeout(Duration::from_millis(200))
        .on_event(move |_, event| {
            // The handler itself causes `Stop`, in its tenant.
            let is_after_a_task = matches!(event, Event::Error(_) | Event::Success(_));
            leaks.fetch_add(usize::from(is_after_a_task && TenantContext::is_set()), Ordering::Relaxed);
            if let Event::Error(error) = event {
                errors.lock().unwrap().push(sources(error.as_ref().as_ref()));
            }
        })
        .build(handle);
    let ended = tokio::time::timeout(Duration::from_secs(60), worker.run()).await;
    ended.expect("the last task ran").expect("a worker");
    assert!(!TenantContext::is_set(), "a task left a context");
    assert_eq!(log.leaks.load(Ordering::Relaxed), 0, "events with a context");
    log
}

fn sources(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

async fn push(storage: &mut MemoryStorage<Invoice>, tenant: TenantId, number: usize, kind: Kind) {
    let pushed = signer().push(storage, Invoice { number, kind }).in_tenant(tenant).await;
    pushed.expect("a task");
}

fn with_token(number: usize, token: &str) -> Task<Invoice> {
    let metadata = MetadataStore::from_map(HashMap::from([(TASK_TOKEN.to_owned(), token.to_owned())]));
    TaskBuilder::new(Invoice { number, kind: Kind::Plain }).with_metadata(metadata).build()
}

fn mint(key: &TokenKey, claims: &Claims<'_>) -> String {
    let mut buffer = [0; MAX_TOKEN];
    let token = key.mint(claims, &mut buffer).expect("a token");
    encode_text(token, &mut [0; MAX_TEXT]).expect("its text").to_owned()
}

#[tokio::test]
async fn tasks_run_in_their_own_tenants() {
    let mut storage = MemoryStorage::new();
    push(&mut storage, A, 1, Kind::Plain).await;
    push(&mut storage, B, 2, Kind::Plain).await;
    push(&mut storage, A, 3, Kind::Last).await;
    let log = run(storage, layer()).await;
    assert_eq!(log.ran(), [(1, Some(A)), (2, Some(B)), (3, Some(A))]);
    assert!(log.errors.lock().unwrap().is_empty());
}

#[tokio::test]
async fn task_without_a_tenant_is_an_error_at_the_sender() {
    let mut storage = MemoryStorage::new();
    let error = signer().push(&mut storage, Invoice { number: 1, kind: Kind::Plain }).await.unwrap_err();
    assert!(matches!(error, PushError::Sign(SignError::NoTenant(_))), "{error:?}");
    assert_eq!(error.to_string(), "cannot sign a task without a tenant");
    push(&mut storage, A, 2, Kind::Last).await;
    assert_eq!(run(storage, layer()).await.ran(), [(2, Some(A))]);
}

#[tokio::test]
async fn tasks_without_a_valid_token_never_run_and_do_not_stop_the_queue() {
    let sealed = sealed_form(&Invoice { number: 1, kind: Kind::Plain });
    let later = UnixSeconds::now().unwrap().after(300);
    let claims = Claims::new(A, "jobs", later).id(b"12345678").payload(&sealed);
    let good = mint(&key(), &claims);
    let cases = [
        with_token(1, ""),
        with_token(1, "not a token"),
        with_token(1, &mint(&TokenKey::hmac(b"2026-12", &[8; 32]).unwrap(), &claims)),
        // The token of another task.
        with_token(2, &good),
        with_token(1, &mint(&key(), &Claims::new(A, "jobs", later).id(b"12345678"))),
        with_token(1, &mint(&key(), &Claims::new(A, "mail", later).id(b"12345678").payload(&sealed))),
        with_token(
            1,
            &mint(&key(), &Claims::new(A, "jobs", UnixSeconds(1)).id(b"12345678").payload(&sealed)),
        ),
        with_token(1, &mint(&key(), &Claims::new(A, "jobs", later).payload(&sealed))),
    ];
    let expected = [
        "malformed token",
        "malformed token",
        "invalid signature",
        "payload and token",
        "payload and token",
        "wrong audience",
        "token has expired",
        "token was accepted before, or has no id",
    ];
    let mut storage = MemoryStorage::new();
    storage.push(Invoice { number: 1, kind: Kind::Plain }).await.unwrap();
    for case in cases {
        storage.push_task(case).await.unwrap();
    }
    push(&mut storage, B, 9, Kind::Last).await;
    let log = run(storage, layer()).await;
    assert_eq!(log.ran(), [(9, Some(B))]);
    let errors = log.errors.lock().unwrap();
    // One error for each task: it is not retried.
    assert_eq!(errors.len(), expected.len() + 1, "{errors:?}");
    for expected in expected {
        assert!(errors.iter().any(|error| error.contains(expected)), "{expected}: {errors:?}");
    }
}

/// The form in which the arguments are sealed.
fn sealed_form(invoice: &Invoice) -> Vec<u8> {
    format!(r#"{{"kind":"{:?}","number":{}}}"#, invoice.kind, invoice.number).into_bytes()
}

#[tokio::test]
async fn copy_of_a_task_does_not_run() {
    let task = Task::new(Invoice { number: 1, kind: Kind::Plain });
    let signed = TenantContext::scope(A, || signer().sign(task)).unwrap();
    let mut storage = MemoryStorage::new();
    storage.push_task(signed.clone()).await.unwrap();
    storage.push_task(signed).await.unwrap();
    push(&mut storage, A, 2, Kind::Last).await;
    let log = run(storage, layer()).await;
    assert_eq!(log.ran(), [(1, Some(A)), (2, Some(A))]);
    assert!(log.errors.lock().unwrap()[0].contains("accepted before"));
}

#[tokio::test]
async fn failed_and_panicked_tasks_run_again_in_their_tenant() {
    let mut storage = MemoryStorage::new();
    push(&mut storage, A, 1, Kind::FailsOnce).await;
    push(&mut storage, A, 2, Kind::PanicsOnce).await;
    push(&mut storage, A, 3, Kind::Last).await;
    let log = run(storage, layer()).await;
    assert_eq!(log.ran(), [(1, Some(A)), (2, Some(A)), (3, Some(A))]);
    let attempts = log.attempts.lock().unwrap();
    assert_eq!((attempts[&1], attempts[&2], attempts[&3]), (2, 2, 1));
}

#[tokio::test]
async fn task_that_hangs_is_cancelled_and_leaves_no_context() {
    let mut storage = MemoryStorage::new();
    push(&mut storage, A, 1, Kind::Hangs).await;
    push(&mut storage, A, 2, Kind::Last).await;
    assert_eq!(run(storage, layer()).await.ran(), [(2, Some(A))]);
}

/// The number of tasks of the next test. `TENANCY_TOKEN_JOBS` sets another one.
fn task_count() -> usize {
    std::env::var("TENANCY_TOKEN_JOBS").map_or(10_000, |count| count.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_under_load_run_in_their_own_tenants() {
    let tenant = |number: usize| {
        let mut bytes = [0xa5; 16];
        bytes[8..].copy_from_slice(&((number % 50) as u64).to_be_bytes());
        TenantId::from_bytes(bytes).expect("neither nil nor max")
    };
    let (mut storage, count) = (MemoryStorage::new(), task_count());
    for number in 0..count {
        let kind = match number % 97 {
            0 => Kind::FailsOnce,
            1 => Kind::PanicsOnce,
            _ => Kind::Plain,
        };
        push(&mut storage, tenant(number), number, kind).await;
    }
    push(&mut storage, tenant(count), count, Kind::Last).await;
    let ran = run(storage, layer()).await.ran();
    assert_eq!(ran.len(), count + 1);
    let wrong = ran.iter().filter(|(number, seen)| *seen != Some(tenant(*number))).count();
    assert_eq!(wrong, 0, "tasks in the wrong tenant or in none");
}
