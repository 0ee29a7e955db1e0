//! Keys of any bytes, and packed commands that are not what redis-rs writes.

use redis::{Commands, ConnectionLike, Value};
use tenancy_redis::{TenantRedis, refusal};

use crate::world::{A, B, CANARY, PREFIX_A, PREFIX_B, World};

/// A name with these bytes is stored under the tenant's prefix and these bytes, and nothing else changes.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn keys_of_any_bytes_are_stored_under_the_own_prefix() {
    let mut world = World::start();
    let large = vec![b'x'; 2 << 20];
    let names: Vec<&[u8]> = vec![
        b"",
        b"\0",
        b"\r\n",
        b"\xff\xfe",
        b"k\r\nFLUSHALL\r\n",
        b"*1\r\n$8\r\nFLUSHALL\r\n",
        b"$-1\r\n",
        b"{0b}k",
        b"}{",
        b"..:..:",
        b"*",
        b"[",
        b"\\",
        b" ",
        PREFIX_A.as_bytes(),
        PREFIX_B.as_bytes(),
        b"t:",
        b":",
        b"__keyspace@0__:k",
        &large,
    ];
    let before = world.outside();
    for resp in [2, 3] {
        for name in &names {
            world.reset();
            let mut a = TenantRedis::new(world.raw(resp), A);
            let () = a.set(name, name).expect("a reply");
            let stored = [PREFIX_A.as_bytes(), name].concat();
            assert!(world.own().contains_key(&(0, stored)), "{}", name.escape_ascii());
            assert_eq!(a.get::<_, Vec<u8>>(name).expect("a reply"), *name);
            let keys: Vec<Vec<u8>> = a.keys("*").expect("keys");
            assert!(keys.iter().any(|key| key == name), "{}", name.escape_ascii());
            assert_eq!(world.outside(), before);
        }
    }
}

/// Only whole arrays of bulk strings are commands: the server has an inline form, and forgives more than redis-rs.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn refuses_packed_bytes_that_are_not_one_command() {
    let mut world = World::start();
    let get = format!("*2\r\n$3\r\nGET\r\n$36\r\n{PREFIX_B}k\r\n");
    let packed = [
        String::new(),
        "\r\n".to_owned(),
        "FLUSHALL\r\n".to_owned(),
        format!("GET {PREFIX_B}k\r\n"),
        format!(" {get}"),
        format!("\r\n{get}"),
        format!("{get}FLUSHALL\r\n"),
        format!("{get}{get}"),
        format!("{get}\0"),
        get.trim_end().to_owned(),
        get.replace("\r\n", "\n"),
        get.replace("*2", "*02"),
        get.replace("*2", "*+2"),
        get.replace("*2", "*3"),
        get.replace("*2", "*1"),
        get.replace("*2", "*-1"),
        get.replace("*2", "*0"),
        get.replace("$36", "$37"),
        get.replace("$36", "$35"),
        get.replace("$36", "$036"),
        get.replace("$36", "$-1"),
        get.replace("$36", "$99999999999999999999"),
        get.replace("$36", "+"),
        get.replace("$3\r\n", "$4\r\n"),
        "*1\r\n*1\r\n$3\r\nGET\r\n".to_owned(),
        "*1\r\n:1\r\n".to_owned(),
        "*9223372036854775807\r\n$3\r\nGET\r\n".to_owned(),
        "~1\r\n$8\r\nFLUSHALL\r\n".to_owned(),
        ">1\r\n$8\r\nFLUSHALL\r\n".to_owned(),
    ];
    let before = world.outside();
    for resp in [2, 3] {
        let mut a = TenantRedis::new(world.raw(resp), A);
        for bytes in &packed {
            let sent = world.processed();
            for result in [
                a.req_packed_command(bytes.as_bytes()).map(|_| ()),
                a.req_packed_commands(bytes.as_bytes(), 0, 1).map(|_| ()),
                a.req_packed_commands(bytes.as_bytes(), 0, 2).map(|_| ()),
                a.req_packed_commands(bytes.as_bytes(), 1, 1).map(|_| ()),
                a.req_packed_commands(bytes.as_bytes(), usize::MAX, 1).map(|_| ()),
                a.req_packed_commands(bytes.as_bytes(), 0, usize::MAX).map(|_| ()),
            ] {
                let Err(error) = result else {
                    assert_eq!(*bytes, format!("{get}{get}"), "accepted");
                    continue;
                };
                assert!(refusal(&error).is_some(), "{bytes:?}: {error}");
                assert!(!error.to_string().contains(PREFIX_B), "{error}");
            }
            let expected = if *bytes == format!("{get}{get}") { 2 } else { 0 };
            assert_eq!(world.sent_since(sent), expected, "{bytes:?}");
            assert_eq!(a.get::<_, String>("k").expect("a reply"), "own", "{bytes:?}");
        }
    }
    assert_eq!(world.outside(), before);
}

/// Values are not names: one that looks like a key of this or another tenant is returned as it is.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn values_that_look_like_keys_are_returned_unchanged() {
    let world = World::start();
    for resp in [2, 3] {
        let mut a = TenantRedis::dedicated(world.raw(resp), A);
        for value in [format!("{PREFIX_A}k"), format!("{PREFIX_B}k"), PREFIX_A.to_owned()] {
            let () = a.set("v", &value).expect("a reply");
            assert_eq!(a.get::<_, String>("v").expect("a reply"), value);
            let () = a.del("list").expect("a reply");
            let () = a.rpush("list", &[&value, &value, &value]).expect("a reply");
            let popped: (String, Vec<String>) =
                a.lmpop(1, "list", redis::Direction::Left, 1).expect("a reply");
            assert_eq!(popped, ("list".to_owned(), vec![value.clone()]));
            assert_eq!(
                a.blpop::<_, (String, String)>("list", 0.0).expect("a reply"),
                ("list".to_owned(), value.clone())
            );
            let () = a.del("stream").expect("a reply");
            let () = a.xadd("stream", "1-1", &[(&value, &value)]).expect("a reply");
            let read: redis::streams::StreamReadReply = a.xread(&["stream"], &["0"]).expect("a reply");
            let fields = &read.keys[0].ids[0].map;
            let expected = Value::BulkString(value.clone().into_bytes());
            assert_eq!((&*read.keys[0].key, fields.get(&value)), ("stream", Some(&expected)));
            let sorted: Vec<String> =
                redis::cmd("SORT").arg("list").arg("ALPHA").query(&mut a).expect("a reply");
            assert_eq!(sorted, [value.as_str()]);
        }
    }
}

/// A name that begins with the own prefix loses one prefix in replies, not two.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn replies_lose_one_prefix() {
    let world = World::start();
    let name = format!("{PREFIX_A}{PREFIX_A}{PREFIX_B}");
    let mut a = TenantRedis::new(world.raw(3), A);
    let () = a.rpush(&name, &[1, 2]).expect("a reply");
    let keys: Vec<String> = a.keys(format!("{PREFIX_A}*")).expect("keys");
    assert_eq!(keys, [&*name]);
    let popped: (String, Vec<String>) = a.lmpop(1, &name, redis::Direction::Left, 1).expect("a reply");
    assert_eq!(popped.0, name);
    let error = a.incr::<_, _, i64>(&name, 1).expect_err("a list");
    assert!(!error.to_string().contains(CANARY) && error.code() == Some("WRONGTYPE"), "{error}");
    let mut b = TenantRedis::new(world.raw(3), B);
    assert_eq!(b.exists::<_, usize>(&name).expect("a reply"), 0);
}
