//! Connections of bb8, deadpool and r2d2, and `&mut` references.

use redis::aio::ConnectionLike;
use redis::{AsyncCommands, Client, Commands, RedisResult};
use tenancy::TenantId;
use tenancy_redis::{Pooled, Refusal, TenantRedis, refusal};

use crate::support::aio::multiplexed;
use crate::support::{A, B, PREFIX_A, Server};

/// Asserts that a tenant sees its own value, alone, in a transaction and in a scan, and that commands that would stay with
/// the connection are refused.
async fn works_confined<C: ConnectionLike + Send + Sync>(mut redis: TenantRedis<C>) -> RedisResult<()> {
    let tenant = redis.tenant().to_string();
    let () = redis.set("k", &tenant).await?;
    let (value,): (String,) = redis::pipe().atomic().get("k").query_async(&mut redis).await?;
    assert_eq!(value, tenant);
    assert_eq!(redis.keys::<_, Vec<String>>("*").await?, ["k"]);
    let error = redis::cmd("WATCH").arg("k").exec_async(&mut redis).await.unwrap_err();
    assert_eq!(refusal(&error), Some(Refusal::ConnectionState));
    Ok(())
}

/// A pool of one connection, so that tenants take turns on it.
async fn bb8_pool(server: &Server, resp: u8) -> bb8::Pool<Client> {
    bb8::Pool::builder().max_size(1).build(server.client(resp)).await.expect("a connection")
}

fn deadpool(server: &Server) -> deadpool_redis::Pool {
    let pool = deadpool_redis::Config::from_url(server.process.url()).builder().expect("a valid URL");
    pool.max_size(1).runtime(deadpool_redis::Runtime::Tokio1).build().expect("a pool")
}

fn r2d2_pool(server: &Server, resp: u8) -> r2d2::Pool<Client> {
    r2d2::Pool::builder().max_size(1).build(server.client(resp)).expect("a connection")
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn references_are_confined() -> RedisResult<()> {
    let server = Server::start();
    let mut connection = multiplexed(&server.client(2)).await?;
    for tenant in [A, B, A] {
        works_confined(TenantRedis::new(Pooled(&mut connection), tenant)).await?;
    }
    let mut connection = server.raw();
    assert_eq!(TenantRedis::new(&mut connection, A).get::<_, String>("k")?, A.to_string());
    assert_eq!(TenantRedis::new(&mut connection, B).get::<_, String>("k")?, B.to_string());
    Ok(())
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn bb8_connections_are_confined() -> RedisResult<()> {
    let server = Server::start();
    for resp in [2, 3] {
        let pool = bb8_pool(&server, resp).await;
        for tenant in [A, B, A] {
            let guard = pool.get().await.expect("a connection");
            works_confined(TenantRedis::new(Pooled(guard), tenant)).await?;
        }
        assert_eq!(pool.state().connections, 1, "the tenants shared one connection");
        // `flush_tenant` needs a guard without borrowed data.
        let guard = pool.get_owned().await.expect("a connection");
        assert_eq!(TenantRedis::new(Pooled(guard), A).flush_tenant().await?.keys(), 1);
        assert_eq!(server.keys().len(), 1, "the other tenant's");
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn deadpool_connections_are_confined() -> RedisResult<()> {
    let server = Server::start();
    let pool = deadpool(&server);
    for tenant in [A, B, A] {
        let connection = pool.get().await.expect("a connection");
        works_confined(TenantRedis::new(connection, tenant)).await?;
    }
    assert_eq!(pool.status().size, 1, "the tenants shared one connection");
    let connection = pool.get().await.expect("a connection");
    assert_eq!(TenantRedis::new(connection, A).flush_tenant().await?.keys(), 1);
    assert_eq!(server.keys().len(), 1, "the other tenant's");
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn r2d2_connections_are_confined() -> RedisResult<()> {
    let server = Server::start();
    for resp in [2, 3] {
        let pool = r2d2_pool(&server, resp);
        for tenant in [A, B] {
            let mut redis = TenantRedis::new(pool.get().expect("a connection"), tenant);
            let () = redis.set("k", tenant.to_string())?;
            let (value,): (String,) = redis::pipe().atomic().get("k").query(&mut redis)?;
            assert_eq!(value, tenant.to_string());
            assert_eq!(redis.scan::<String>()?.collect::<RedisResult<Vec<_>>>()?, ["k"]);
        }
        assert_eq!(pool.state().connections, 1, "the tenants shared one connection");
    }
    let pool = r2d2_pool(&server, 2);
    let mut dedicated = TenantRedis::dedicated(pool.get().expect("a connection"), A);
    let watched: (String,) =
        redis::transaction(&mut dedicated, &["k"], |redis, pipeline| pipeline.get("k").query(redis))?;
    assert_eq!(watched.0, A.to_string());
    assert!(server.keys().contains(&format!("{PREFIX_A}k").into_bytes()));
    Ok(())
}

/// Each kind of guard becomes the user of its tenant at each checkout, and the pool's connection has no tenant that the
/// next one could meet.
#[cfg(feature = "acl")]
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn guards_are_checked_out_as_the_tenants_user() -> RedisResult<()> {
    async fn has_the_users_key<C: ConnectionLike + Send + Sync>(
        mut redis: TenantRedis<C>,
    ) -> RedisResult<()> {
        let tenant = redis.tenant().to_string();
        let () = redis.set("k", &tenant).await?;
        assert_eq!(redis.get::<_, String>("k").await?, tenant);
        Ok(())
    }
    /// Returns the user of the connection that the last guard left.
    async fn user(mut connection: impl ConnectionLike) -> RedisResult<String> {
        redis::cmd("ACL").arg("WHOAMI").query_async(&mut connection).await
    }
    let acl = tenancy_redis::TenantAcl::new(b"thirty-two bytes, for these test", 1);
    let server = Server::start();
    let tenants: [TenantId; 3] = [A, B, A];
    for tenant in tenants {
        acl.provision(&mut server.raw(), tenant)?;
    }
    let (bb8, deadpool, r2d2) = (bb8_pool(&server, 2).await, deadpool(&server), r2d2_pool(&server, 2));
    let mut connection = multiplexed(&server.client(2)).await?;
    for tenant in tenants {
        let guard = bb8.get().await.expect("a connection");
        has_the_users_key(acl.checkout_async(Pooled(guard), tenant).await?).await?;
        let guard = bb8.get().await.expect("a connection");
        assert_eq!(user(Pooled(guard)).await?, acl.username(tenant), "bb8");

        let guard = deadpool.get().await.expect("a connection");
        has_the_users_key(acl.checkout_async(guard, tenant).await?).await?;
        let guard = deadpool.get().await.expect("a connection");
        assert_eq!(user(guard).await?, acl.username(tenant), "deadpool");

        has_the_users_key(acl.checkout_async(Pooled(&mut connection), tenant).await?).await?;

        let guard = r2d2.get().expect("a connection");
        assert_eq!(acl.checkout(guard, tenant)?.get::<_, String>("k")?, tenant.to_string());
        let guard = r2d2.get().expect("a connection");
        assert_eq!(acl.checkout(guard, tenant)?.get::<_, String>("k")?, tenant.to_string());
    }
    assert_eq!(server.keys().len(), 2);
    Ok(())
}
