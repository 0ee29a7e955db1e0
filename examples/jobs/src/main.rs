//! A service and a worker in one program, without a server: requests and jobs carry signed tenants.
//!
//! `cargo run -p example-jobs`
//!
//! Two tenants send an invoice to the service. The service accepts it and adds a job; the worker sends the invoice, in the
//! tenant of the job. Then somebody changes things on the way, and nothing of that runs.

use std::error::Error;
use std::time::Duration;

use apalis::prelude::*;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::post;
use axum::{Router, extract::State};
use serde::{Deserialize, Serialize};
use tenancy::{TenantContext, TenantContextNotSetError, TenantFutureExt, TenantId, TenantStatus, tenant_id};
use tenancy_apalis::{TASK_TOKEN, TaskSigner, TokenLayer};
use tenancy_token::{Issuer, TokenKey, Verifier};
use tenancy_tower::{
    CurrentTenant, PropagateTenantLayer, SnapshotDirectory, TenantLayer, TenantSource, holder_of_token,
};
use tokio::sync::mpsc;
use tower::{ServiceBuilder, ServiceExt};

const ACME: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
const GLOBEX: TenantId = tenant_id!("6ba7b810-9dad-41d1-80b4-00c04fd430c8");
const LIFETIME: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Invoice {
    number: u32,
}

/// The queue is written by one task, as a program would do that shares a connection.
type Queue = mpsc::UnboundedSender<Task<Invoice>>;

/// What the service's handlers share.
#[derive(Clone)]
struct App {
    tasks: std::sync::Arc<TaskSigner>,
    queue: Queue,
}

/// Accepts an invoice. The job gets the request's tenant.
async fn accept(_: CurrentTenant, State(app): State<App>, number: String) -> Result<String, StatusCode> {
    let number = number.parse().map_err(|_| StatusCode::BAD_REQUEST)?;
    let signed = app.tasks.sign(Task::new(Invoice { number }));
    app.queue
        .send(signed.map_err(|_| StatusCode::FORBIDDEN)?)
        .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(format!("invoice {number} accepted"))
}

/// Sends an invoice. It needs no parameter for the tenant, and fails without one.
fn send(invoice: &Invoice) -> Result<(), TenantContextNotSetError> {
    println!("worker: sends invoice {} of {}", invoice.number, name(TenantContext::get()?));
    Ok(())
}

async fn work(invoice: Invoice) -> Result<(), TenantContextNotSetError> {
    send(&invoice)
}

fn name(tenant: TenantId) -> &'static str {
    if tenant == ACME { "acme" } else { "globex" }
}

/// Sends a request of the current tenant through a client that signs it.
async fn request(
    service: Router,
    key: &TokenKey,
    header: Option<TenantId>,
) -> Result<String, Box<dyn Error>> {
    let client = ServiceBuilder::new()
        .layer(PropagateTenantLayer::to(["invoices.internal"]).signed(key.clone(), "invoices", LIFETIME))
        .map_request(move |mut request: Request<Body>| {
            // What a hostile proxy would change.
            if let Some(other) = header {
                let value = other.to_string().parse().expect("an id is a valid value");
                request.headers_mut().insert("x-tenant-id", value);
            }
            request
        })
        .service(service);
    let request = Request::post("http://invoices.internal/invoices").body(Body::from("17"))?;
    let response = client.oneshot(request).await?;
    let status = response.status();
    let body = axum::body::to_bytes(response.into_body(), 64 * 1024).await?;
    Ok(if status.is_success() { String::from_utf8_lossy(&body).into_owned() } else { status.to_string() })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // In production, from a secret store. Requests and jobs have keys and audiences of their own.
    let mut secrets = [[0; 32]; 2];
    for secret in &mut secrets {
        getrandom::fill(secret)?;
    }
    let requests = TokenKey::hmac(b"requests", &secrets[0])?;
    let jobs = TokenKey::hmac(b"jobs", &secrets[1])?;

    // The service. The token of a request names its tenant and is the permission to act for it.
    let directory: SnapshotDirectory =
        [(ACME, TenantStatus::Active), (GLOBEX, TenantStatus::Active)].into_iter().collect();
    let tenants = TenantLayer::builder()
        .directory(directory)
        .source(TenantSource::token(Verifier::<1>::new("invoices").key(requests.clone())?))
        .authorize(holder_of_token())
        .build();
    let (queue, mut queued) = mpsc::unbounded_channel();
    let tasks = std::sync::Arc::new(TaskSigner::new(Issuer::new(jobs.clone(), "worker", LIFETIME)?));
    let app = App { tasks, queue: queue.clone() };
    let service = Router::new().route("/invoices", post(accept)).with_state(app.clone()).layer(tenants);

    for tenant in [ACME, GLOBEX] {
        let answer = request(service.clone(), &requests, None).in_tenant(tenant).await?;
        println!("service: {answer} for {}", name(tenant));
    }
    let answer = request(service.clone(), &requests, Some(GLOBEX)).in_tenant(ACME).await?;
    println!("service: {answer}, because a proxy changed X-Tenant-ID");
    let answer = request(service.clone(), &jobs, None).in_tenant(ACME).await?;
    println!("service: {answer}, because another key signed the request");
    let answer = request(service, &requests, None).await?;
    println!("service: {answer}, because the client had no tenant");
    if let Err(error) = app.tasks.sign(Task::new(Invoice { number: 18 })) {
        println!("sender: {error}");
    }

    // Somebody who can write to the queue copies a token to another job, and adds a job without one.
    let signed = TenantContext::scope(ACME, || app.tasks.sign(Task::new(Invoice { number: 19 })))?;
    let token = signed.metadata().get(TASK_TOKEN).unwrap_or_default().to_owned();
    let metadata = MetadataStore::from_iter([(TASK_TOKEN, token)]);
    queue.send(TaskBuilder::new(Invoice { number: 1900 }).with_metadata(metadata).build())?;
    queue.send(Task::new(Invoice { number: 20 }))?;
    queue.send(signed)?;
    drop((app, queue));

    // The worker.
    let mut storage = MemoryStorage::new();
    let mut count = 0;
    while let Some(task) = queued.recv().await {
        storage.push_task(task).await?;
        count += 1;
    }
    let ended = std::sync::atomic::AtomicUsize::new(0);
    let worker = WorkerBuilder::new("worker")
        .backend(storage)
        .layer(TokenLayer::new(Verifier::<1>::new("worker").key(jobs)?, 1000))
        .on_event(move |worker, event| {
            if let Event::Error(error) = event {
                let reason = error.source().map_or_else(|| error.to_string(), ToString::to_string);
                println!("worker: a job failed: {reason}");
            }
            if matches!(event, Event::Error(_) | Event::Success(_))
                && ended.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1 == count
            {
                let _ = worker.stop();
            }
        })
        .build(work);
    worker.run().await?;
    Ok(())
}
