//! Subscriptions of connections with RESP3, which are restored after a reconnection, and events of keys.

use std::future::Future;
use std::time::Duration;

use futures_util::StreamExt;
use redis::{AsyncCommands, Client, Commands, PushInfo, RedisResult};
use tenancy::TenantId;
use tenancy_redis::{PushMessages, Refusal, TenantMsg, TenantPubSub, TenantRedis, refusal};
use tenancy_testkit::RedisServer;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::support::{A, B, Server, ask};

type Messages = TenantPubSub<PushMessages>;

async fn within_time<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("in time")
}

async fn next(messages: &mut Messages) -> RedisResult<TenantMsg> {
    within_time(messages.next()).await.expect("a message")
}

fn messages(tenant: TenantId) -> (UnboundedSender<PushInfo>, Messages) {
    let (sender, receiver) = unbounded_channel();
    (sender, TenantPubSub::new(PushMessages::new(receiver), tenant))
}

async fn multiplexed(
    client: &Client,
    sender: UnboundedSender<PushInfo>,
) -> redis::aio::MultiplexedConnection {
    let config = redis::AsyncConnectionConfig::new().set_push_sender(sender);
    client.get_multiplexed_async_connection_with_config(&config).await.expect("a connection")
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn resp3_connection_sends_commands_and_receives_messages() -> RedisResult<()> {
    let server = Server::start();
    let (sender, mut messages) = messages(A);
    let connection = multiplexed(&server.client(3), sender).await;
    let mut subscriptions = TenantPubSub::new(connection.clone(), A);
    subscriptions.subscribe(&["news", "other"]).await?;
    subscriptions.psubscribe("job:*").await?;
    let mut redis = TenantRedis::new(connection.clone(), A);
    assert_eq!(redis.publish::<_, _, usize>("news", "1").await?, 1);
    let message = next(&mut messages).await?;
    assert_eq!((message.channel(), message.payload(), message.pattern()), (&b"news"[..], &b"1"[..], None));
    assert_eq!(server.tenant(B).publish::<_, _, usize>("news", "2")?, 0, "the other tenant's channel");
    assert_eq!(redis.publish::<_, _, usize>("job:7", "3").await?, 1);
    assert_eq!(next(&mut messages).await?.pattern(), Some(&b"job:*"[..]));

    // A mistake of the program: the connection has subscriptions of another tenant as well.
    TenantPubSub::new(connection, B).subscribe("news").await?;
    assert_eq!(server.tenant(B).publish::<_, _, usize>("news", "secret")?, 1);
    let error = next(&mut messages).await.unwrap_err();
    assert_eq!(refusal(&error), Some(Refusal::Reply));
    assert!(!error.to_string().contains("secret") && !error.to_string().contains("news"), "{error}");

    subscriptions.unsubscribe("other").await?;
    assert_eq!(redis.publish::<_, _, usize>("other", "4").await?, 0);
    let names: [&str; 0] = [];
    let error = subscriptions.unsubscribe(&names).await.unwrap_err();
    assert_eq!(refusal(&error), Some(Refusal::BadArguments), "the subscriptions of all");
    Ok(())
}

#[cfg(feature = "connection-manager")]
mod reconnection {
    use redis::aio::ConnectionManagerConfig;

    use super::*;

    /// Waits until the server has `count` subscribers of the tenant's channel again.
    async fn until_subscribed(server: &Server, tenant: TenantId, count: usize) {
        let mut redis = server.tenant(tenant);
        within_time(async {
            while redis.publish::<_, _, usize>("news", "probe").expect("a reply") < count {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    }

    /// Reads until a message that is not a probe.
    async fn next_sent(messages: &mut Messages) -> RedisResult<TenantMsg> {
        loop {
            let message = next(messages).await?;
            if message.payload() != b"probe" {
                return Ok(message);
            }
        }
    }

    async fn subscribe(
        server: &Server,
        tenant: TenantId,
    ) -> RedisResult<(TenantPubSub<redis::aio::ConnectionManager>, Messages)> {
        let (sender, messages) = messages(tenant);
        let config = ConnectionManagerConfig::new()
            .set_push_sender(sender)
            .set_automatic_resubscription()
            .set_min_delay(Duration::from_millis(10));
        let connection = server.client(3).get_connection_manager_with_config(config).await?;
        let mut subscriptions = TenantPubSub::new(connection, tenant);
        subscriptions.subscribe("news").await?;
        subscriptions.psubscribe("job:*").await?;
        Ok((subscriptions, messages))
    }

    /// The connection is closed by the server, and then the server itself is started anew.
    #[tokio::test]
    #[ignore = "needs redis-server; cargo xtask test runs it"]
    async fn subscriptions_are_restored_for_their_own_tenant() -> RedisResult<()> {
        let mut server = Server::start();
        let (_a, mut to_a) = subscribe(&server, A).await?;
        let (_b, mut to_b) = subscribe(&server, B).await?;
        for round in 0..2 {
            if round == 0 {
                assert_eq!(ask::<usize>(&mut server.raw(), "CLIENT KILL TYPE pubsub"), 2);
            } else {
                server.process.restart().expect("a server");
            }
            for messages in [&mut to_a, &mut to_b] {
                let error = next_sent(messages).await.unwrap_err();
                assert!(error.is_connection_dropped(), "{error}");
            }
            for tenant in [A, B] {
                until_subscribed(&server, tenant, 1).await;
            }
            assert_eq!(server.tenant(B).publish::<_, _, usize>("news", "b")?, 1);
            assert_eq!(server.tenant(A).publish::<_, _, usize>("news", "a")?, 1);
            assert_eq!(next_sent(&mut to_a).await?.payload(), b"a");
            assert_eq!(next_sent(&mut to_b).await?.payload(), b"b");
            assert_eq!(server.tenant(A).publish::<_, _, usize>("job:1", "pattern")?, 1);
            assert_eq!(next_sent(&mut to_a).await?.pattern(), Some(&b"job:*"[..]));
        }
        Ok(())
    }
}

fn server_with_events() -> Server {
    let options = RedisServer::options().setting("notify-keyspace-events", "KEA");
    Server { process: options.start().expect("a server") }
}

/// Returns the event of the next message: its key, its name and its channel.
fn event(message: &TenantMsg) -> (&[u8], &[u8], &[u8]) {
    (message.key().expect("an event"), message.payload(), message.channel())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn tenant_receives_the_events_of_its_own_keys() -> RedisResult<()> {
    let server = server_with_events();
    for resp in [2, 3] {
        let mut connection = server.client(resp).get_connection()?;
        let mut pubsub = TenantPubSub::new(connection.as_pubsub(), A);
        pubsub.subscribe_keyspace(0, "*")?;
        pubsub.subscribe("k")?;
        pubsub.set_read_timeout(Some(Duration::from_secs(30)))?;
        let (mut a, mut b) = (server.tenant(A), server.tenant(B));
        let () = b.set("k", 1)?;
        let () = server.raw().set("k", 1)?;
        let () = a.publish("__keyspace@0__:k", "no event")?;
        let () = a.set("k", 1)?;
        let first = pubsub.get_message()?;
        assert_eq!(event(&first), (&b"k"[..], &b"set"[..], &b"__keyspace@0__:k"[..]));
        assert_eq!(first.pattern(), Some(&b"__keyspace@0__:*"[..]));
        let () = b.pexpire("k", 1)?;
        let () = a.pexpire("k", 1)?;
        assert_eq!(event(&pubsub.get_message()?).1, b"expire");
        assert_eq!(event(&pubsub.get_message()?), (&b"k"[..], &b"expired"[..], &b"__keyspace@0__:k"[..]));
        let () = a.publish("k", "a message")?;
        let message = pubsub.get_message()?;
        assert_eq!((message.channel(), message.key()), (&b"k"[..], None));
        pubsub.unsubscribe_keyspace(0, "*")?;
        let () = a.set("k", 1)?;
        let () = a.publish("k", "the next")?;
        assert_eq!(pubsub.get_message()?.payload(), b"the next");
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn events_are_of_one_namespace_and_database() -> RedisResult<()> {
    let server = server_with_events();
    let (sender, messages) = messages(A);
    let mut messages = messages.namespace("cache");
    let connection = multiplexed(&server.client(3), sender).await;
    let mut subscriptions = TenantPubSub::new(connection, A).namespace("cache");
    subscriptions.subscribe_keyspace(1, &["x*", "y"]).await?;
    let mut raw = server.raw();
    let own = |database: u8, raw: redis::Connection| {
        let mut raw = raw;
        ask::<()>(&mut raw, &format!("SELECT {database}"));
        raw
    };
    let () = TenantRedis::new(&mut raw, A).namespace("cache").set("x1", 1)?;
    let mut second = own(1, server.raw());
    let () = TenantRedis::new(&mut second, A).set("x1", 1)?;
    let () = TenantRedis::new(&mut second, B).namespace("cache").set("x1", 1)?;
    let () = TenantRedis::new(&mut second, A).namespace("cache").set("z", 1)?;
    let () = TenantRedis::new(&mut second, A).namespace("cache").set("y", 1)?;
    assert_eq!(event(&next(&mut messages).await?).0, b"y");
    subscriptions.unsubscribe_keyspace(1, "y").await?;
    let () = TenantRedis::new(&mut second, A).namespace("cache").set("y", 1)?;
    let () = TenantRedis::new(&mut second, A).namespace("cache").set("x2", 1)?;
    assert_eq!(event(&next(&mut messages).await?).0, b"x2");
    Ok(())
}

#[cfg(feature = "cluster")]
mod sharded {
    use redis::ProtocolVersion;
    use redis::cluster::ClusterClientBuilder;
    use redis::cluster_async::ClusterConnection;
    use tenancy_testkit::RedisCluster;

    use super::*;

    /// Publishes to a sharded channel, and returns the number of its subscribers.
    async fn publish(
        redis: &mut TenantRedis<ClusterConnection>,
        channel: &str,
        text: &str,
    ) -> RedisResult<usize> {
        redis::cmd("SPUBLISH").arg(channel).arg(text).query_async(redis).await
    }

    #[tokio::test]
    #[ignore = "needs redis-server; cargo xtask test runs it"]
    async fn sharded_channels_are_the_tenants_own() -> RedisResult<()> {
        let cluster = RedisCluster::start().expect("a cluster");
        let urls: Vec<_> = cluster.nodes().iter().map(tenancy_testkit::ClusterNode::url).collect();
        let connect = async |sender| {
            let builder = ClusterClientBuilder::new(urls.clone()).use_protocol(ProtocolVersion::RESP3);
            builder.push_sender(sender).build()?.get_async_connection().await
        };
        let (sender, mut to_a) = messages(A);
        let mut a = TenantPubSub::new(connect(sender).await?, A);
        let (sender, mut to_b) = messages(B);
        let connection = connect(sender).await?;
        let mut b = TenantPubSub::new(connection.clone(), B);
        // On several nodes.
        let channels = ["1", "2", "3", "4", "5"];
        a.ssubscribe(&channels).await?;
        b.ssubscribe("1").await?;
        let (mut as_a, mut as_b) = (TenantRedis::new(connection.clone(), A), TenantRedis::new(connection, B));
        assert_eq!(publish(&mut as_b, "1", "b").await?, 1, "b's own alone");
        assert_eq!(publish(&mut as_b, "2", "b").await?, 0);
        for channel in channels {
            assert_eq!(publish(&mut as_a, channel, "a").await?, 1, "{channel}");
            let message = next(&mut to_a).await?;
            assert_eq!((message.channel(), message.payload()), (channel.as_bytes(), &b"a"[..]));
        }
        assert_eq!(next(&mut to_b).await?.payload(), b"b");
        a.sunsubscribe(&["1", "2"]).await?;
        assert_eq!(publish(&mut as_a, "2", "a").await?, 0);
        assert_eq!(publish(&mut as_a, "3", "a").await?, 1);
        assert_eq!(next(&mut to_a).await?.channel(), b"3");
        Ok(())
    }
}
