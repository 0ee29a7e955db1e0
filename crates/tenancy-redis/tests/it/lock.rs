//! Locks of tenants on a real server.

use std::thread;
use std::time::Duration;

use redis::{Cmd, Commands, Connection, ConnectionLike, RedisResult, Value};
use tenancy_redis::lock::{Lease, TenantLock};
use tenancy_redis::{RedisPolicy, TenantRedis};

use crate::support::{A, B, PREFIX_A, PREFIX_B, Server};

const LONG: Duration = Duration::from_secs(600);
/// A lease of this time expires during a test.
const SHORT: Duration = Duration::from_millis(30);

fn lock(name: &str) -> TenantLock {
    TenantLock::new(name, LONG)
}

fn held(lock: &TenantLock, redis: &mut TenantRedis<Connection>) -> RedisResult<Lease> {
    Ok(lock.try_acquire(redis)?.expect("a free lock"))
}

/// Returns the lease as soon as the lease of another owner has expired.
fn after_expiry(lock: &TenantLock, redis: &mut TenantRedis<Connection>) -> RedisResult<Lease> {
    Ok(lock.acquire(redis, Duration::from_secs(30))?.expect("the other lease expires"))
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn lock_has_one_owner_until_it_is_released() -> RedisResult<()> {
    let server = Server::start();
    for resp in [2, 3] {
        let mut redis = TenantRedis::new(server.client(resp).get_connection()?, A);
        let mut other = server.tenant(A);
        let mut lease = held(&lock("x"), &mut redis)?;
        assert!(lease.remaining() > LONG / 2 && lease.remaining() <= LONG);
        assert!(lock("x").try_acquire(&mut other)?.is_none());
        assert!(lock("x").acquire(&mut other, Duration::ZERO)?.is_none());
        assert!(lock("x").acquire(&mut other, SHORT)?.is_none());
        assert!(lease.extend(&mut redis)?);
        let first = lease.token();
        assert!(lease.release(&mut other)?, "any connection of the tenant releases it");
        let next = held(&lock("x"), &mut other)?;
        assert!(next.token() > first);
        assert!(next.release(&mut other)?);
    }
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn expired_lease_is_lost() -> RedisResult<()> {
    let server = Server::start();
    let (mut redis, mut other) = (server.tenant(A), server.tenant(A));
    let mut lost = held(&TenantLock::new("x", SHORT), &mut redis)?;
    let lease = after_expiry(&lock("x"), &mut other)?;
    assert!(lease.token() > lost.token(), "the resource can reject the lost lease");
    assert_eq!(lost.remaining(), Duration::ZERO);
    assert!(!lost.extend(&mut redis)?);
    assert_eq!(lost.remaining(), Duration::ZERO);
    assert!(!lost.release(&mut redis)?);
    assert!(lock("x").try_acquire(&mut redis)?.is_none(), "the lost lease did not release the lock");
    assert!(lease.release(&mut other)?);

    // Nobody else has the lock, and it is lost nevertheless.
    let mut lost = held(&TenantLock::new("x", SHORT), &mut redis)?;
    while !lost.remaining().is_zero() {
        thread::sleep(SHORT);
    }
    thread::sleep(SHORT);
    assert!(!lost.extend(&mut redis)?);
    assert!(!lost.release(&mut redis)?);
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn another_owner_cannot_extend_or_release_it() -> RedisResult<()> {
    let server = Server::start();
    let mut a = server.tenant(A);
    let lease = held(&lock("x"), &mut a)?;
    let mut other = held(&lock("y"), &mut a)?;
    // A program that stores an owner of its own in the key: the earlier lease is not its owner.
    let key = format!("{PREFIX_A}lock:y");
    let () = server.raw().hset(&key, "owner", "another owner")?;
    assert!(!other.extend(&mut a)?);
    assert!(!other.release(&mut a)?);
    assert_eq!(server.raw().hget::<_, _, String>(&key, "owner")?, "another owner");
    assert!(lease.release(&mut a)?);
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn tenants_and_namespaces_have_locks_of_their_own() -> RedisResult<()> {
    let server = Server::start();
    let (mut a, mut b) = (server.tenant(A), server.tenant(B));
    let mut jobs = server.tenant(A).namespace("jobs");
    // Full names of the other tenant's lock, as a name.
    let foreign = TenantLock::new(format!("{PREFIX_B}lock:x"), LONG);
    let mut leases = vec![
        held(&lock("x"), &mut a)?,
        held(&lock("x"), &mut b)?,
        held(&lock("x"), &mut jobs)?,
        held(&foreign, &mut a)?,
    ];
    let keys = [
        format!("{PREFIX_A}jobs:lock:x"),
        format!("{PREFIX_A}lock:{PREFIX_B}lock:x"),
        format!("{PREFIX_A}lock:x"),
        format!("{PREFIX_B}lock:x"),
    ];
    assert_eq!(server.keys(), keys.map(String::into_bytes));
    // The lease of one tenant, on the connection of the other.
    let before = server.dump(PREFIX_B);
    assert!(!leases[0].extend(&mut b)?);
    assert!(!leases.remove(0).release(&mut b)?);
    assert_eq!(server.dump(PREFIX_B), before);
    assert!(lock("x").try_acquire(&mut a)?.is_none(), "a's lock is still held");
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn tokens_increase_without_the_key_and_when_the_clock_is_set_back() -> RedisResult<()> {
    let server = Server::start();
    let (mut a, key) = (server.tenant(A), format!("{PREFIX_A}lock:x"));
    let mut last = 0;
    for _ in 0..20 {
        let lease = held(&lock("x"), &mut a)?;
        assert!(lease.token() > last);
        last = lease.token();
        assert!(lease.release(&mut a)?);
    }
    assert_eq!(server.raw().del::<_, u8>(&key)?, 1);
    let lease = held(&lock("x"), &mut a)?;
    assert!(lease.token() > last);
    assert!(lease.release(&mut a)?);
    // As if the last token had been given at a time that is in the future again.
    let future = lease_time_from_now(&server, Duration::from_hours(1));
    let () = server.raw().hset(&key, "token", future)?;
    assert_eq!(held(&lock("x"), &mut a)?.token(), future + 1);
    Ok(())
}

/// Returns the time of the server in microseconds, and a duration more.
fn lease_time_from_now(server: &Server, later: Duration) -> u64 {
    let (seconds, microseconds): (u64, u64) = redis::cmd("TIME").query(&mut server.raw()).expect("a time");
    seconds * 1_000_000 + microseconds + u64::try_from(later.as_micros()).expect("a short time")
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn keys_of_locks_expire() -> RedisResult<()> {
    let server = Server::start();
    let mut a = server.tenant(A);
    let lease = held(&lock("x"), &mut a)?;
    let ttl = |server: &Server| server.raw().pttl::<_, i64>(format!("{PREFIX_A}lock:x"));
    let day = 24 * 60 * 60 * 1000;
    assert!((day..=day + 600_000).contains(&ttl(&server)?), "the token outlives the lease");
    assert!(lease.release(&mut a)?);
    assert!((1..=day).contains(&ttl(&server)?));
    Ok(())
}

/// A connection that loses the first reply to each command and sends the command again, as redis-rs does in a cluster.
struct Twice(Connection);

impl ConnectionLike for Twice {
    fn req_packed_command(&mut self, cmd: &[u8]) -> RedisResult<Value> {
        drop(self.0.req_packed_command(cmd)?);
        self.0.req_packed_command(cmd)
    }

    fn req_packed_commands(&mut self, cmd: &[u8], offset: usize, count: usize) -> RedisResult<Vec<Value>> {
        self.0.req_packed_commands(cmd, offset, count)
    }

    fn req_command(&mut self, cmd: &Cmd) -> RedisResult<Value> {
        self.req_packed_command(&cmd.get_packed_command())
    }

    fn get_db(&self) -> i64 {
        self.0.get_db()
    }

    fn check_connection(&mut self) -> bool {
        self.0.check_connection()
    }

    fn is_open(&self) -> bool {
        self.0.is_open()
    }
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn request_that_is_sent_twice_acquires_the_lock_once() -> RedisResult<()> {
    let server = Server::start();
    let mut twice = TenantRedis::new(Twice(server.raw()), A);
    let mut lease = lock("x").try_acquire(&mut twice)?.expect("its own lock");
    let token: u64 = server.raw().hget(format!("{PREFIX_A}lock:x"), "token")?;
    assert_eq!(lease.token(), token);
    assert!(lease.extend(&mut twice)?);
    assert!(lease.release(&mut server.tenant(A))?);
    Ok(())
}

/// Scripts need neither the trust of the program nor its policy, and names may be any bytes.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn works_with_any_handle_and_any_name() -> RedisResult<()> {
    let server = Server::start();
    let strict = RedisPolicy::new().require_ttl().max_value_len(1).max_args(1);
    let mut handles = [
        TenantRedis::new(server.raw(), A).policy(strict),
        TenantRedis::dedicated(server.raw(), A),
        server.tenant(A),
    ];
    for handle in &mut handles {
        for name in [&b""[..], b"\0\r\n*{x}", b"\xff", &[b'n'; 10_000]] {
            let lock = TenantLock::new(name, Duration::MAX);
            assert!(held(&lock, handle)?.release(handle)?);
            // The server forgets its scripts.
            let () = redis::cmd("SCRIPT").arg("FLUSH").query(&mut server.raw())?;
        }
    }
    assert!(server.keys().iter().all(|key| key.starts_with(format!("{PREFIX_A}lock:").as_bytes())));
    Ok(())
}

#[test]
fn debug_shows_no_name_and_no_owner() {
    assert_eq!(format!("{:?}", lock("customer")), "TenantLock { ttl: 600s, .. }");
}

#[cfg(feature = "tokio")]
mod aio {
    use redis::AsyncCommands;
    use redis::aio::MultiplexedConnection;
    use tokio::task::JoinSet;

    use super::*;
    use crate::support::aio::multiplexed;

    /// Adds one to a number by a read and a write, which lose additions without a lock.
    async fn add_one(mut redis: TenantRedis<MultiplexedConnection>) -> RedisResult<()> {
        let lease = lock("sum").acquire_async(&mut redis, Duration::from_secs(60)).await?.expect("the lock");
        let (sum, token): (u64, u64) = redis.mget(&["sum", "token"]).await?;
        assert!(lease.token() > token, "tokens increase in the order of the writes");
        tokio::task::yield_now().await;
        let () = redis.mset(&[("sum", sum + 1), ("token", lease.token())]).await?;
        assert!(lease.release_async(&mut redis).await?);
        Ok(())
    }

    #[tokio::test]
    #[ignore = "needs redis-server; cargo xtask test runs it"]
    async fn one_task_at_a_time_holds_the_lock() -> RedisResult<()> {
        let server = Server::start();
        let mut redis = TenantRedis::new(multiplexed(&server.client(3)).await?, A);
        let () = redis.mset(&[("sum", 0), ("token", 0)]).await?;
        let tasks: JoinSet<_> = (0..16).map(|_| add_one(redis.clone())).collect();
        for done in tasks.join_all().await {
            done?;
        }
        assert_eq!(redis.get::<_, u64>("sum").await?, 16);
        Ok(())
    }

    #[tokio::test]
    #[ignore = "needs redis-server; cargo xtask test runs it"]
    async fn async_lease_is_lost_by_expiry() -> RedisResult<()> {
        let server = Server::start();
        let mut redis = TenantRedis::new(multiplexed(&server.client(2)).await?, A);
        let short = TenantLock::new("x", SHORT);
        let mut lost = short.try_acquire_async(&mut redis).await?.expect("a free lock");
        let wait = Duration::from_secs(30);
        let mut lease = lock("x").acquire_async(&mut redis, wait).await?.expect("the first lease expires");
        assert!(lease.token() > lost.token());
        assert!(!lost.extend_async(&mut redis).await?);
        assert!(!lost.release_async(&mut redis).await?);
        assert!(lease.extend_async(&mut redis).await?);
        assert!(short.try_acquire_async(&mut redis).await?.is_none());
        assert!(short.acquire_async(&mut redis, SHORT).await?.is_none());
        assert!(lease.release_async(&mut redis).await?);
        Ok(())
    }

    #[cfg(feature = "acl")]
    #[tokio::test]
    #[ignore = "needs redis-server; cargo xtask test runs it"]
    async fn user_of_a_tenant_holds_locks() -> RedisResult<()> {
        let server = Server::start();
        let acl = tenancy_redis::TenantAcl::new(b"thirty-two bytes, for these test", 1).scripts();
        acl.provision(&mut server.raw(), A)?;
        let mut redis = acl.checkout_async(multiplexed(&server.client(2)).await?, A).await?;
        let mut lease = lock("x").try_acquire_async(&mut redis).await?.expect("a free lock");
        assert!(lease.extend_async(&mut redis).await?);
        assert!(lease.release_async(&mut redis).await?);
        Ok(())
    }

    #[cfg(feature = "cluster")]
    #[tokio::test]
    #[ignore = "needs redis-server; cargo xtask test runs it"]
    async fn locks_of_a_cluster_are_on_their_nodes() -> RedisResult<()> {
        let cluster = tenancy_testkit::RedisCluster::start().expect("a cluster");
        let urls: Vec<_> = cluster.nodes().iter().map(tenancy_testkit::ClusterNode::url).collect();
        let connection = redis::cluster::ClusterClient::new(urls)?.get_async_connection().await?;
        let (mut a, mut b) = (TenantRedis::new(connection.clone(), A), TenantRedis::new(connection, B));
        for name in ["1", "2", "3", "4", "5", "{x}"] {
            let of_a = lock(name).try_acquire_async(&mut a).await?.expect("a free lock");
            let of_b = lock(name).try_acquire_async(&mut b).await?.expect("a free lock");
            assert!(lock(name).try_acquire_async(&mut a).await?.is_none());
            assert!(of_a.release_async(&mut a).await?);
            assert!(of_b.release_async(&mut b).await?);
        }
        Ok(())
    }
}
