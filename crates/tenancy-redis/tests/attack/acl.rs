//! The tenant's Redis user on a raw connection: what is left if `TenantRedis` is not in front.

use std::time::Duration;

use redis::{Connection, RedisResult, Value};
use tenancy_redis::{TenantAcl, TenantRedis};

use crate::show::show;
use crate::world::{A, B, CANARY, PREFIX_A, PREFIX_B, World, words};

const SECRET: &[u8; 32] = b"a secret that no tenant can read";

fn provisioned() -> (World, TenantAcl) {
    let world = World::start();
    let acl = TenantAcl::new(SECRET, 7).scripts();
    let mut admin = world.raw(2);
    for tenant in [A, B] {
        acl.provision(&mut admin, tenant).expect("a user");
    }
    (world, acl)
}

fn user(world: &World, acl: &TenantAcl, resp: u8) -> RedisResult<Connection> {
    let connection = acl.client(&world.client(resp), A)?.get_connection()?;
    connection.set_read_timeout(Some(Duration::from_secs(30)))?;
    Ok(connection)
}

/// Lines with full names of tenant B, as raw code of tenant A would send them.
const LINES: &[&str] = &[
    "GET @k",
    "MGET @k",
    "SET @k x",
    "DEL @k",
    "UNLINK @k",
    "DUMP @k",
    "TYPE @k",
    "TTL @dated",
    "OBJECT ENCODING @k",
    "MEMORY USAGE @k",
    "COPY @k own",
    "COPY own @k REPLACE",
    "RENAME own @k",
    "MOVE @k 1",
    "SWAPDB 0 1",
    "LCS own @k",
    "BITOP OR own @k",
    "BITOP OR @k own",
    "PFMERGE own @hll",
    "PFCOUNT @hll",
    "SUNIONSTORE own @s",
    "SINTERCARD 2 own @s",
    "LMPOP 2 own @l LEFT",
    "BLMPOP 0.01 2 own @l LEFT",
    "BLPOP own @l 0.01",
    "ZRANGESTORE own @z 0 -1",
    "ZUNION 2 own @z",
    "GEOSEARCHSTORE own @geo FROMLONLAT 0 0 BYRADIUS 9 km",
    "GEORADIUS own 0 0 9 km STORE @geo",
    "GEORADIUS own 0 0 9 km STORE own STOREDIST @geo",
    "GEORADIUSBYMEMBER own here 9 km STORE @geo",
    "SORT @l ALPHA",
    "SORT own STORE @l",
    "SORT own BY @w_* GET @d_*",
    "SORT own BY nosort GET @k",
    "SORT_RO own BY @w_* GET @d_*",
    "SORT_RO own GET @k",
    "XREAD STREAMS @x 0",
    "XREADGROUP GROUP g c STREAMS @x >",
    "XREADGROUP GROUP STREAMS own STREAMS @x >",
    "XREAD COUNT STREAMS STREAMS own @x 0 0",
    "XINFO STREAM @x FULL",
    "XGROUP DESTROY @x g",
    "KEYS *",
    "SCAN 0 COUNT 1000",
    "RANDOMKEY",
    "DBSIZE",
    "INFO keyspace",
    "FLUSHALL",
    "FLUSHDB",
    "EVAL #GET 0",
    "EVAL #KEYS 0",
    "EVAL #SCAN 0",
    "EVAL #DB 0",
    "EVAL_RO #GET 0",
    "FUNCTION LIST",
    "FUNCTION LOAD x",
    "FCALL f 0",
    "SCRIPT FLUSH",
    "SCRIPT KILL",
    "PUBLISH @c x",
    "SPUBLISH @c x",
    "SUBSCRIBE @c",
    "SUBSCRIBE __keyspace@0__:own",
    "PSUBSCRIBE *",
    "PSUBSCRIBE t:*",
    "SSUBSCRIBE @c",
    "PUBSUB CHANNELS *",
    "CLIENT LIST",
    "CLIENT KILL TYPE normal",
    "CLIENT PAUSE 1",
    "CLIENT TRACKING ON BCAST",
    "CLIENT NO-EVICT on",
    "CLIENT UNBLOCK 1",
    "MONITOR",
    "SLOWLOG GET",
    "COMMANDLOG GET -1 slow",
    "LATENCY HISTOGRAM",
    "MEMORY STATS",
    "MEMORY DOCTOR",
    "DEBUG OBJECT @k",
    "DEBUG SLEEP 0",
    "PFDEBUG GETREG @hll",
    "CONFIG GET *",
    "CONFIG SET appendonly yes",
    "ACL LIST",
    "ACL GETUSER default",
    "ACL SETUSER t-0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a allkeys",
    "ACL DRYRUN default GET @k",
    "ACL LOG",
    "MODULE LOAD x",
    "SAVE",
    "BGSAVE",
    "SHUTDOWN NOSAVE",
    "REPLICAOF 127.0.0.1 1",
    "PSYNC ? -1",
    "SYNC",
    "FAILOVER",
    "ROLE",
    "CLUSTER GETKEYSINSLOT 0 10",
    "CLUSTERSCAN 0",
    "MIGRATE 127.0.0.1 1 @k 0 1",
    "RESTORE @k 0 x REPLACE",
    "RESTORE-ASKING @k 0 x",
    "WAIT 1 1",
    "HGETALL @h",
    "HRANDFIELD @h 9",
    "HGETEX @h FIELDS 1 f",
    "HGETDEL @h FIELDS 1 f",
    "HSETEX @h FIELDS 1 f x",
    "HEXPIRE @h 0 FIELDS 1 f",
    "MSETEX 2 own 1 @k 2",
    "DELIFEQ @k guess",
    "SET @k x IFEQ guess GET",
    "XDELEX @x IDS 1 1-1",
    "XACKDEL @x g IDS 1 1-1",
    "VADD @v VALUES 2 1 1 e",
    "VSIM @v ELE e",
    "DIGEST @k",
];

/// Replaces `own` by a name of tenant A, and words that begin with `#` by scripts.
fn raw_command(line: &str) -> redis::Cmd {
    let mut command = redis::Cmd::new();
    for word in line.split(' ') {
        match word {
            "own" => command.arg(format!("{PREFIX_A}k")),
            "__keyspace@0__:own" => command.arg(format!("__keyspace@0__:{PREFIX_A}k")),
            "#GET" => command.arg(format!("return redis.call('GET', '{PREFIX_B}k')")),
            "#KEYS" => command.arg("return redis.call('KEYS', '*')"),
            "#SCAN" => command.arg("return redis.pcall('SCAN', 0, 'COUNT', 1000)"),
            "#DB" => command.arg(format!("redis.call('SELECT', 1) return redis.call('GET', '{PREFIX_B}k')")),
            word => command.arg(
                word.strip_prefix('@').map_or_else(|| word.to_owned(), |name| format!("{PREFIX_B}{name}")),
            ),
        };
    }
    command
}

/// Each line is denied, or fails. None of them returns something and none changes a key of tenant B.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn tenants_user_reaches_nothing_on_a_raw_connection() {
    let (mut world, acl) = provisioned();
    let before = world.outside();
    let users: Value = world.ask("ACL LIST");
    let mut failed = Vec::new();
    for resp in [2, 3] {
        for line in LINES {
            let mut a = user(&world, &acl, resp).expect("a connection");
            let reply = raw_command(line).query::<Value>(&mut a);
            let text = match &reply {
                Ok(value) => show(value),
                Err(error) => format!("{error} {error:?}"),
            };
            if text.contains(CANARY) {
                failed.push(format!("{line}: the canary was seen: {text}"));
            }
            if let Ok(reply) = &reply
                && !matches!(*line, "CLIENT TRACKING ON BCAST")
            {
                failed.push(format!("{line}: {reply:?}"));
            }
            if world.outside() != before {
                failed.push(format!("{line}: a foreign key was changed"));
                world.reset();
            }
        }
    }
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
    assert_eq!(world.ask("ACL LIST"), users);
}

/// In a transaction and in a pipeline the server checks each command.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn tenants_user_reaches_nothing_in_a_transaction() {
    let (mut world, acl) = provisioned();
    let before = world.outside();
    let mut a = user(&world, &acl, 3).expect("a connection");
    for is_transaction in [false, true] {
        let mut pipeline = redis::pipe();
        if is_transaction {
            pipeline.atomic();
        }
        pipeline.add_command(raw_command("SET own x")).add_command(raw_command("GET @k"));
        pipeline.add_command(raw_command("SET @k x"));
        let error = pipeline.query::<Vec<Value>>(&mut a).expect_err("denied");
        assert!(!error.to_string().contains(CANARY), "{error}");
        assert_eq!(world.outside(), before);
    }
}

/// A tenant cannot become another user, and knows neither the password nor the name of another epoch.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn tenants_user_cannot_become_another_user() {
    let (world, acl) = provisioned();
    let () = redis::cmd("ACL")
        .arg(&["SETUSER", "operator", "on", ">operator", "allkeys", "allchannels", "allcommands"])
        .query(&mut world.raw(2))
        .expect("an operator");
    let mut operator = world.raw(2);
    let () = redis::cmd("AUTH").arg(&["operator", "operator"]).query(&mut operator).expect("a login");
    TenantAcl::close_default(&mut operator).expect("a closed user");
    let older = TenantAcl::new(SECRET, 6);
    let guesses = [
        (acl.username(B), acl.password(A)),
        (acl.username(B), older.password(B)),
        (acl.username(B), String::new()),
        (acl.username(A), acl.password(B)),
        ("default".to_owned(), String::new()),
        ("default".to_owned(), acl.password(A)),
        (acl.username(B).to_uppercase(), acl.password(B)),
        (format!("{}\0", acl.username(B)), acl.password(B)),
    ];
    for (name, password) in guesses {
        let mut a = user(&world, &acl, 2).expect("a connection");
        assert!(redis::cmd("AUTH").arg(&name).arg(&password).exec(&mut a).is_err(), "{name:?}");
        assert!(
            redis::cmd("HELLO").arg(3).arg("AUTH").arg(&name).arg(&password).exec(&mut a).is_err(),
            "{name:?}"
        );
        assert!(raw_command("GET @k").query::<Value>(&mut a).is_err(), "{name:?}");
    }
    let mut a = user(&world, &acl, 2).expect("a connection");
    let _ = redis::cmd("RESET").exec(&mut a);
    assert!(raw_command("GET @k").query::<Value>(&mut a).is_err(), "after RESET");
    assert!(raw_command("KEYS *").query::<Value>(&mut a).is_err(), "after RESET");
    assert!(
        world.client(2).get_connection().is_err()
            || words("GET @k").query::<Value>(&mut world.raw(2)).is_err()
    );
}

/// A pool lends the same socket to both tenants. What the first one left does not reach the second.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn socket_that_another_tenant_used_is_the_next_tenants() {
    let (world, acl) = provisioned();
    let mut socket = world.raw(2);
    for _ in 0..3 {
        let mut b: TenantRedis<&mut Connection> = acl.checkout(&mut socket, B).expect("a login");
        let read: String = redis::Commands::get(&mut b, "k").expect("a reply");
        assert_eq!(read, "canary-k");
        let () = redis::cmd("WATCH").arg("k").query(&mut b).expect("a reply");
        let mut a: TenantRedis<&mut Connection> = acl.checkout(&mut socket, A).expect("a login");
        let read: String = redis::Commands::get(&mut a, "k").expect("a reply");
        assert_eq!(read, "own");
        assert!(raw_command("GET @k").query::<Value>(&mut socket).is_err(), "the socket is tenant A's user");
    }
}

/// A revoked user is gone for connections that are open, too.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn revoked_user_reaches_nothing() {
    let (world, acl) = provisioned();
    let mut a = user(&world, &acl, 3).expect("a connection");
    assert_eq!(show(&raw_command("GET own").query::<Value>(&mut a).expect("a reply")), "own");
    acl.revoke(&mut world.raw(2), A).expect("a revoked user");
    assert!(raw_command("GET own").query::<Value>(&mut a).is_err());
    assert!(user(&world, &acl, 2).is_err());
}
