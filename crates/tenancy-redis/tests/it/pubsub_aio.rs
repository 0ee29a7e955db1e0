//! Subscriptions of async connections.

use std::future::Future;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use redis::{Commands, RedisResult};
use tenancy::TenantContext;
use tenancy_redis::{Refusal, TenantMsg, TenantPubSub, refusal};

use crate::support::{A, B, PREFIX_A, PREFIX_B, Server, liar};

type PubSub = TenantPubSub<redis::aio::PubSub>;

async fn pubsub(client: redis::Client) -> redis::aio::PubSub {
    within_time(client.get_async_pubsub()).await.expect("a connection")
}

async fn within_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("in time")
}

async fn next(messages: impl Stream<Item = RedisResult<TenantMsg>>) -> RedisResult<TenantMsg> {
    within_time(std::pin::pin!(messages).next()).await.expect("a message")
}

/// Returns the channel, pattern and payload of every message before the tenant's own `end`.
async fn until_end(pubsub: &mut PubSub) -> Vec<(String, Option<String>, Vec<u8>)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("a name");
    let mut seen = Vec::new();
    loop {
        let message = next(pubsub.on_message()).await.expect("the tenant's");
        if message.payload() == b"end" {
            return seen;
        }
        let pattern = message.pattern().map(text);
        seen.push((text(message.channel()), pattern, message.payload().to_vec()));
    }
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn same_channel_name_is_separate_for_each_tenant() -> RedisResult<()> {
    for resp in [2, 3] {
        // The server counts a dropped connection as a subscriber for a while, so each round has its own server.
        let server = Server::start();
        let mut a = PubSub::new(pubsub(server.client(resp)).await, A);
        let mut b = PubSub::new(pubsub(server.client(resp)).await, B);
        let foreign = format!("{PREFIX_B}news");
        within_time(a.subscribe(&["news", &foreign])).await?;
        within_time(a.psubscribe(&["*", "[^q]*", "t:*", "__keyspace@0__:*"])).await?;
        within_time(b.subscribe("news")).await?;

        let (mut to_a, mut to_b) = (server.tenant(A), server.tenant(B));
        assert_eq!(to_b.publish::<_, _, usize>("news", b"\0\xff\r\n")?, 1, "b's own alone");
        assert_eq!(to_a.publish::<_, _, usize>(&foreign, "x")?, 4, "a channel of a's");
        assert_eq!(to_a.publish::<_, _, usize>("q", "x")?, 1, "`*` and not `[^q]*`");
        let raw = format!("{PREFIX_B}other");
        assert_eq!(server.raw().publish::<_, _, usize>(raw, "x")?, 0, "nobody's");
        let () = to_a.publish("news", "end")?;
        let () = to_b.publish("news", "end")?;

        let mut seen = until_end(&mut a).await;
        seen.sort();
        let by = |channel: &str, pattern: Option<&str>| {
            (channel.to_owned(), pattern.map(str::to_owned), b"x".to_vec())
        };
        let expected = [
            by("q", Some("*")),
            by(&foreign, None),
            by(&foreign, Some("*")),
            by(&foreign, Some("[^q]*")),
            by(&foreign, Some("t:*")),
        ];
        assert_eq!(seen, expected);
        assert_eq!(until_end(&mut b).await, [("news".to_owned(), None, b"\0\xff\r\n".to_vec())]);
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn sink_and_stream_halves_subscribe_and_receive() -> RedisResult<()> {
    for resp in [2, 3] {
        // The server counts a dropped connection as a subscriber for a while, so each round has its own server.
        let server = Server::start();
        let inner = pubsub(server.client(resp)).await;
        let whole =
            TenantContext::scope(A, || TenantPubSub::current(inner)).expect("a tenant").namespace("jobs");
        let (mut sink, mut stream) = whole.split();
        assert_eq!((sink.tenant(), stream.tenant()), (A, A));
        within_time(sink.subscribe(&["one", "two"])).await?;
        within_time(sink.psubscribe(&["p*", "q*"])).await?;
        let mut jobs = server.tenant(A).namespace("jobs");
        assert_eq!(server.tenant(A).publish::<_, _, usize>("one", "")?, 0, "outside of the namespace");
        let () = jobs.publish("one", 1)?;
        assert_eq!(next(&mut stream).await?.channel(), b"one");
        within_time(sink.unsubscribe("one")).await?;
        within_time(sink.punsubscribe(&["p*"])).await?;
        for (channel, subscribed) in [("one", 0), ("p", 0), ("q", 1), ("two", 1)] {
            assert_eq!(jobs.publish::<_, _, usize>(channel, 7)?, subscribed, "{channel}");
        }
        let message = next(&mut stream).await?;
        assert_eq!((message.channel(), message.pattern()), (&b"q"[..], Some(&b"q*"[..])));
        assert_eq!(next(&mut stream).await?.get_payload::<u8>()?, 7);
        let none: [&str; 0] = [];
        let error = within_time(sink.unsubscribe(&none)).await.unwrap_err();
        assert_eq!(refusal(&error), Some(Refusal::BadArguments));
        assert_eq!(jobs.publish::<_, _, usize>("two", 7)?, 1);
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn keyspace_notifications_are_not_delivered() -> RedisResult<()> {
    let server = Server::start();
    let () = redis::cmd("CONFIG").arg(&["SET", "notify-keyspace-events", "KEA"]).query(&mut server.raw())?;
    let mut a = PubSub::new(pubsub(server.client(3)).await, A);
    within_time(a.psubscribe(&["__key*__:*", "*", "__keyspace@0__:*"])).await?;
    let () = server.tenant(B).set("k", "secret")?;
    let () = server.tenant(A).publish("last", "end")?;
    assert_eq!(until_end(&mut a).await, []);
    Ok(())
}

#[tokio::test]
async fn foreign_message_is_an_error_that_hides_its_content() -> RedisResult<()> {
    let (own, foreign) = (format!("{PREFIX_A}news"), format!("{PREFIX_B}news"));
    for resp in [2, 3] {
        for words in [
            &["message", &foreign, "secret"][..],
            &["message", "news", "secret"],
            &["pmessage", &own, &foreign, "secret"],
            &["pmessage", &foreign, &own, "secret"],
        ] {
            let proper = liar::message(resp, &["message", &own, "own"]);
            let bytes = [liar::message(resp, words), proper].concat();
            let mut a = PubSub::new(pubsub(liar::after_subscribe(resp, bytes)).await, A);
            within_time(a.subscribe("news")).await?;
            let error = next(a.on_message()).await.unwrap_err();
            assert_eq!(refusal(&error), Some(Refusal::Reply));
            let shown = format!("{error} {error:?} {a:?}");
            assert!(
                !shown.contains("news") && !shown.contains("secret") && !shown.contains("t:0"),
                "{shown}"
            );
            assert_eq!(next(a.on_message()).await?.payload(), b"own", "the stream goes on");
        }
    }
    Ok(())
}

/// redis-rs counts the confirmations of a subscription internally, so a shared connection would lose its order.
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn shared_connection_refuses_subscriptions() -> RedisResult<()> {
    let server = Server::start();
    let mut shared = crate::support::aio::multiplexed(&server.client(3)).await?;
    for name in ["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "UNSUBSCRIBE", "PUNSUBSCRIBE", "SUNSUBSCRIBE"] {
        for mut redis in [
            tenancy_redis::TenantRedis::new(shared.clone(), A),
            tenancy_redis::TenantRedis::dedicated(shared.clone(), A),
        ] {
            let error = redis::cmd(name).arg("news").exec_async(&mut redis).await.unwrap_err();
            assert_eq!(refusal(&error), Some(Refusal::ConnectionState), "{name}");
        }
    }
    let () = redis::cmd("PING").exec_async(&mut shared).await?;
    Ok(())
}
