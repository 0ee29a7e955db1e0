//! Patterns of keys that try to match names of tenant B.

use redis::{AsyncIter, Commands, RedisResult};
use tenancy_redis::Refusal::BadArguments;
use tenancy_redis::TenantRedis;

use crate::case::Expect::{Harmless, Is, Refused};
use crate::case::{Case, run};
use crate::world::{A, PREFIX_A, PREFIX_B, World};

const CASES: &[Case] = &[
    ("names of both begin with it", "KEYS canary*", Is("[]")),
    ("a full name", "KEYS @*", Is("[]")),
    ("a full name with a glob in the id", "KEYS t:0[ab]*:*", Is("[]")),
    ("all but nothing", "KEYS [^\u{1}]anary*", Is("[]")),
    ("a class that never ends", "KEYS [", Is("[]")),
    ("a class that never ends, after a star", "KEYS *[a-", Is("[]")),
    ("an escape of nothing", "KEYS k\\", Is("[]")),
    ("a star before the escape of nothing", "KEYS *\\", Is("[]")),
    ("a class with a star", "KEYS [*]", Is("[]")),
    ("an exact name of both", "KEYS k", Is("[k]")),
    ("one character of any kind", "KEYS ?TORE", Is("[STORE]")),
    ("an empty pattern", "KEYS ''", Is("[]")),
    ("two patterns", "KEYS k @*", Harmless),
    ("no pattern", "KEYS", Refused(BadArguments)),
    ("a walk for foreign names", "SCAN 0 MATCH *canary* COUNT 1000", Is("[0 []]")),
    ("a walk for full names", "SCAN 0 COUNT 1000 MATCH @*", Is("[0 []]")),
    ("a walk for one type", "SCAN 0 COUNT 1000 TYPE stream", Is("[0 [x]]")),
    ("a walk with two patterns", "SCAN 0 MATCH k MATCH @*", Refused(BadArguments)),
    ("a walk with two patterns in other cases", "SCAN 0 match k COUNT 9 MaTcH @*", Refused(BadArguments)),
    ("a walk whose count is an option", "SCAN 0 COUNT MATCH @*", Refused(BadArguments)),
    ("a walk whose type is an option", "SCAN 0 COUNT 1000 TYPE MATCH", Harmless),
    ("a walk whose pattern is an option", "SCAN 0 COUNT 1000 MATCH COUNT", Is("[0 []]")),
    ("a walk without a cursor", "SCAN", Refused(BadArguments)),
    ("a walk whose cursor is an option", "SCAN MATCH @*", Refused(BadArguments)),
    ("a walk with a slot", "SCAN 0 COUNT 1000 SLOT 1", Refused(BadArguments)),
    ("a walk with a negative cursor", "SCAN -1", Harmless),
];

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn patterns_match_own_names_only() {
    run(CASES);
}

/// Names that end where a prefix begins, and the other way round.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn walks_leave_out_names_that_look_like_own_ones() {
    let mut world = World::start();
    let bare = PREFIX_A.strip_suffix(':').expect("a separator");
    let mut raw = world.raw(2);
    for name in [
        bare.to_owned(),
        format!("{bare}k"),
        format!("{bare};canary"),
        PREFIX_A.to_uppercase(),
        format!("{}canary", PREFIX_A.to_uppercase()),
        format!(" {PREFIX_A}canary"),
        format!("x{PREFIX_A}canary"),
        format!("\0{PREFIX_A}canary"),
        format!("{PREFIX_B}{PREFIX_A}canary"),
        "t:*:canary".to_owned(),
        "*".to_owned(),
        String::new(),
    ] {
        let () = raw.set(name, "canary").expect("a key");
    }
    let own = world.own().len();
    for resp in [2, 3] {
        let mut a = TenantRedis::new(world.raw(resp), A);
        let keys: Vec<String> = a.keys("*").expect("keys");
        let walked: RedisResult<Vec<String>> = a.scan().expect("a walk").collect();
        let mut walked = walked.expect("keys");
        walked.sort();
        walked.dedup();
        assert_eq!((keys.len(), walked.len()), (own, own));
        assert!(keys.iter().all(|key| !key.contains("canary") && !key.contains("t:")), "{keys:?}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn async_iterators_return_own_names_only() {
    let mut world = World::start();
    let own = world.own().len();
    let mut a = TenantRedis::new(world.multiplexed(3).await, A);
    let mut seen = std::collections::BTreeSet::new();
    let options = redis::ScanOptions::default().with_count(1).with_pattern("*");
    let mut walk: AsyncIter<'_, String> =
        redis::AsyncCommands::scan_options(&mut a, options).await.expect("a walk");
    while let Some(key) = walk.next_item().await {
        seen.insert(key.expect("a key"));
    }
    assert_eq!(seen.len(), own);
    assert!(seen.iter().all(|key| !key.contains("canary")), "{seen:?}");
}
