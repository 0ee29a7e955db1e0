//! A publisher and a worker of two tenants on one JetStream.
//!
//! `NATS_URL=nats://127.0.0.1:4222 cargo run -p tenancy-nats --example jobs`
//!
//! The example creates the stream `TENANCY_EXAMPLE` and the bucket `tenancy-example`, and removes both again.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use async_nats::jetstream::{self, consumer::pull, stream};
use tenancy::{TenantContext, TenantFutureExt, TenantId, tenant_id};
use tenancy_nats::{Job, JobWorker, TenantPublisher, create_token_bucket};
use tenancy_token::{Issuer, TokenKey, Verifier};

const ACME: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
const GLOBEX: TenantId = tenant_id!("6ba7b810-9dad-41d1-80b4-00c04fd430c8");
const LIFETIME: Duration = Duration::from_secs(60);

async fn run(url: &str) -> Result<(), Box<dyn Error>> {
    let jetstream = jetstream::new(async_nats::connect(url).await?);
    let (name, subject) = ("TENANCY_EXAMPLE", "tenancy.example");
    let stream = stream::Config { name: name.into(), subjects: vec![subject.into()], ..Default::default() };
    let stream = jetstream.create_stream(stream).await?;
    let consumer = stream.create_consumer(pull::Config::default()).await?;
    let tokens = create_token_bucket(&jetstream, "tenancy-example", LIFETIME).await?;

    // In production, 32 random bytes from a secret store.
    let key = TokenKey::hmac(b"example", &[7; 32])?;
    let jobs = TenantPublisher::new(Issuer::new(key.clone(), "jobs", LIFETIME)?);
    jobs.publish_job(&jetstream, subject, "of acme".into()).in_tenant(ACME).await?;
    jobs.publish_job(&jetstream, subject, "of globex".into()).in_tenant(GLOBEX).await?;
    if let Err(error) = jobs.publish_job(&jetstream, subject, "of nobody".into()).await {
        println!("{error}");
    }
    // A message without a token, as any client of the server can send it.
    jetstream.publish(subject, "forged".into()).await?.await?;

    let worker = JobWorker::new(consumer, tokens, Verifier::<1>::new("jobs").key(key)?).await?;
    let handle = async |job: Job| {
        let tenant = TenantContext::get()?;
        println!("job {:?} runs in {tenant}", job.payload);
        Ok::<_, tenancy::TenantContextNotSetError>(())
    };
    while let Some(outcome) = worker.run_next(handle).await? {
        println!("{outcome:?}");
    }
    jetstream.delete_stream(name).await?;
    jetstream.delete_key_value("tenancy-example").await?;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let Ok(url) = std::env::var("NATS_URL") else {
        eprintln!(
            "set NATS_URL to the URL of a NATS server with JetStream, for example nats://127.0.0.1:4222"
        );
        return ExitCode::from(2);
    };
    match run(&url).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("NATS failed: {error}");
            ExitCode::FAILURE
        }
    }
}
