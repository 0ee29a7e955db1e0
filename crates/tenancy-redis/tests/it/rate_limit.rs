//! Rate limits of tenants on a real server.

use std::num::NonZeroU32;
use std::thread;
use std::time::Duration;

use redis::{Commands, RedisResult};
use tenancy_redis::rate_limit::RateLimit;
use tenancy_redis::{RedisPolicy, TenantRedis};

use crate::support::{A, B, PREFIX_A, PREFIX_B, Server};

const HOUR: Duration = Duration::from_secs(3600);

fn tokens(count: u32) -> NonZeroU32 {
    NonZeroU32::new(count).expect("some tokens")
}

/// A limit whose bucket gets no token during a test.
fn slow(name: &str, burst: u32) -> RateLimit {
    RateLimit::one_each(name, HOUR).burst(tokens(burst))
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn burst_is_allowed_and_then_no_more() -> RedisResult<()> {
    let server = Server::start();
    for (resp, name) in [(2, "x"), (3, "y")] {
        let mut redis = TenantRedis::new(server.client(resp).get_connection()?, A);
        let limit = slow(name, 3);
        for left in [2, 1, 0] {
            let decision = limit.check(&mut redis)?;
            assert_eq!(
                (decision.is_allowed(), decision.remaining(), decision.retry_after()),
                (true, left, None)
            );
        }
        for _ in 0..3 {
            let decision = limit.check(&mut redis)?;
            assert_eq!((decision.is_allowed(), decision.remaining()), (false, 0));
            let wait = decision.retry_after().expect("a token will come");
            assert!(wait > Duration::ZERO && wait <= HOUR, "{wait:?}");
            assert!(decision.reset_after() > 2 * HOUR && decision.reset_after() <= 3 * HOUR);
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn cost_is_taken_whole_or_not_at_all() -> RedisResult<()> {
    let server = Server::start();
    let mut redis = server.tenant(A);
    let limit = slow("x", 5);
    let looked = limit.check_cost(&mut redis, 0)?;
    assert_eq!((looked.is_allowed(), looked.remaining(), looked.reset_after()), (true, 5, Duration::ZERO));
    assert_eq!(server.keys().len(), 0, "a look stores nothing");
    assert_eq!(limit.check_cost(&mut redis, 3)?.remaining(), 2);
    let refused = limit.check_cost(&mut redis, 3)?;
    assert_eq!((refused.is_allowed(), refused.remaining()), (false, 2));
    assert!(refused.retry_after().is_some_and(|wait| wait <= HOUR), "one token is missing");
    assert_eq!(limit.check_cost(&mut redis, 2)?.remaining(), 0);
    let never = limit.check_cost(&mut redis, 6)?;
    assert_eq!((never.is_allowed(), never.retry_after()), (false, None), "waiting does not help");
    assert!(slow("y", 5).check_cost(&mut redis, 5)?.is_allowed(), "the whole burst");
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn tenants_and_namespaces_have_buckets_of_their_own() -> RedisResult<()> {
    let server = Server::start();
    let (mut a, mut b) = (server.tenant(A), server.tenant(B));
    let mut jobs = server.tenant(A).namespace("jobs");
    let (limit, foreign) = (slow("x", 1), slow(&format!("{PREFIX_B}rate_limit:x"), 1));
    for _ in 0..3 {
        _ = limit.check(&mut a)?;
        _ = foreign.check(&mut a)?;
    }
    assert!(!limit.check(&mut a)?.is_allowed());
    assert!(limit.check(&mut b)?.is_allowed(), "the bucket of the other tenant is full");
    assert!(limit.check(&mut jobs)?.is_allowed());
    let keys = [
        format!("{PREFIX_A}jobs:rate_limit:x"),
        format!("{PREFIX_A}rate_limit:{PREFIX_B}rate_limit:x"),
        format!("{PREFIX_A}rate_limit:x"),
        format!("{PREFIX_B}rate_limit:x"),
    ];
    assert_eq!(server.keys(), keys.map(String::into_bytes));
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn bucket_fills_and_its_key_expires() -> RedisResult<()> {
    let server = Server::start();
    let mut redis = server.tenant(A);
    let limit = RateLimit::one_each("x", Duration::from_millis(20)).burst(tokens(2));
    assert!(limit.check_cost(&mut redis, 2)?.is_allowed());
    let mut waits = 0;
    while let Some(wait) = limit.check(&mut redis)?.retry_after() {
        assert!(wait <= Duration::from_millis(20), "{wait:?}");
        thread::sleep(wait);
        waits += 1;
    }
    // A sleep is at least as long as asked, so that the token is there.
    assert!(waits <= 1, "{waits}");
    while !server.keys().is_empty() {
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(limit.check(&mut redis)?.remaining(), 1, "a full bucket");
    assert!(slow("y", 7).check(&mut redis)?.is_allowed());
    let ttl: i64 = server.raw().pttl(format!("{PREFIX_A}rate_limit:y"))?;
    assert!((1..=3_600_000).contains(&ttl), "{ttl}");
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn processes_share_one_bucket() {
    let server = Server::start();
    let limit = slow("x", 100);
    let take = || {
        let mut redis = server.tenant(A);
        (0..50).filter(|_| limit.check(&mut redis).expect("a decision").is_allowed()).count()
    };
    let taken: usize = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(take)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum()
    });
    assert_eq!(taken, 100);
}

/// What is in the key: a time in the distant future, as after a clock was set back, and no time at all.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn strange_times_lock_nobody_out() -> RedisResult<()> {
    let server = Server::start();
    let (mut redis, limit) = (server.tenant(A), slow("x", 2));
    let key = format!("{PREFIX_A}rate_limit:x");
    for value in ["9e15", "1e300"] {
        let () = server.raw().set(&key, value)?;
        let decision = limit.check(&mut redis)?;
        assert_eq!((decision.is_allowed(), decision.remaining()), (false, 0), "{value}: an empty bucket");
        assert!(decision.retry_after().is_some_and(|wait| wait <= HOUR), "{value}");
    }
    for value in ["", "text", "-1", "0", "-9e15"] {
        let () = server.raw().set(&key, value)?;
        let decision = limit.check(&mut redis)?;
        assert_eq!((decision.is_allowed(), decision.remaining()), (true, 1), "{value}: a full bucket");
    }
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn limits_of_any_size_work_with_any_handle() -> RedisResult<()> {
    let server = Server::start();
    let strict = RedisPolicy::new().require_ttl().max_value_len(1).max_args(1);
    let most = NonZeroU32::MAX;
    for (index, limit) in [
        RateLimit::per_second("fast", most),
        RateLimit::per_second("slow", tokens(1)),
        RateLimit::per_second("thirds", tokens(3)),
        RateLimit::one_each("never", Duration::MAX).burst(most),
        RateLimit::one_each("always", Duration::ZERO).burst(most),
    ]
    .into_iter()
    .enumerate()
    {
        let mut redis = TenantRedis::new(server.raw(), A).policy(strict);
        assert!(limit.check(&mut redis)?.is_allowed(), "{index}: {limit:?}");
        assert!(limit.check_cost(&mut redis, 0)?.is_allowed(), "{index}: {limit:?}");
    }
    Ok(())
}

#[test]
fn debug_shows_no_name() {
    let shown = format!("{:?}", RateLimit::per_second("customer", tokens(4)));
    assert_eq!(shown, "RateLimit { interval_us: 250000.0, burst: 4, .. }");
}

#[cfg(feature = "tokio")]
mod aio {
    use super::*;
    use crate::support::aio::multiplexed;

    #[tokio::test]
    #[ignore = "needs redis-server; cargo xtask test runs it"]
    async fn async_connections_share_the_bucket() -> RedisResult<()> {
        let server = Server::start();
        let mut redis = TenantRedis::new(multiplexed(&server.client(3)).await?, A);
        let limit = slow("x", 3);
        assert_eq!(limit.check_cost_async(&mut redis, 2).await?.remaining(), 1);
        assert!(limit.check(&mut server.tenant(A))?.is_allowed());
        assert!(limit.check_async(&mut redis).await?.retry_after().is_some());
        let mut other = TenantRedis::new(multiplexed(&server.client(3)).await?, B);
        assert!(limit.check_async(&mut other).await?.is_allowed());
        Ok(())
    }

    #[cfg(feature = "acl")]
    #[tokio::test]
    #[ignore = "needs redis-server; cargo xtask test runs it"]
    async fn user_of_a_tenant_is_limited() -> RedisResult<()> {
        let server = Server::start();
        let acl = tenancy_redis::TenantAcl::new(b"thirty-two bytes, for these test", 1).scripts();
        acl.provision(&mut server.raw(), A)?;
        let mut redis = acl.checkout(server.raw(), A)?;
        let limit = slow("x", 1);
        assert!(limit.check(&mut redis)?.is_allowed());
        assert!(!limit.check(&mut redis)?.is_allowed());
        Ok(())
    }
}
