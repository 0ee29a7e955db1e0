//! Connections that a pool lends: guards, and `&mut` references.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex};

use redis::aio::MultiplexedConnection;
use redis::{AsyncCommands, Commands, Connection, RedisResult};
use tenancy_redis::{Pooled, TenantRedis};

use crate::support::aio::multiplexed;
use crate::support::{A, B, PREFIX_A, Server};

/// A guard as pools have it: it derefs to the connection, and returns it when it is dropped.
struct Guard<C> {
    connection: Option<C>,
    pool: Arc<Mutex<Vec<C>>>,
}

impl<C> Guard<C> {
    fn get(pool: &Arc<Mutex<Vec<C>>>) -> Self {
        Self { connection: pool.lock().expect("a pool").pop(), pool: pool.clone() }
    }
}

impl<C> Deref for Guard<C> {
    type Target = C;

    fn deref(&self) -> &C {
        self.connection.as_ref().expect("a connection")
    }
}

impl<C> DerefMut for Guard<C> {
    fn deref_mut(&mut self) -> &mut C {
        self.connection.as_mut().expect("a connection")
    }
}

impl<C> Drop for Guard<C> {
    fn drop(&mut self) {
        self.pool.lock().expect("a pool").extend(self.connection.take());
    }
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn async_guards_and_references_are_confined() -> RedisResult<()> {
    let server = Server::start();
    let mut connection = multiplexed(&server.client(2)).await?;
    for tenant in [A, B] {
        let mut redis = TenantRedis::new(Pooled(&mut connection), tenant);
        let () = redis.set("k", tenant.to_string()).await?;
        let (value,): (String,) = redis::pipe().atomic().get("k").query_async(&mut redis).await?;
        assert_eq!(value, tenant.to_string());
    }
    let pool: Arc<Mutex<Vec<MultiplexedConnection>>> = Arc::new(Mutex::new(vec![connection]));
    for _ in 0..2 {
        let mut redis = TenantRedis::new(Pooled(Guard::get(&pool)), A);
        assert_eq!(redis.keys::<_, Vec<String>>("*").await?, ["k"]);
    }
    let mut redis = TenantRedis::new(Pooled(Guard::get(&pool)), A);
    assert_eq!(redis.flush_tenant().await?.keys(), 1);
    assert_eq!(server.keys().len(), 1, "the other tenant's");
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn sync_guards_and_references_are_confined() -> RedisResult<()> {
    let server = Server::start();
    let mut connection = server.raw();
    let () = TenantRedis::new(&mut connection, A).set("k", 1)?;
    let pool: Arc<Mutex<Vec<Connection>>> = Arc::new(Mutex::new(vec![connection]));
    let () = TenantRedis::new(Guard::get(&pool), A).incr("k", 1)?;
    let mut dedicated = TenantRedis::dedicated(Guard::get(&pool), A);
    assert_eq!(dedicated.get::<_, u8>("k")?, 2);
    assert_eq!(server.keys(), [format!("{PREFIX_A}k").into_bytes()]);
    Ok(())
}

#[cfg(feature = "acl")]
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn guards_are_checked_out_as_the_tenants_user() -> RedisResult<()> {
    let acl = tenancy_redis::TenantAcl::new(b"thirty-two bytes, for these test", 1);
    let server = Server::start();
    for tenant in [A, B] {
        acl.provision(&mut server.raw(), tenant)?;
    }
    let asynchronous = Arc::new(Mutex::new(vec![multiplexed(&server.client(2)).await?]));
    let synchronous = Arc::new(Mutex::new(vec![server.raw()]));
    for tenant in [A, B, A] {
        let mut redis = acl.checkout_async(Pooled(Guard::get(&asynchronous)), tenant).await?;
        let () = redis.set("k", 1).await?;
        let mut redis = acl.checkout(Guard::get(&synchronous), tenant)?;
        assert_eq!(redis.get::<_, u8>("k")?, 1);
    }
    assert_eq!(server.keys().len(), 2);
    Ok(())
}
