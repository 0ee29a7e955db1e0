//! Two tenants on one server: neither reads, changes or names keys of the other.

use redis::{Commands, ConnectionLike, RedisResult, Value};
use tenancy::{TenantContext, TenantContextNotSetError};
use tenancy_redis::{Refusal, TenantRedis, refusal};

use crate::support::{A, B, PREFIX_A, PREFIX_B, Server, ask, command};

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn same_key_name_is_separate_for_each_tenant() -> RedisResult<()> {
    let server = Server::start();
    let (mut a, mut b) = (server.tenant(A), server.tenant(B));
    for key in [&b""[..], b"k", b"k\r\n", b"\0", b"*3\r\n$3\r\nDEL\r\n$1\r\nk\r\n", b"{tag}k", b"\xff"] {
        let () = a.set(key, "a")?;
        let () = b.set(key, "b")?;
        assert_eq!(a.get::<_, String>(key)?, "a");
        assert_eq!(b.get::<_, String>(key)?, "b");
        assert_eq!(a.del::<_, usize>(key)?, 1);
        assert_eq!(b.exists::<_, usize>(key)?, 1);
    }
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn foreign_prefix_is_part_of_an_own_name() -> RedisResult<()> {
    let server = Server::start();
    let (mut a, mut b) = (server.tenant(A), server.tenant(B));
    let () = b.set("k", "b")?;
    let () = a.set("k", "a")?;
    let foreign = format!("{PREFIX_B}k");
    let before = server.dump(PREFIX_B);
    assert_eq!(a.get::<_, Option<String>>(&foreign)?, None);
    let lines = [
        "RENAME k FOREIGN",
        "COPY FOREIGN k",
        "SADD s 1",
        "SMOVE s FOREIGN2 1",
        "RPUSH l 3 1 2",
        "LMOVE l FOREIGN3 LEFT LEFT",
        "SORT l BY FOREIGN_w_* GET FOREIGN_* GET # STORE FOREIGN4",
        "ZADD z 1 m",
        "ZUNIONSTORE FOREIGN5 2 z FOREIGN6 WEIGHTS 1 2",
        "BITOP NOT FOREIGN7 k",
        "GEOADD g 0 0 m",
        "GEORADIUS g 0 0 1 km STORE FOREIGN8",
        "MSET FOREIGN9 x FOREIGN10 y",
        "DEL FOREIGN",
    ];
    for line in lines {
        let _: Value = ask(&mut a, &line.replace("FOREIGN", &foreign));
    }
    assert_eq!(server.dump(PREFIX_B), before);
    assert!(server.keys().iter().all(|key| key.starts_with(PREFIX_A.as_bytes()) || *key == before[0].0));
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn sort_patterns_read_only_own_keys() {
    let server = Server::start();
    let (mut a, mut b) = (server.tenant(A), server.tenant(B));
    let _: Value = ask(&mut b, "MSET w_1 2 w_2 1 d_1 secret1 d_2 secret2");
    let _: Value = ask(&mut a, "RPUSH l 1 2");
    assert_eq!(ask::<Vec<Option<String>>>(&mut a, "SORT l BY w_* GET d_*"), [None, None]);
    let _: Value = ask(&mut a, "MSET w_1 2 w_2 1 d_1 one d_2 two");
    assert_eq!(
        ask::<Vec<String>>(&mut a, "SORT l BY w_* GET # GET d_*"),
        ["2", "two", "1", "one"],
        "by the tenant's own weights"
    );
    assert_eq!(ask::<Vec<String>>(&mut a, "SORT l BY nosort"), ["1", "2"]);
}

/// redis/redis#8152: a pattern of an ACL does not confine KEYS.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn keys_and_scan_return_only_own_keys() -> RedisResult<()> {
    let server = Server::start();
    let (mut a, mut b) = (server.tenant(A), server.tenant(B));
    for number in 0..500 {
        let () = a.set(format!("a{number}"), "")?;
        let () = b.set(format!("b{number}"), "")?;
    }
    let () = a.set("t:*", "")?;
    for (pattern, count) in [("*", 501), ("[^q]*", 501), ("b*", 0), ("a1?", 10), ("t:\\*", 1), ("", 0)] {
        assert_eq!(a.keys::<_, Vec<String>>(pattern)?.len(), count, "{pattern}");
        let scanned: RedisResult<Vec<String>> = a.scan_match(pattern)?.collect();
        assert_eq!(scanned?.len(), count, "{pattern}");
    }
    let pages: RedisResult<Vec<String>> = a.scan()?.collect();
    let mut pages = pages?;
    pages.sort();
    let mut keys = a.keys::<_, Vec<String>>("*")?;
    keys.sort();
    assert_eq!(pages, keys);
    let (_, first): (u64, Vec<String>) = ask(&mut b, "SCAN 0 COUNT 100 TYPE string");
    assert!(first.iter().all(|key| key.starts_with('b')), "{first:?}");
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn replies_of_a_real_server_contain_keys_without_the_prefix() {
    let server = Server::start();
    for resp in [2, 3] {
        let mut a = TenantRedis::new(server.client(resp).get_connection().expect("a connection"), A);
        let _: Value = ask(&mut a, "RPUSH l 1 2");
        let _: Value = ask(&mut a, "ZADD z 1 m");
        let _: Value = ask(&mut a, "XADD x 1-1 f v");
        let _: Value = ask(&mut a, "XADD STREAMS 1-1 f v");
        let _: Value = ask(&mut a, "XGROUP CREATE STREAMS STREAMS 0");
        assert_eq!(ask::<(String, Vec<String>)>(&mut a, "LMPOP 2 no l LEFT COUNT 2").0, "l");
        assert_eq!(ask::<Value>(&mut a, "LMPOP 2 no l LEFT"), Value::Nil);
        let popped: (String, Vec<Vec<Value>>) = ask(&mut a, "ZMPOP 1 z MAX");
        assert_eq!((popped.0.as_str(), popped.1.len()), ("z", 1));
        let read: redis::streams::StreamReadReply = ask(&mut a, "XREAD COUNT 1 STREAMS no x 0 0");
        assert_eq!(read.keys[0].key, "x");
        assert_eq!(ask::<Value>(&mut a, "XREAD STREAMS x $"), Value::Nil);
        // redis/redis-commands#30: the first STREAMS is not the option.
        let read: redis::streams::StreamReadReply =
            ask(&mut a, "XREADGROUP GROUP STREAMS STREAMS STREAMS STREAMS >");
        assert_eq!(read.keys[0].key, "STREAMS");
        let _: Value = ask(&mut a, "DEL x STREAMS");
    }
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn pipelines_and_transactions_stay_in_their_tenant() -> RedisResult<()> {
    let server = Server::start();
    let (mut a, mut b) = (server.tenant(A), server.tenant(B));
    let () = b.set("k", "b")?;
    let ask_both = |pipeline: &mut redis::Pipeline, a: &mut TenantRedis<_>| {
        pipeline.set("k", "a").ignore().get("k").keys("*").query::<(String, Vec<String>)>(a)
    };
    for pipeline in [&mut redis::pipe(), redis::pipe().atomic()] {
        assert_eq!(ask_both(pipeline, &mut a)?, ("a".to_owned(), vec!["k".to_owned()]));
    }
    assert_eq!(b.get::<_, String>("k")?, "b");
    // An error within a transaction does not shift replies.
    let error = redis::pipe().atomic().cmd("INCR").arg("k").get("k").query::<Value>(&mut a).unwrap_err();
    assert_eq!(refusal(&error), None, "{error}");
    assert_eq!(a.get::<_, String>("k")?, "a");
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn refused_command_sends_nothing_of_itself_or_its_pipeline() {
    let server = Server::start();
    let mut a = server.tenant(A);
    let mut monitor = server.raw();
    monitor.send_packed_command(&command("MONITOR").get_packed_command()).expect("sent");
    monitor.recv_response().expect("OK");
    let lines = [
        "FLUSHALL",
        "CONFIG GET *",
        "SELECT 1",
        "MULTI",
        "WATCH k",
        "SWAPDB 0 1",
        "RANDOMKEY",
        "BLPOP k 0",
        "EVAL return 0",
        "MSET a",
        "COPY k k2 DB 1",
        "SCAN 0 MATCH a MATCH b",
        "FUTURECMD k",
        "XREAD BLOCK 1 STREAMS s 0",
    ];
    for line in lines {
        let refused = command(line);
        let error = refused.query::<Value>(&mut a).unwrap_err();
        assert!(refusal(&error).is_some(), "{line}: {error}");
        for pipeline in [&mut redis::pipe(), redis::pipe().atomic()] {
            let error = pipeline.set("k", 1).add_command(refused.clone()).query::<Value>(&mut a).unwrap_err();
            assert!(refusal(&error).is_some(), "{line}: {error}");
        }
    }
    let error = redis::cmd("GET ").arg("k").query::<Value>(&mut a).unwrap_err();
    assert_eq!(refusal(&error), Some(Refusal::UnknownCommand));
    let error = redis::cmd("GET").arg("k").set_no_response(true).query::<Value>(&mut a).unwrap_err();
    assert_eq!(refusal(&error), Some(Refusal::ConnectionState), "its reply would be the next caller's");
    let _: Value = ask(&mut a, "GET last");
    let seen = monitor.recv_response().expect("what the server got");
    assert!(format!("{seen:?}").contains("last"), "{seen:?}");
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn refuses_counts_that_would_shift_replies() {
    let server = Server::start();
    let mut a = server.tenant(A);
    let two = redis::pipe().get("a").get("b").get_packed_pipeline();
    let atomic = redis::pipe().atomic().get("a").get_packed_pipeline();
    for (packed, offset, count) in [
        (&two, 0, 1),
        (&two, 0, 3),
        (&two, 1, 1),
        (&two, 3, 1),
        (&atomic, 0, 3),
        (&atomic, 1, 1),
        (&atomic, 2, 2),
    ] {
        let error = a.req_packed_commands(packed, offset, count).unwrap_err();
        assert!(refusal(&error).is_some(), "{offset} {count}: {error}");
    }
    assert_eq!(a.req_packed_commands(&atomic, 2, 1).expect("replies").len(), 1);
    assert_eq!(a.req_packed_commands(&two, 0, 2).expect("replies").len(), 2);
    let packed = redis::cmd("GET").arg("a").get_packed_command();
    assert_eq!(a.req_packed_command(&packed).expect("a reply"), Value::Nil);
    assert!(a.req_packed_command(&two).is_err(), "two for one");
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn handle_keeps_the_tenant_of_its_creation() -> RedisResult<()> {
    let server = Server::start();
    let error = TenantContext::scope(A, || TenantRedis::current(server.raw())).map(|redis| redis.tenant());
    assert_eq!(error, Ok(A));
    assert_eq!(TenantRedis::current(()).err(), Some(TenantContextNotSetError));
    let mut a = TenantContext::scope(A, || TenantRedis::current(server.raw())).expect("a tenant");
    TenantContext::scope(B, || a.set::<_, _, ()>("k", "a"))?;
    assert_eq!(server.keys(), [format!("{PREFIX_A}k").into_bytes()]);
    assert!(a.is_open() && a.check_connection() && a.supports_pipelining());
    assert_eq!(a.get_db(), 0);
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn dedicated_connection_allows_watch_and_blocking_commands() -> RedisResult<()> {
    let server = Server::start();
    for resp in [2, 3] {
        let connection = server.client(resp).get_connection()?;
        let (mut a, mut b) = (TenantRedis::dedicated(connection, A), server.tenant(B));
        let _: Value = ask(&mut b, "RPUSH l b");
        let _: Value = ask(&mut a, "RPUSH l 1 2 3");
        let _: Value = ask(&mut a, "ZADD z 1 m 2 n");
        assert_eq!(ask::<(String, String)>(&mut a, "BLPOP no l 0"), ("l".into(), "1".into()));
        assert_eq!(ask::<(String, Vec<String>)>(&mut a, "BLMPOP 0 1 l LEFT"), ("l".into(), vec!["2".into()]));
        assert_eq!(ask::<String>(&mut a, "BLMOVE l l LEFT LEFT 0"), "3");
        assert_eq!(ask::<(String, String, f64)>(&mut a, "BZPOPMIN z 0"), ("z".into(), "m".into(), 1.0));
        assert_eq!(ask::<Value>(&mut a, "BLPOP no 0.01"), Value::Nil);
        let _: Value = ask(&mut a, "DEL z l");
        assert_eq!(ask::<Vec<String>>(&mut b, "LRANGE l 0 -1"), ["b"]);
        let _: Value = ask(&mut b, "DEL l");

        let () = a.set("n", 1)?;
        let mut runs = 0;
        let after: i64 = redis::transaction(&mut a, &["n"], |a, pipeline| {
            runs += 1;
            let now: i64 = a.get("n")?;
            // WATCH covers the tenant's own key, not the key of the same name of another tenant.
            let () = b.set("n", 100)?;
            if runs == 1 {
                let () = server.tenant(A).set("n", 10)?;
            }
            pipeline
                .set("n", now + 1)
                .ignore()
                .get("n")
                .query::<Option<Vec<i64>>>(a)
                .map(|reply| reply.and_then(|values| values.first().copied()))
        })?;
        assert_eq!((after, runs), (11, 2));
    }
    Ok(())
}

/// An error of a pipeline says which command must be changed.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn refusal_in_a_pipeline_names_the_command_and_its_place() {
    let server = Server::start();
    let mut a = server.tenant(A);
    for is_transaction in [false, true] {
        let mut pipeline = redis::pipe();
        if is_transaction {
            pipeline.atomic();
        }
        pipeline.set("k", 1).get("k").cmd("client").arg("kill").arg("secret").get("k");
        let error = pipeline.exec(&mut a).unwrap_err();
        let refused = tenancy_redis::refused(&error).expect("a refused command");
        assert_eq!((refused.command(), refused.index()), ("CLIENT KILL", Some(2)));
        assert_eq!(Some(refused.refusal()), tenancy_redis::refusal(&error));
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    assert!(server.keys().is_empty());
}
