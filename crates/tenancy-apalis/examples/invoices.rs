//! Tasks of two tenants, and one of nobody, on one apalis worker with a storage in memory.
//!
//! `cargo run -p tenancy-apalis --example invoices`

use std::error::Error;
use std::time::Duration;

use apalis::prelude::*;
use tenancy::{TenantContext, TenantContextNotSetError, TenantFutureExt, TenantId, tenant_id};
use tenancy_apalis::{TaskSigner, TokenLayer};
use tenancy_token::{Issuer, TokenKey, Verifier};

const ACME: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
const GLOBEX: TenantId = tenant_id!("6ba7b810-9dad-41d1-80b4-00c04fd430c8");

/// A function below the handler. It needs no parameter for the tenant, and fails without one.
fn send(invoice: u32) -> Result<(), TenantContextNotSetError> {
    println!("invoice {invoice} of {}", TenantContext::get()?);
    Ok(())
}

async fn handle(invoice: u32, worker: WorkerContext) -> Result<(), TenantContextNotSetError> {
    send(invoice)?;
    if invoice == 3 {
        let _ = worker.stop();
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // In production, 32 random bytes from a secret store.
    let key = TokenKey::hmac(b"example", &[7; 32])?;
    let tasks = TaskSigner::new(Issuer::new(key.clone(), "invoices", Duration::from_secs(60))?);
    let mut storage = MemoryStorage::new();
    tasks.push(&mut storage, 1).in_tenant(ACME).await?;
    // Without a tenant a task cannot be signed. One that was pushed without a token fails.
    if let Err(error) = tasks.push(&mut storage, 2).await {
        println!("{error}");
    }
    storage.push(2).await?;
    tasks.push(&mut storage, 3).in_tenant(GLOBEX).await?;

    let layer = TokenLayer::new(Verifier::<1>::new("invoices").key(key)?, 1000);
    let worker = WorkerBuilder::new("worker")
        .backend(storage)
        .layer(layer)
        .on_event(|_, event| {
            if let Event::Error(error) = event {
                println!("a task failed: {error}");
            }
        })
        .build(handle);
    Ok(worker.run().await?)
}
