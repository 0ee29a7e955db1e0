//! Subscriptions of sync connections.

use std::time::Duration;

use redis::{Commands, Connection, PubSub, RedisResult};
use tenancy::TenantContext;
use tenancy_redis::{Refusal, TenantMsg, TenantPubSub, TenantRedis, refusal};

use crate::support::{A, B, PREFIX_A, PREFIX_B, Server, liar};

fn subscriber(server: &Server, resp: u8) -> Connection {
    let connection = server.client(resp).get_connection().expect("a connection");
    connection.set_read_timeout(Some(Duration::from_secs(30))).expect("a time");
    connection
}

/// Returns the channel and payload of every message before the tenant's own `end`.
fn until_end(pubsub: &mut TenantPubSub<PubSub<'_>>) -> Vec<(String, Vec<u8>)> {
    let mut seen = Vec::new();
    loop {
        let message = pubsub.get_message().expect("a message");
        if message.payload() == b"end" {
            return seen;
        }
        seen.push((name(&message), message.payload().to_vec()));
    }
}

fn name(message: &TenantMsg) -> String {
    String::from_utf8(message.channel().to_vec()).expect("a name")
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn same_channel_name_is_separate_for_each_tenant() -> RedisResult<()> {
    let server = Server::start();
    for resp in [2, 3] {
        let (mut of_a, mut of_b) = (subscriber(&server, resp), subscriber(&server, resp));
        let mut a = TenantPubSub::new(of_a.as_pubsub(), A);
        let mut b = TenantPubSub::new(of_b.as_pubsub(), B);
        let foreign = format!("{PREFIX_B}news");
        a.subscribe(&["news", "sport", &foreign])?;
        a.psubscribe(&["*", "[^q]*", "t:*", "__keyspace@0__:*"])?;
        b.subscribe("news")?;

        let (mut to_a, mut to_b) = (server.tenant(A), server.tenant(B));
        assert_eq!(to_b.publish::<_, _, usize>("news", b"\0\xff\r\n")?, 1, "b's own alone");
        assert_eq!(to_a.publish::<_, _, usize>(&foreign, "x")?, 4, "a channel of a's");
        assert_eq!(to_b.publish::<_, _, usize>("end", "")?, 0);
        let raw = format!("{PREFIX_B}other");
        assert_eq!(server.raw().publish::<_, _, usize>(raw, "x")?, 0, "nobody's");
        assert_eq!(to_a.publish::<_, _, usize>("q", "end")?, 1, "`*` and not `[^q]*`");

        let names: Vec<_> = until_end(&mut a).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, [&foreign[..]; 4]);
        assert_eq!(to_b.publish::<_, _, usize>("news", "end")?, 1);
        assert_eq!(until_end(&mut b), [("news".to_owned(), b"\0\xff\r\n".to_vec())]);
    }
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn messages_report_the_pattern_as_subscribed() -> RedisResult<()> {
    let server = Server::start();
    for resp in [2, 3] {
        let mut connection = subscriber(&server, resp);
        let mut a = TenantPubSub::new(connection.as_pubsub(), A);
        for (pattern, channel) in
            [("*", "news"), ("[^q]*", "a"), ("t:*", "t:1"), ("n?ws", "news"), ("\\*", "*"), ("", "")]
        {
            a.psubscribe(pattern)?;
            let () = server.tenant(A).publish(channel, 7)?;
            let message = a.get_message()?;
            assert_eq!(message.pattern(), Some(pattern.as_bytes()));
            assert_eq!(name(&message), channel);
            assert_eq!(message.get_payload::<u8>()?, 7);
            a.punsubscribe(pattern)?;
        }
        a.subscribe("news")?;
        let () = server.tenant(A).publish("news", 7)?;
        assert_eq!(a.get_message()?.pattern(), None);
    }
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn unsubscribe_stops_only_its_own_channels() -> RedisResult<()> {
    let server = Server::start();
    for resp in [2, 3] {
        let mut connection = subscriber(&server, resp);
        let mut a = TenantPubSub::new(connection.as_pubsub(), A);
        a.subscribe(&["one", "two", "three"])?;
        a.psubscribe(&["p*", "q*"])?;
        let mut to_a = server.tenant(A);
        // This message arrives before the confirmations and is not lost.
        let () = to_a.publish("one", "before")?;
        a.unsubscribe(&["one", "two"])?;
        a.punsubscribe("p*")?;
        for (channel, subscribed) in [("one", 0), ("two", 0), ("p", 0), ("q", 1), ("three", 1)] {
            assert_eq!(to_a.publish::<_, _, usize>(channel, channel)?, subscribed, "{channel}");
        }
        let () = to_a.publish("three", "end")?;
        let names: Vec<_> = until_end(&mut a).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["one", "q", "three"]);
        drop(a);
        // The connection has no subscriptions and no pending reply.
        let mut redis = TenantRedis::new(connection, A);
        assert_eq!(to_a.publish::<_, _, usize>("three", "")?, 0);
        for round in 0..10 {
            let () = redis.set("k", round)?;
            assert_eq!(redis.get::<_, i32>("k")?, round);
        }
    }
    Ok(())
}

/// redis-rs leaves a confirmation behind after one request for several patterns; it would be the next reply.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn connection_has_no_pending_reply_after_unsubscribing() -> RedisResult<()> {
    let server = Server::start();
    for resp in [2, 3] {
        let mut connection = subscriber(&server, resp);
        let mut a = TenantPubSub::new(connection.as_pubsub(), A);
        a.psubscribe(&["p", "q"])?;
        a.punsubscribe(&["p", "q"])?;
        drop(a);
        let mut redis = TenantRedis::new(connection, A);
        let () = redis.set("k", "v")?;
        assert_eq!(redis.get::<_, String>("k")?, "v");
    }
    Ok(())
}

/// Without a name, Redis would end every subscription of the connection.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn refuses_subscriptions_without_a_name() -> RedisResult<()> {
    let server = Server::start();
    let mut connection = subscriber(&server, 2);
    let mut a = TenantPubSub::new(connection.as_pubsub(), A);
    a.subscribe("news")?;
    let none: [&str; 0] = [];
    for refused in [a.subscribe(&none), a.psubscribe(&none), a.unsubscribe(&none), a.punsubscribe(&none)] {
        assert_eq!(refusal(&refused.unwrap_err()), Some(Refusal::BadArguments));
    }
    assert_eq!(server.tenant(A).publish::<_, _, usize>("news", "")?, 1);
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn keyspace_notifications_are_not_delivered() -> RedisResult<()> {
    let server = Server::start();
    let () = redis::cmd("CONFIG").arg(&["SET", "notify-keyspace-events", "KEA"]).query(&mut server.raw())?;
    let mut connection = subscriber(&server, 2);
    let mut a = TenantPubSub::new(connection.as_pubsub(), A);
    a.psubscribe(&["__key*__:*", "*", "__keyspace@0__:*"])?;
    a.subscribe(&["__keyevent@0__:set", &format!("__keyspace@0__:{PREFIX_B}k")])?;
    let () = server.tenant(B).set("k", "secret")?;
    let () = server.tenant(A).set("k", "own")?;
    let () = server.tenant(A).publish("last", "end")?;
    assert_eq!(until_end(&mut a), []);
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn namespace_receives_only_its_own_messages() -> RedisResult<()> {
    let server = Server::start();
    let (mut first, mut second) = (subscriber(&server, 2), subscriber(&server, 2));
    let mut inside = TenantPubSub::new(first.as_pubsub(), A).namespace("jobs");
    let mut outside =
        TenantContext::scope(A, || TenantPubSub::current(second.as_pubsub())).expect("a tenant");
    inside.psubscribe("*")?;
    outside.psubscribe("*")?;
    let () = server.tenant(A).publish("done", "outside")?;
    let () = server.tenant(A).namespace("jobs").publish("done", "inside")?;
    let () = server.tenant(A).namespace("jobs").publish("done", "end")?;
    assert_eq!(until_end(&mut inside), [("done".to_owned(), b"inside".to_vec())]);
    let seen = until_end(&mut outside);
    let expected = [("done".to_owned(), b"outside".to_vec()), ("jobs:done".to_owned(), b"inside".to_vec())];
    assert_eq!(seen, expected);
    Ok(())
}

/// The connection was subscribed before it got a tenant.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn rejects_messages_of_earlier_subscriptions() -> RedisResult<()> {
    let server = Server::start();
    let mut connection = subscriber(&server, 2);
    let mut pubsub = connection.as_pubsub();
    pubsub.psubscribe("*")?;
    let mut a = TenantPubSub::new(pubsub, A);
    let () = server.tenant(B).publish("k", "secret")?;
    let () = server.tenant(A).publish("k", "own")?;
    for _ in 0..2 {
        // The second message is on a channel of the tenant, but by a pattern that is not.
        assert_eq!(refusal(&a.get_message().unwrap_err()), Some(Refusal::Reply));
    }
    Ok(())
}

#[test]
fn foreign_message_is_an_error_that_hides_its_content() -> RedisResult<()> {
    let (own, foreign) = (format!("{PREFIX_A}news"), format!("{PREFIX_B}news"));
    let upper = own.to_uppercase();
    for resp in [2, 3] {
        let hostile = [
            liar::message(resp, &["message", &foreign, "secret"]),
            liar::message(resp, &["message", &upper, "secret"]),
            liar::message(resp, &["message", "news", "secret"]),
            liar::message(resp, &["message", &own[..34], "secret"]),
            liar::message(resp, &["pmessage", &own, &foreign, "secret"]),
            liar::message(resp, &["pmessage", &foreign, &own, "secret"]),
            liar::message(resp, &["pmessage", "*", &own, "secret"]),
            format!("*3\r\n+message\r\n+{foreign}\r\n$6\r\nsecret\r\n").into_bytes(),
            format!("*3\r\n+message\r\n*1\r\n+{foreign}\r\n$6\r\nsecret\r\n").into_bytes(),
        ];
        for bytes in hostile {
            let proper = liar::message(resp, &["message", &own, "own"]);
            let mut connection = liar::after_subscribe(resp, [bytes, proper].concat()).get_connection()?;
            connection.set_read_timeout(Some(Duration::from_secs(30)))?;
            let mut a = TenantPubSub::new(connection.as_pubsub(), A);
            a.subscribe("news")?;
            let error = a.get_message().unwrap_err();
            assert_eq!(refusal(&error), Some(Refusal::Reply));
            let shown = format!("{error} {error:?}");
            assert!(
                !shown.contains("news") && !shown.contains("secret") && !shown.contains("t:0"),
                "{shown}"
            );
            assert_eq!(a.get_message()?.payload(), b"own");
        }
    }
    Ok(())
}

#[test]
fn debug_shows_only_the_tenant() -> RedisResult<()> {
    let own = format!("{PREFIX_A}secret");
    let bytes = liar::message(2, &["message", &own, "secret"]);
    let mut connection = liar::after_subscribe(2, bytes).get_connection()?;
    let mut a = TenantPubSub::new(connection.as_pubsub(), A);
    assert_eq!(a.tenant(), A);
    let expected = "TenantPubSub { tenant: TenantId('0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a'), .. }";
    assert_eq!(format!("{a:?}"), expected);
    a.set_read_timeout(Some(Duration::from_secs(30)))?;
    a.subscribe("secret")?;
    assert_eq!(format!("{:?}", a.get_message()?), "TenantMsg { .. }");
    Ok(())
}
