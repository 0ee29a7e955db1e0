//! Two tenants that share one Redis connection and use the same key.
//!
//! `REDIS_URL=redis://127.0.0.1/ cargo run --example shared_connection --features tokio`
//!
//! The example writes the keys `t:<tenant>:greeting` and removes them again.

use std::process::ExitCode;

use redis::{AsyncCommands, RedisResult, aio::MultiplexedConnection};
use tenancy::{TenantFutureExt, TenantId, tenant_id};
use tenancy_redis::{TenantRedis, refusal};

const ACME: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
const GLOBEX: TenantId = tenant_id!("6ba7b810-9dad-41d1-80b4-00c04fd430c8");

/// Runs in the tenant of the context. The connection adds the tenant's prefix to each key.
async fn greet(shared: MultiplexedConnection, name: &str) -> RedisResult<()> {
    let Ok(mut redis) = TenantRedis::current(shared) else {
        println!("{name}: no tenant is set, so there is no connection");
        return Ok(());
    };
    let () = redis.set("greeting", format!("hello from {name}")).await?;
    let greeting: String = redis.get("greeting").await?;
    // `KEYS *` returns the tenant's own keys, without the prefix.
    let keys: Vec<String> = redis.keys("*").await?;
    println!("{name}: {greeting}, keys {keys:?}");

    // A command that would reach the keys of all tenants is not sent.
    let flush: RedisResult<()> = redis::cmd("FLUSHALL").query_async(&mut redis).await;
    println!("{name}: FLUSHALL is refused: {:?}", flush.err().as_ref().and_then(refusal));
    Ok(())
}

async fn run(url: &str) -> RedisResult<()> {
    let shared = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
    greet(shared.clone(), "acme").in_tenant(ACME).await?;
    greet(shared.clone(), "globex").in_tenant(GLOBEX).await?;
    greet(shared.clone(), "nobody").await?;
    for tenant in [ACME, GLOBEX] {
        // Removes the keys of this tenant only.
        let removed: u64 = TenantRedis::new(shared.clone(), tenant).del("greeting").await?;
        println!("{tenant}: removed {removed} key");
    }
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let Ok(url) = std::env::var("REDIS_URL") else {
        eprintln!("set REDIS_URL to the URL of a Redis server, for example redis://127.0.0.1/");
        return ExitCode::from(2);
    };
    match run(&url).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("redis failed: {error}");
            ExitCode::FAILURE
        }
    }
}
