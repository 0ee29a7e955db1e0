//! Calls that are dropped in flight: the next call on the connection receives its own reply.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::LazyLock;
use std::task::Poll;
use std::time::Duration;

use redis::aio::ConnectionLike;
use redis::{AsyncCommands, RedisResult, Script};
use tenancy_redis::{TenantRedis, TrustedScripts};
use tokio::task::yield_now;

use crate::support::{A, B, Server};

const READ: &str = "return redis.call('GET', KEYS[1])";
static SCRIPTS: LazyLock<TrustedScripts> = LazyLock::new(|| TrustedScripts::new([READ]));

/// A call of one tenant, with its reply as text.
type Call<'a> = Pin<Box<dyn Future<Output = RedisResult<String>> + 'a>>;

/// Each operation returns the value of `k` or its name.
const OPERATIONS: [&str; 6] = ["get", "keys", "pipeline", "transaction", "scan", "script"];

fn call<'a, C>(name: &str, redis: &'a mut TenantRedis<C>) -> Call<'a>
where
    C: ConnectionLike + Send + Sync + 'a,
{
    match name {
        "get" => Box::pin(redis.get("k")),
        "keys" => Box::pin(async { Ok(redis.keys::<_, Vec<String>>("k").await?.concat()) }),
        "pipeline" | "transaction" => {
            let mut pipeline = redis::pipe();
            pipeline.set("p", "p").ignore().keys("p").ignore().get("k");
            if name == "transaction" {
                pipeline.atomic();
            }
            Box::pin(async move { Ok(pipeline.query_async::<Vec<String>>(redis).await?.concat()) })
        }
        "scan" => Box::pin(async {
            let mut names = redis.scan_match::<_, String>("k").await?;
            Ok(names.next_item().await.transpose()?.unwrap_or_default())
        }),
        "script" => Box::pin(async { Script::new(READ).key("k").invoke_async(redis).await }),
        name => panic!("{name}"),
    }
}

/// Polls a future a number of times, then drops it; returns its output if it was ready. The connection's own task runs
/// between the polls.
async fn poll_and_drop<T>(polls: usize, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    for _ in 0..polls {
        let polled = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        if let Poll::Ready(done) = polled {
            return Some(done);
        }
        yield_now().await;
    }
    None
}

/// The number of calls, and how many of them were dropped.
#[derive(Debug, Default)]
struct Made {
    calls: usize,
    dropped: usize,
}

/// Drops one call, then makes others at once; returns whether the call was ready before.
async fn drop_one<C>(shared: &C, operation: &str, polls: usize, round: usize) -> RedisResult<bool>
where
    C: ConnectionLike + Clone + Send + Sync + 'static,
{
    let of = |tenant| TenantRedis::new(shared.clone(), tenant).scripts(&SCRIPTS);
    let (mut a, mut b) = (of(A), of(B));
    let (of_a, of_b) = (format!("a{round}"), format!("b{round}"));
    let () = a.set("k", &of_a).await?;
    let () = b.set("k", &of_b).await?;
    let () = b.set("only-b", "").await?;
    let done = poll_and_drop(polls, call(operation, &mut a)).await.transpose()?;
    if let Some(reply) = &done {
        assert!(*reply == of_a || reply == "k", "{operation}: {reply}");
    }
    // The same tenant on the same handle, another tenant on the same connection, and both at once.
    let mut again = a.clone();
    let (own, other, keys, both) = tokio::join!(
        a.get::<_, String>("k"),
        b.get::<_, String>("k"),
        async { again.keys::<_, Vec<String>>("*").await },
        async {
            let mut b = of(B);
            redis::pipe().get("k").keys("*").query_async::<(String, Vec<String>)>(&mut b).await
        },
    );
    assert_eq!((own?, other?), (of_a, of_b.clone()), "{operation}, {polls} polls");
    assert!(keys?.iter().all(|key| key == "k" || key == "p"), "{operation}, {polls} polls");
    let (value, mut names) = both?;
    names.sort();
    assert_eq!(
        (value, names),
        (of_b, vec!["k".to_owned(), "only-b".to_owned()]),
        "{operation}, {polls} polls"
    );
    Ok(done.is_some())
}

async fn drop_at_each_poll<C>(server: &Server, shared: C) -> RedisResult<Made>
where
    C: ConnectionLike + Clone + Send + Sync + 'static,
{
    let mut made = Made::default();
    for operation in OPERATIONS {
        let (mut calls, mut polls, mut done) = (0, 0, 0);
        while calls < 100 || done == 0 {
            assert!(calls < 1000, "{operation} is never done");
            if operation == "script" {
                let () = redis::cmd("SCRIPT").arg("FLUSH").query(&mut server.raw())?;
            }
            calls += 1;
            if drop_one(&shared, operation, polls, calls).await? {
                done += 1;
                polls = 0;
            } else {
                made.dropped += 1;
                polls += 1;
            }
        }
        made.calls += calls;
    }
    Ok(made)
}

/// Returns a runtime that polls the socket after each poll of a task.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().event_interval(1).enable_all().build().expect("a runtime")
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn call_dropped_at_any_poll_does_not_shift_replies() {
    let server = Server::start();
    let all = async {
        let mut made = Vec::new();
        for resp in [2, 3] {
            let client = server.client(resp);
            let shared = crate::support::aio::multiplexed(&client).await?;
            made.push(drop_at_each_poll(&server, shared).await?);
            made.push(drop_at_each_poll(&server, crate::support::aio::managed(client).await?).await?);
        }
        RedisResult::Ok(made)
    };
    let made = runtime().block_on(async { tokio::time::timeout(Duration::from_mins(5), all).await });
    let made = made.expect("in time").expect("replies");
    println!("{made:?}");
    assert!(made.iter().map(|made| made.calls).sum::<usize>() >= 2000, "{made:?}");
    assert!(made.iter().all(|made| made.dropped > made.calls / 2), "{made:?}");
}
