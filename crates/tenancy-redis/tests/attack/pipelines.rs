//! Pipelines that mix commands, and counts that do not match.

use redis::aio::ConnectionLike as AsyncConnectionLike;
use redis::{AsyncCommands, Commands, Pipeline, RedisResult, Value};
use tenancy_redis::{Refusal, TenantRedis, refusal, refused};

use crate::show::show;
use crate::world::{A, B, World, words};

fn pipeline(lines: &[&str]) -> Pipeline {
    let mut pipeline = redis::pipe();
    for line in lines {
        pipeline.add_command(words(line));
    }
    pipeline
}

/// Each reply belongs to its command, and loses the prefix as that command's does.
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn replies_of_a_mixed_pipeline_belong_to_their_commands() {
    let mut world = World::start();
    let lines = [
        "GET @k",
        "KEYS k*",
        "SET k t:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a:x",
        "GET k",
        "SCAN 0 COUNT 1000 MATCH s",
        "LMPOP 2 @l l LEFT",
        "RENAME @k d",
        "XREAD STREAMS @x 0",
        "LRANGE l 0 -1",
        "KEYS @*",
        "SORT @l",
    ];
    let expected = [
        "nil",
        "[k]",
        "OK",
        "t:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a:x",
        "[0 [s]]",
        "[l [1]]",
        "nil",
        "[2 3]",
        "[]",
        "[]",
    ];
    let before = world.outside();
    for resp in [2, 3] {
        for is_transaction in [false, true] {
            world.reset();
            let mut mixed = pipeline(&lines);
            mixed.ignore_errors();
            if is_transaction {
                mixed.atomic();
            }
            let mut sync = TenantRedis::new(world.raw(resp), A);
            let replies: Vec<RedisResult<Value>> = mixed.query(&mut sync).expect("replies");
            world.reset();
            let mut shared = TenantRedis::new(world.multiplexed(resp).await, A);
            let same: Vec<RedisResult<Value>> = mixed.query_async(&mut shared).await.expect("replies");
            for replies in [replies, same] {
                assert_eq!(replies.len(), lines.len());
                let shown: Vec<_> = replies.iter().flatten().map(show).collect();
                assert_eq!(shown, expected, "{resp} {is_transaction}");
                let error = replies[6].as_ref().expect_err("no such key");
                assert!(!error.to_string().contains("t:0"), "{error}");
            }
            assert_eq!(world.outside(), before);
        }
    }
}

/// The commands before the refused one are not sent either, wherever it is.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn pipeline_with_a_refused_command_sends_nothing() {
    let mut world = World::start();
    let own = world.own();
    let mut a = TenantRedis::new(world.raw(2), A);
    for at in [0, 1, 50, 99] {
        for line in [
            "FLUSHALL",
            "MULTI",
            "EXEC",
            "DISCARD",
            "MSET @k 1 @l",
            "EVAL return 1 0",
            "GET\0 @k",
            "LMPOP 9 @l LEFT",
        ] {
            for is_transaction in [false, true] {
                let mut lines = vec!["SET k changed"; 100];
                lines[at] = line;
                let mut pipeline = pipeline(&lines);
                if is_transaction {
                    pipeline.atomic();
                }
                let sent = world.processed();
                let error = pipeline.exec(&mut a).expect_err(line);
                assert_eq!(refused(&error).expect("a refusal").index(), Some(at), "{line}");
                assert_eq!(world.sent_since(sent), 0, "{line}");
            }
        }
    }
    assert_eq!(world.own(), own);
}

/// A wrong count would leave replies for tenant B, who shares the connection.
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn counts_that_do_not_match_shift_no_reply_of_another_tenant() {
    let world = World::start();
    let shared = world.multiplexed(3).await;
    let mut a = TenantRedis::new(shared.clone(), A);
    let mut b = TenantRedis::new(shared, B);
    for is_transaction in [false, true] {
        let mut two = pipeline(&["GET k", "GET n"]);
        if is_transaction {
            two.atomic();
        }
        for offset in [0, 1, 2, 3, 4, usize::MAX] {
            for count in [0, 1, 2, 3, 5, usize::MAX] {
                let result = AsyncConnectionLike::req_packed_commands(&mut a, &two, offset, count).await;
                let fits = if is_transaction { (3, 1) } else { (0, 2) };
                assert_eq!(result.is_ok(), (offset, count) == fits, "{offset} {count}");
                assert_eq!(b.get::<_, String>("k").await.expect("a reply"), "canary-k", "{offset} {count}");
                assert_eq!(a.get::<_, String>("k").await.expect("a reply"), "own", "{offset} {count}");
            }
        }
    }
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn pipelines_without_commands_and_with_many_stay_in_step() {
    let mut world = World::start();
    let before = world.outside();
    for resp in [2, 3] {
        let mut a = TenantRedis::new(world.raw(resp), A);
        for is_transaction in [false, true] {
            let (mut none, mut many) = (redis::pipe(), redis::pipe());
            if is_transaction {
                none.atomic();
                many.atomic();
            }
            let _: RedisResult<Vec<Value>> = none.query(&mut a);
            assert_eq!(a.get::<_, String>("k").expect("a reply"), "own");
            for number in 0..5000 {
                many.set(format!("many{number}"), number).ignore().get(format!("many{number}"));
            }
            let replies: Vec<u32> = many.query(&mut a).expect("replies");
            assert!(replies.iter().copied().eq(0..5000));
        }
        let _: usize =
            a.del((0..5000).map(|number| format!("many{number}")).collect::<Vec<_>>()).expect("a reply");
    }
    assert_eq!(world.outside(), before);
}

/// `redis::transaction` watches the own key of that name.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn writes_of_another_tenant_do_not_disturb_a_transaction() {
    let world = World::start();
    let mut a = TenantRedis::dedicated(world.raw(3), A);
    let mut b = TenantRedis::new(world.raw(3), B);
    let mut runs = 0;
    let value: String = redis::transaction(&mut a, &["k", "n"], |a, pipeline| {
        runs += 1;
        let () = b.set("k", "canary-changed")?;
        let () = b.set("n", runs)?;
        pipeline
            .append("k", "!")
            .ignore()
            .get("k")
            .query::<Option<(String,)>>(a)
            .map(|reply| reply.map(|(k,)| k))
    })
    .expect("a transaction");
    assert_eq!((value.as_str(), runs), ("own!", 1));
}

/// A text of the server that looks like a refusal is not one: a tenant could choose it.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn errors_of_the_server_are_not_refusals() {
    static SCRIPTS: std::sync::LazyLock<tenancy_redis::TrustedScripts> = std::sync::LazyLock::new(|| {
        tenancy_redis::TrustedScripts::new(["return redis.error_reply(ARGV[1])"])
    });
    let world = World::start();
    for resp in [2, 3] {
        let mut a = TenantRedis::new(world.raw(resp), A).scripts(&SCRIPTS);
        let genuine = redis::cmd("FLUSHALL").exec(&mut a).expect_err("refused");
        assert_eq!(refusal(&genuine), Some(Refusal::AdminCommand));
        let texts =
            [genuine.to_string(), genuine.detail().unwrap_or_default().to_owned(), format!("{genuine:?}")];
        for text in texts.iter().flat_map(|text| [text.clone(), format!("ERR {text}")]) {
            let mut eval = redis::cmd("EVAL");
            eval.arg("return redis.error_reply(ARGV[1])").arg(0).arg(text.replace(['\r', '\n'], " "));
            let error = eval.exec(&mut a).expect_err("an error");
            assert_eq!(refusal(&error), None, "{text}");
        }
    }
}
