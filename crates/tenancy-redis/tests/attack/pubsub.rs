//! Channels: of tenant B, of the server's own events, and of client-side caching.

use std::time::Duration;

use futures_util::StreamExt;
use redis::{AsyncCommands, Commands, PushKind};
use tenancy_redis::{Refusal, TenantPubSub, TenantRedis, refusal};
use tenancy_testkit::RedisServer;

use crate::world::{A, B, CANARY, PREFIX_A, PREFIX_B, World};

/// Patterns and channels that try to reach tenant B, or the server's events.
const NAMES: &[&str] = &[
    "*",
    "?*",
    "[^x]*",
    "\\*",
    "t:*",
    "t:0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b:*",
    "t:0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b:c",
    "__keyspace@0__:*",
    "__keyspace@*__:t:0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b:*",
    "__keyevent@0__:*",
    "__keyevent@0__:set",
    "__redis__:invalidate",
    "",
    "c\r\n",
    "c\0",
    "[",
    "\\",
];

fn eventful() -> World {
    World::with(RedisServer::options().setting("notify-keyspace-events", "KEA").start().expect("a server"))
}

/// Publishes and writes as tenant B, and as the operator.
fn disturb(world: &World) {
    let mut b = TenantRedis::new(world.raw(2), B);
    let mut raw = world.raw(2);
    for channel in ["c", "__redis__:invalidate", "__keyevent@0__:set", "*"] {
        let () = b.publish(channel, "canary-message").expect("a reply");
        let () = raw.publish(channel, "canary-message").expect("a reply");
    }
    let () = raw.publish(PREFIX_A.trim_end_matches(':'), "canary-message").expect("a reply");
    let () = raw.publish(PREFIX_A.to_uppercase(), "canary-message").expect("a reply");
    let () = b.set("canary-name", "canary-value").expect("a reply");
    let () = b.del("canary-name").expect("a reply");
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn subscriptions_receive_messages_of_their_tenant_only() {
    let world = eventful();
    for resp in [2, 3] {
        let mut connection = world.raw(resp);
        let mut pubsub = TenantPubSub::new(connection.as_pubsub(), A);
        pubsub.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
        for name in NAMES {
            pubsub.subscribe(name).expect("a subscription");
            pubsub.psubscribe(name).expect("a subscription");
        }
        disturb(&world);
        let mut a = TenantRedis::new(world.raw(resp), A);
        let () = a.publish("last", "own").expect("a reply");
        // Each pattern that matches brings the same message; nothing came before it.
        let message = pubsub.get_message().expect("a message");
        assert_eq!((message.channel(), message.payload()), (&b"last"[..], &b"own"[..]));
        assert!(!format!("{message:?}").contains("own"), "{message:?}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn async_subscriptions_receive_messages_of_their_tenant_only() {
    let world = eventful();
    for resp in [2, 3] {
        let connection = world.client(resp).get_async_pubsub().await.expect("a connection");
        let (mut sink, mut stream) = TenantPubSub::new(connection, A).split();
        for name in NAMES {
            sink.subscribe(name).await.expect("a subscription");
            sink.psubscribe(name).await.expect("a subscription");
        }
        disturb(&world);
        let mut a = TenantRedis::new(world.multiplexed(resp).await, A);
        let () = a.publish("last", "own").await.expect("a reply");
        let message = stream.next().await.expect("a message").expect("a message");
        assert_eq!((message.channel(), message.payload()), (&b"last"[..], &b"own"[..]));
    }
}

/// Tenant A cannot publish what tenant B or the server's listeners take for theirs.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn published_messages_reach_no_foreign_subscriber() {
    let world = eventful();
    let mut connection = world.raw(2);
    let mut b = TenantPubSub::new(connection.as_pubsub(), B);
    b.psubscribe("*").expect("a subscription");
    let mut listener = world.raw(2);
    let mut listener = listener.as_pubsub();
    for channel in ["c", "__redis__:invalidate", "__keyevent@0__:own"] {
        listener.subscribe(channel).expect("a subscription");
    }
    let mut a = TenantRedis::new(world.raw(3), A);
    for channel in ["c", &format!("{PREFIX_B}c"), "__redis__:invalidate", "__keyevent@0__:own", "*", ""] {
        let received: usize = a.publish(channel, "from A").expect("a reply");
        assert_eq!(received, 0, "{channel}");
        let received: usize =
            redis::cmd("SPUBLISH").arg(channel).arg("from A").query(&mut a).expect("a reply");
        assert_eq!(received, 0, "{channel}");
    }
    let () = TenantRedis::new(world.raw(2), B).publish("c", "from B").expect("a reply");
    assert_eq!(b.get_message().expect("a message").payload(), b"from B");
}

/// A connection that was used without a tenant before still has its subscriptions.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn messages_of_earlier_foreign_subscriptions_are_refused() {
    let world = World::start();
    let mut connection = world.raw(2);
    let mut earlier = connection.as_pubsub();
    earlier.psubscribe("*").expect("a subscription");
    earlier.subscribe(format!("{PREFIX_B}c")).expect("a subscription");
    let mut pubsub = TenantPubSub::new(earlier, A);
    pubsub.set_read_timeout(Some(Duration::from_secs(30))).expect("a socket");
    let mut b = TenantRedis::new(world.raw(2), B);
    let () = b.publish("c", "canary-message").expect("a reply");
    for _ in 0..2 {
        let error = pubsub.get_message().expect_err("a foreign message");
        let shown = format!("{error} {error:?}");
        assert_eq!(refusal(&error), Some(Refusal::Reply));
        assert!(!shown.contains(CANARY) && !shown.contains(PREFIX_B), "{shown}");
    }
}

/// A namespace that is set later narrows the subscriptions that exist.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn namespace_narrows_earlier_subscriptions() {
    let world = World::start();
    let mut connection = world.raw(2);
    let mut pubsub = TenantPubSub::new(connection.as_pubsub(), A);
    pubsub.psubscribe("*").expect("a subscription");
    let mut pubsub = pubsub.namespace("part");
    pubsub.subscribe("c").expect("a subscription");
    let mut a = TenantRedis::new(world.raw(2), A);
    let () = a.publish("partial:c", "outside").expect("a reply");
    assert_eq!(pubsub.get_message().map(|_| ()).map_err(|error| refusal(&error)), Err(Some(Refusal::Reply)));
    let () = a.namespace("part").publish("c", "inside").expect("a reply");
    assert!((0..2).filter_map(|_| pubsub.get_message().ok()).any(|message| message.channel() == b"c"));
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn refuses_subscriptions_without_a_name() {
    let world = World::start();
    let mut connection = world.raw(3);
    let mut pubsub = TenantPubSub::new(connection.as_pubsub(), A);
    pubsub.subscribe("c").expect("a subscription");
    let none: &[&str] = &[];
    for result in
        [pubsub.subscribe(none), pubsub.psubscribe(none), pubsub.unsubscribe(none), pubsub.punsubscribe(none)]
    {
        assert_eq!(result.map_err(|error| refusal(&error)), Err(Some(Refusal::BadArguments)));
    }
    let () = TenantRedis::new(world.raw(2), A).publish("c", "still there").expect("a reply");
    assert_eq!(pubsub.get_message().expect("a message").payload(), b"still there");
}

/// A tenant on a shared connection cannot make the server push to it.
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn shared_connection_receives_no_pushes_about_foreign_keys() {
    let world = eventful();
    let (pushes, mut received) = tokio::sync::mpsc::unbounded_channel();
    let config = redis::AsyncConnectionConfig::new().set_push_sender(pushes);
    let client = world.client(3);
    let shared = client.get_multiplexed_async_connection_with_config(&config).await.expect("a connection");
    let mut a = TenantRedis::new(shared, A);
    for line in [
        "CLIENT TRACKING ON BCAST",
        "SUBSCRIBE __keyevent@0__:set",
        "PSUBSCRIBE *",
        "SSUBSCRIBE c",
        "MONITOR",
    ] {
        let error = crate::world::words(line).query_async::<redis::Value>(&mut a).await.expect_err(line);
        assert!(refusal(&error).is_some(), "{line}: {error}");
    }
    let _: String = a.get("k").await.expect("a reply");
    disturb(&world);
    let () = TenantRedis::new(world.raw(2), A).set("k", "changed").expect("a reply");
    assert_eq!(a.get::<_, String>("k").await.expect("a reply"), "changed");
    while let Ok(push) = received.try_recv() {
        assert_eq!(push.kind, PushKind::Disconnection, "{push:?}");
    }
}
