//! Outages of a server while tenants share a connection: kill, restart and suspension.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{AsyncCommands, RedisResult};
use tenancy::TenantId;
use tenancy_redis::{TenantRedis, refusal};
use tokio::time::{sleep, timeout};

use crate::support::Server;

const TENANTS: u8 = 8;
const RESPONSE_TIME: Duration = Duration::from_millis(50);

/// Shared state of the tasks: the signal to stop, and counts of replies and errors.
#[derive(Debug, Default)]
struct Traffic {
    is_over: AtomicBool,
    done: AtomicUsize,
    failed: AtomicUsize,
}

impl Traffic {
    fn count<T>(&self, reply: RedisResult<T>) -> Option<T> {
        match reply {
            Ok(value) => {
                self.done.fetch_add(1, Ordering::Relaxed);
                Some(value)
            }
            Err(error) => {
                assert_eq!(refusal(&error), None, "a reply that was not the command's: {error}");
                self.failed.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }

    /// Waits until the count has grown by ten for each tenant.
    async fn more(&self, of: &AtomicUsize) {
        let end = of.load(Ordering::Relaxed) + 10 * usize::from(TENANTS);
        let grown = async {
            while of.load(Ordering::Relaxed) < end {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(30), grown).await.expect("the traffic goes on");
    }
}

/// A tenant with a number. Its values contain the number and the key.
struct Tenant {
    redis: TenantRedis<ConnectionManager>,
    number: u8,
}

impl Tenant {
    fn new(shared: &ConnectionManager, number: u8) -> Self {
        let tenant = TenantId::from_bytes([number; 16]).expect("an id");
        Self { redis: TenantRedis::new(shared.clone(), tenant), number }
    }

    fn value(&self, key: &str, round: usize) -> String {
        format!("{}/{key}/{round}", self.number)
    }

    /// Errors are expected; a value of another tenant or key is not.
    async fn write_and_read(&mut self, round: usize, traffic: &Traffic) {
        let key = format!("k{}", round % 7);
        let value = self.value(&key, round);
        traffic.count(self.redis.set::<_, _, ()>(&key, &value).await);
        if let Some(Some(value)) = traffic.count(self.redis.get::<_, Option<String>>(&key).await) {
            let own = format!("{}/{key}/", self.number);
            assert!(value.starts_with(&own), "{own} is {value}");
        }
        if let Some(keys) = traffic.count(self.redis.keys::<_, Vec<String>>("*").await) {
            let is_own = |key: &String| matches!(key.as_bytes(), [b'k', b'0'..=b'6']);
            assert!(keys.iter().all(is_own), "{keys:?}");
        }
        let both = redis::pipe().atomic().get(&key).keys(&key).to_owned();
        let both: RedisResult<(Option<String>, Vec<String>)> = both.query_async(&mut self.redis).await;
        if let Some((value, keys)) = traffic.count(both) {
            assert!(value.is_none_or(|value| value.starts_with(&format!("{}/{key}/", self.number))));
            assert!(keys.iter().all(|found| *found == key), "{keys:?}");
        }
    }

    /// After the outage every reply is current.
    async fn settle(&mut self) -> RedisResult<()> {
        let settled = async {
            for round in 0..50 {
                // A stall of a busy machine is an outage too, so the round is repeated.
                while let Err(error) = self.write_and_read_last(round).await {
                    if !error.is_io_error() {
                        return Err(error);
                    }
                    sleep(Duration::from_millis(10)).await;
                }
            }
            Ok(())
        };
        timeout(Duration::from_secs(30), settled).await.expect("it works again")
    }

    async fn write_and_read_last(&mut self, round: usize) -> RedisResult<()> {
        let value = self.value("last", round);
        let () = self.redis.set("last", &value).await?;
        assert_eq!(self.redis.get::<_, String>("last").await?, value);
        assert_eq!(self.redis.keys::<_, Vec<String>>("last").await?, ["last"]);
        Ok(())
    }
}

async fn run(mut tenant: Tenant, traffic: Arc<Traffic>) -> RedisResult<Tenant> {
    let mut round = 0;
    while !traffic.is_over.load(Ordering::Relaxed) {
        tenant.write_and_read(round, &traffic).await;
        round += 1;
    }
    tenant.settle().await?;
    Ok(tenant)
}

async fn shared(server: &Server, resp: u8) -> ConnectionManager {
    let config = ConnectionManagerConfig::new()
        .set_number_of_retries(3)
        .set_min_delay(Duration::from_millis(5))
        .set_max_delay(Duration::from_millis(20))
        .set_response_timeout(Some(RESPONSE_TIME));
    ConnectionManager::new_with_config(server.client(resp), config).await.expect("a connection")
}

/// Kills and restarts the server, and suspends it for longer than a reply may take.
async fn outages(server: &mut Server, traffic: &Traffic) {
    traffic.more(&traffic.done).await;
    server.process.kill();
    traffic.more(&traffic.failed).await;
    server.process.restart().expect("a server");
    traffic.more(&traffic.done).await;
    for _ in 0..3 {
        server.process.pause().expect("a running server");
        traffic.more(&traffic.failed).await;
        server.process.resume().expect("a running server");
        traffic.more(&traffic.done).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn tenants_never_receive_foreign_replies_after_outages() -> RedisResult<()> {
    for resp in [2, 3] {
        let mut server = Server::start();
        let shared = shared(&server, resp).await;
        let traffic = Arc::new(Traffic::default());
        let tasks: Vec<_> = (1..=TENANTS)
            .map(|number| tokio::spawn(run(Tenant::new(&shared, number), traffic.clone())))
            .collect();
        outages(&mut server, &traffic).await;
        traffic.is_over.store(true, Ordering::Relaxed);
        let mut raw = server.raw();
        for task in tasks {
            let tenant = timeout(Duration::from_mins(1), task).await.expect("in time").expect("no panic")?;
            let full = format!("t:{}:last", format!("{:02x}", tenant.number).repeat(16));
            let kept: String = redis::cmd("GET").arg(full).query(&mut raw)?;
            assert_eq!(kept, tenant.value("last", 49), "acknowledged after the restart");
        }
        for key in server.keys() {
            let key = String::from_utf8(key).expect("a name");
            let digits = key.get(2..34).expect("a prefix");
            assert!(key.starts_with("t:") && digits == digits[..2].repeat(16), "{key}");
        }
    }
    Ok(())
}
