//! The Lua script agrees with `TenantLimiter`.

use std::num::NonZeroU32;
use std::time::Duration;

use redis::{Connection, Script};
use tenancy::{Quota, TenantId, TenantLimiter};
use tenancy_gateway::middleware::limit::SharedLimit;

use crate::support::process::wait_for;
use crate::support::redis_server::Server;

const SCRIPT: &str = include_str!("../../../src/middleware/limit/gcra.lua");
const BUCKET: &str = "t:00000000000000000000000000000001:limit:requests";

/// Returns the script with the test's clock, and without expiry of keys.
fn on_our_clock() -> Script {
    let (server_time, time_to_live) = ("redis.call('TIME')", "math.ceil(wait / 1000000)");
    assert!(SCRIPT.contains(server_time) && SCRIPT.contains(time_to_live));
    Script::new(&SCRIPT.replace(server_time, "{ARGV[3], ARGV[4]}").replace(time_to_live, "1000000000"))
}

/// A small fast generator (splitmix64).
struct Rng(u64);

impl Rng {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % end
    }
}

/// Compares the script with the limiter on a clock that sometimes goes back; returns the number of rejections.
fn compare(raw: &mut Connection, rate: u32, burst: u32, random: &mut Rng) -> usize {
    let (rate, burst) = (NonZeroU32::new(rate).unwrap(), NonZeroU32::new(burst).unwrap());
    let mut limiter = TenantLimiter::<1>::new(Quota::per_second(rate).burst(burst));
    let interval = (1_000_000_000 / u64::from(rate.get())).max(1);
    let fill_time = interval * u64::from(burst.get());
    let (script, key) = (on_our_clock(), format!("{rate} {burst}"));
    let mut now = 1_750_000_000_000_000;
    let mut refused = 0;
    for step in 0..500 {
        let span = [1, interval / 1000 + 1, fill_time / 1000 + 1, 3 * fill_time / 1000 + 1];
        let span = span[usize::try_from(random.below(4)).unwrap()];
        let span = random.below(span + 1);
        now = if random.below(10) == 0 { now - span } else { now + span };
        let expected = limiter.take(TenantId::PLATFORM, Duration::from_micros(now));
        let expected = expected.map_or_else(|error| error.retry_after().as_nanos(), |()| 0);
        let mut take = script.key(&key);
        take.arg(interval).arg(fill_time).arg(now / 1_000_000).arg(now % 1_000_000);
        let wait: u64 = take.invoke(raw).expect("a reply");
        assert_eq!(u128::from(wait), expected, "{rate} a second, {burst} at once, step {step}");
        refused += usize::from(wait > 0);
    }
    refused
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn script_agrees_with_the_limiter_in_memory() {
    let server = Server::start();
    let mut raw = server.raw();
    let mut random = Rng(1);
    for rate in [1, 3, 7, 100, 999, 1_000_003, 1_000_000_000, u32::MAX] {
        let refused = [1, 2, 10, 200].map(|burst| compare(&mut raw, rate, burst, &mut random));
        assert!(rate > 1000 || refused.iter().sum::<usize>() > 100, "{rate}: {refused:?}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn bucket_expires_when_it_is_full() {
    let server = Server::start();
    let limit = |rate, burst| {
        let (rate, burst) = (NonZeroU32::new(rate).unwrap(), NonZeroU32::new(burst).unwrap());
        let shared = server.shared();
        async move { SharedLimit::new(rate, burst, shared.await) }
    };
    let slow = limit(1, 100).await;
    for taken in 1..=100 {
        assert_eq!(slow.take(TenantId::PLATFORM).await.unwrap(), Ok(()));
        let ttl: i64 = server.ask(&format!("PTTL {BUCKET}"));
        // A full bucket has no key. On a busy machine, the first ones fill up at once.
        assert!(ttl <= taken * 1000 && (ttl > 0 || taken < 50), "{ttl}");
    }
    let mut refused = None;
    for _ in 0..100 {
        refused = refused.or(slow.take(TenantId::PLATFORM).await.unwrap().err());
    }
    let wait = refused.expect("no token");
    assert!((1..=1_000_000_000).contains(&wait), "{wait}");

    let () = server.ask("FLUSHALL");
    assert_eq!(limit(10, 1).await.take(TenantId::PLATFORM).await.unwrap(), Ok(()));
    wait_for(|| (server.ask::<usize>("DBSIZE") == 0).then_some(())).expect("it is gone");
}
