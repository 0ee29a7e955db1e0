//! A connection that one tenant has to itself: what it may wait for, and what it still may not do.

use redis::{Connection, Value};
use tenancy_redis::Refusal::{AdminCommand, Blocking, ConnectionState};
use tenancy_redis::{TenantRedis, refusal};

use crate::show::show;
use crate::world::{A, B, CANARY, World, words};

/// Lines that would wait for tenant B, and the replies: none of these keys is tenant B's.
const WAITS: &[(&str, &str)] = &[
    ("BLPOP @l @s 0.01", "nil"),
    ("BRPOP @l l 0.01", "[l 3]"),
    ("BLMPOP 0.01 2 @l l LEFT", "[l [1]]"),
    ("BLMPOP 0.01 1 @l LEFT", "nil"),
    ("BLMOVE @l l LEFT RIGHT 0.01", "nil"),
    ("BLMOVE l @l LEFT RIGHT 0.01", "1"),
    ("BRPOPLPUSH @l l 0.01", "nil"),
    ("BZPOPMIN @z 0.01", "nil"),
    ("BZMPOP 0.01 1 @z MIN", "nil"),
    ("XREAD BLOCK 10 STREAMS @x $", "nil"),
    ("XREAD COUNT 1 BLOCK 10 STREAMS @x 0", "nil"),
];

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn waiting_commands_wait_for_own_keys() {
    let mut world = World::start();
    let before = world.outside();
    for resp in [2, 3] {
        for (line, expected) in WAITS {
            world.reset();
            let mut a = TenantRedis::dedicated(world.raw(resp), A);
            let reply: Value = words(line).query(&mut a).unwrap_or_else(|error| panic!("{line}: {error}"));
            assert_eq!(show(&reply), *expected, "{line}");
            assert_eq!(world.outside(), before, "{line}");
        }
    }
}

/// Tenant B writes while tenant A waits for the same names, and A's own write ends the wait.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn writes_of_another_tenant_do_not_end_a_wait() {
    let world = World::start();
    let mut waiting = TenantRedis::dedicated(world.raw(3), A);
    let waiter = std::thread::spawn(move || words("BLPOP queue 0").query::<(String, String)>(&mut waiting));
    let mut a = TenantRedis::new(world.raw(2), A);
    let mut b = TenantRedis::new(world.raw(2), B);
    let mut pushed = 0;
    while !waiter.is_finished() {
        pushed += 1;
        let () = words("RPUSH queue canary-queue").query(&mut b).expect("a reply");
        if pushed == 10 {
            let () = words("RPUSH queue own").query(&mut a).expect("a reply");
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let popped = waiter.join().expect("a thread").expect("a reply");
    assert_eq!(popped, ("queue".to_owned(), "own".to_owned()));
    assert!(pushed >= 10, "it did not wait");
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn dedicated_connection_refuses_what_outlives_the_tenant() {
    let mut world = World::start();
    for resp in [2, 3] {
        let mut a = TenantRedis::dedicated(world.raw(resp), A);
        for (lines, expected) in [
            (
                &["SELECT 1", "AUTH x", "HELLO 3", "RESET", "QUIT", "MULTI", "EXEC", "DISCARD"][..],
                ConnectionState,
            ),
            (
                &["SUBSCRIBE c", "PSUBSCRIBE *", "SSUBSCRIBE c", "CLIENT REPLY OFF", "CLIENT TRACKING ON"],
                ConnectionState,
            ),
            (
                &["CLIENT ID", "CLIENT INFO", "CLIENT SETNAME x", "CLIENT CACHING YES", "READONLY"],
                ConnectionState,
            ),
            (&["WAIT 0 0", "WAITAOF 0 0 0"], Blocking),
            (
                &["MONITOR", "CLIENT KILL ID 1", "CLIENT LIST", "MOVE k 1", "SWAPDB 0 1", "DBSIZE"],
                AdminCommand,
            ),
        ] {
            for line in lines {
                let sent = world.processed();
                let error = words(line).exec(&mut a).expect_err(line);
                assert_eq!(refusal(&error), Some(expected), "{line}");
                assert_eq!(world.sent_since(sent), 0, "{line}");
            }
        }
    }
}

/// `WATCH` of a foreign name watches an own key. A pipeline may contain it too.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn watches_of_foreign_names_tell_nothing_about_them() {
    let world = World::start();
    let mut b = TenantRedis::new(world.raw(2), B);
    let watched = |a: &mut TenantRedis<Connection>| {
        redis::pipe().atomic().cmd("GET").arg("k").query::<Option<Vec<Value>>>(a).expect("a reply")
    };
    for resp in [2, 3] {
        let mut a = TenantRedis::dedicated(world.raw(resp), A);
        let () = words("WATCH @k k @canary-name").query(&mut a).expect("a reply");
        let () = words("SET k canary-changed").query(&mut b).expect("a reply");
        let () = words("DEL canary-name").query(&mut b).expect("a reply");
        let reply = watched(&mut a);
        assert!(reply.is_some(), "the transaction was stopped by a foreign write");
        assert!(!format!("{reply:?}").contains(CANARY));
    }
}
