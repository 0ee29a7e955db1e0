//! A tenant's Redis user on async connections.

use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncCommands, Cmd, ErrorKind, Pipeline, RedisFuture, RedisResult, ServerErrorKind, Value};
use tenancy::TenantId;
use tenancy_redis::{Refusal, TenantAcl, TenantRedis, refusal};

use crate::support::{A, B, Server, command};

fn acl() -> TenantAcl {
    TenantAcl::new(b"thirty-two bytes, for these test", 1)
}

async fn admin(server: &Server, resp: u8) -> RedisResult<MultiplexedConnection> {
    crate::support::aio::multiplexed(&server.client(resp)).await
}

async fn provisioned(acl: &TenantAcl, resp: u8) -> RedisResult<Server> {
    let server = Server::start();
    let mut admin = admin(&server, resp).await?;
    for tenant in [A, B] {
        acl.provision_async(&mut admin, tenant).await?;
    }
    Ok(server)
}

async fn works<C: ConnectionLike + Send + Sync>(connection: C, tenant: TenantId) -> RedisResult<()> {
    let mut redis = TenantRedis::dedicated(connection, tenant);
    let () = redis.set("k", 1).await?;
    for pipeline in [&mut redis::pipe(), redis::pipe().atomic()] {
        let (value,): (u8,) = pipeline.incr("k", 1).ignore().get("k").query_async(&mut redis).await?;
        assert!(value > 1);
    }
    let () = redis.rpush("l", 1).await?;
    assert_eq!(redis.blpop::<_, (String, u8)>("l", 1.0).await?, ("l".to_owned(), 1));
    let () = command("XADD x 1-1 f v").query_async(&mut redis).await?;
    let _: Value = command("XREAD BLOCK 10 STREAMS x 0").query_async(&mut redis).await?;
    let error = redis.keys::<_, Vec<String>>("*").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Server(ServerErrorKind::NoPerm));
    redis.del(&["k", "l", "x"]).await
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn async_connections_authenticate_as_the_user() -> RedisResult<()> {
    let acl = acl();
    for resp in [2, 3] {
        let server = provisioned(&acl, resp).await?;
        for tenant in [A, B] {
            let client = acl.client(&server.client(resp), tenant)?;
            works(crate::support::aio::multiplexed(&client).await?, tenant).await?;
            works(crate::support::aio::managed(client).await?, tenant).await?;
        }
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn managed_connection_reconnects_as_the_user() -> RedisResult<()> {
    let acl = acl();
    for resp in [2, 3] {
        let server = provisioned(&acl, resp).await?;
        let mut managed = crate::support::aio::managed(acl.client(&server.client(resp), A)?).await?;
        let mut killed = redis::cmd("CLIENT");
        killed.arg("KILL").arg("USER").arg(acl.username(A));
        assert_eq!(killed.query_async::<u8>(&mut admin(&server, resp).await?).await?, 1);
        let name = tokio::time::timeout(Duration::from_mins(1), async {
            loop {
                if let Ok(name) = command("ACL WHOAMI").query_async::<String>(&mut managed).await {
                    return name;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        assert_eq!(name.await.expect("connected within 60 s"), acl.username(A));
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn async_checkout_and_revocation_switch_and_remove_the_user() -> RedisResult<()> {
    let acl = acl();
    for resp in [2, 3] {
        let server = provisioned(&acl, resp).await?;
        let pooled = admin(&server, resp).await?;
        for tenant in [A, B] {
            let mut redis = acl.checkout_async(pooled.clone(), tenant).await?;
            let () = redis.set("k", 1).await?;
            let name: String = command("ACL WHOAMI").query_async(&mut pooled.clone()).await?;
            assert_eq!(name, acl.username(tenant));
        }
        let error = TenantAcl::new(&[7; 32], 1).checkout_async(pooled.clone(), A).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains(&acl.password(A)));
        acl.revoke_async(&mut admin(&server, resp).await?, A).await?;
        assert!(acl.checkout_async(pooled, A).await.is_err());
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn close_default_requires_another_user() -> RedisResult<()> {
    let server = provisioned(&acl(), 3).await?;
    let mut operator = admin(&server, 3).await?;
    assert!(TenantAcl::close_default_async(&mut operator).await.is_err());
    let () = command("ACL SETUSER operator on >password ~* &* +@all").query_async(&mut operator).await?;
    let () = command("AUTH operator password").query_async(&mut operator).await?;
    TenantAcl::close_default_async(&mut operator).await?;
    assert!(admin(&server, 3).await.is_err());
    acl().provision_async(&mut operator, TenantId::PLATFORM).await
}

/// An operator's connection that adds a rule to every user that it creates.
struct Wider(MultiplexedConnection, &'static str);

impl ConnectionLike for Wider {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            let value = self.0.req_packed_command(cmd).await?;
            if String::from_utf8_lossy(&cmd.get_packed_command()).contains("SETUSER") {
                let mut wider = redis::cmd("ACL");
                wider.arg("SETUSER").arg(acl().username(A)).arg(self.1);
                let () = wider.query_async(&mut self.0).await?;
            }
            Ok(value)
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.0.req_packed_commands(pipeline, offset, count)
    }

    fn get_db(&self) -> i64 {
        0
    }
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn provision_deletes_a_user_that_differs_from_its_rules() -> RedisResult<()> {
    for resp in [2, 3] {
        let server = Server::start();
        for rule in ["nopass", "~*", "&*", "+flushall", "off", "(~* +get)"] {
            let mut admin = admin(&server, resp).await?;
            assert!(acl().provision_async(&mut Wider(admin.clone(), rule), A).await.is_err(), "{rule}");
            let mut user = redis::cmd("ACL");
            user.arg("GETUSER").arg(acl().username(A));
            assert_eq!(user.query_async::<Value>(&mut admin).await?, Value::Nil, "{rule}");
        }
    }
    Ok(())
}

/// A server or proxy that answers OK to everything, and `default` to `ACL WHOAMI`.
struct Yes;

impl ConnectionLike for Yes {
    fn req_packed_command<'a>(&'a mut self, _: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async { Ok(Value::Okay) })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        _: &'a Pipeline,
        _: usize,
        _: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async { Ok(vec![Value::Okay, Value::BulkString(b"default".to_vec())]) })
    }

    fn get_db(&self) -> i64 {
        0
    }
}

#[tokio::test]
async fn checkout_and_provision_do_not_trust_a_bare_ok() {
    let error = acl().checkout_async(Yes, A).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AuthenticationFailed, "{error}");
    assert!(acl().provision_async(&mut Yes, A).await.is_err());
    assert!(TenantAcl::close_default_async(&mut Yes).await.is_err());
}

/// A tenant's user may not list keys. The operator flushes for the tenant.
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn flush_needs_an_operators_connection() -> RedisResult<()> {
    let acl = acl();
    let server = provisioned(&acl, 2).await?;
    let own = crate::support::aio::multiplexed(&acl.client(&server.client(2), A)?).await?;
    let mut own = TenantRedis::dedicated(own, A);
    let () = own.set("k", 1).await?;
    assert_eq!(refusal(&own.flush_tenant().await.unwrap_err()), Some(Refusal::NotPermitted));
    assert_eq!(refusal(&own.usage().await.unwrap_err()), Some(Refusal::NotPermitted));
    let mut operator = TenantRedis::new(admin(&server, 2).await?, A);
    assert_eq!(operator.flush_tenant().await?.keys(), 1);
    Ok(())
}
