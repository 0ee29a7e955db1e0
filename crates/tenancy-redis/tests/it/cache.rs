//! The cache: one for each tenant.

mod flights;
mod memory;
mod removals;
mod server;
mod values;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use memory::Memory;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tenancy::{TenantFutureExt, TenantId};
use tenancy_redis::TenantCache;
use tenancy_redis::cache::CacheError;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

type Cache = TenantCache<Memory>;

fn cache() -> (Memory, Cache) {
    let memory = Memory::default();
    (memory.clone(), TenantCache::new(memory).timeout(crate::support::aio::PATIENCE))
}

/// A loader that counts its calls and can be blocked.
#[derive(Clone)]
struct Source {
    loads: Arc<AtomicUsize>,
    began: Arc<Semaphore>,
    gate: Option<Arc<Semaphore>>,
}

impl Source {
    fn new() -> Self {
        Self { loads: Arc::default(), began: Arc::new(Semaphore::new(0)), gate: None }
    }

    fn held_back() -> Self {
        Self { gate: Some(Arc::new(Semaphore::new(0))), ..Self::new() }
    }

    async fn load<T, E>(&self, result: Result<Option<T>, E>) -> Result<Option<T>, E> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        self.began.add_permits(1);
        match &self.gate {
            Some(gate) => gate.acquire().await.expect("open").forget(),
            None => tokio::task::yield_now().await,
        }
        result
    }

    fn loads(&self) -> usize {
        self.loads.load(Ordering::SeqCst)
    }

    /// Waits until one more load has begun.
    async fn began(&self) {
        memory::within(self.began.acquire()).await.expect("open").forget();
    }

    fn release(&self, loads: usize) {
        self.gate.as_ref().expect("held back").add_permits(loads);
    }
}

type Asked<T, E = String> = JoinHandle<Result<Option<T>, CacheError<E>>>;

/// Starts a task of the tenant that calls `get_or_set` for `k`.
fn try_ask<T, E>(
    cache: &Cache,
    tenant: TenantId,
    source: &Source,
    result: Result<Option<T>, E>,
) -> Asked<T, E>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    E: Send + Sync + 'static,
{
    let (cache, source) = (cache.clone(), source.clone());
    let asks = async move { cache.get_or_set("k", || source.load(result)).await };
    tokio::spawn(asks.in_tenant(tenant))
}

/// Like [`try_ask`], with a loader that succeeds.
fn ask<T>(cache: &Cache, tenant: TenantId, source: &Source, value: impl Into<Option<T>>) -> Asked<T>
where
    T: Serialize + DeserializeOwned + Send + 'static,
{
    try_ask(cache, tenant, source, Ok(value.into()))
}

/// Returns the result of a task, or panics if the task did.
async fn answer<T>(task: JoinHandle<T>) -> T {
    memory::within(task).await.expect("no panic")
}

/// Like [`answer`], for a call that succeeds.
async fn loaded<T>(task: Asked<T>) -> Option<T> {
    answer(task).await.expect("a value")
}

/// Returns the full key of `k` of tenant A.
fn key() -> String {
    format!("{}cache:k", crate::support::PREFIX_A)
}

/// Lets every task run until it waits.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
