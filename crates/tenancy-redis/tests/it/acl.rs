//! The server confines a tenant's user to its tenant, with and without `TenantRedis` in front of it.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use redis::{
    Cmd, Commands, Connection, ConnectionLike, ErrorKind, RedisError, RedisResult, Script, ServerErrorKind,
    Value,
};
use tenancy::TenantId;
use tenancy_redis::{TenantAcl, TenantRedis, TrustedScripts, refusal};

use crate::support::recorder::Recorder;
use crate::support::{A, B, PREFIX_A, PREFIX_B, Server, ask, command, pick};

const SECRET: &[u8; 32] = b"thirty-two bytes, for these test";

fn acl() -> TenantAcl {
    TenantAcl::new(SECRET, 1)
}

/// Returns a server that has the users of both tenants.
fn provisioned(acl: &TenantAcl) -> Server {
    let server = Server::start();
    let mut admin = server.raw();
    for tenant in [A, B] {
        acl.provision(&mut admin, tenant).expect("a user");
    }
    server
}

/// Returns a connection of the tenant's user, without `TenantRedis`.
fn connect(server: &Server, acl: &TenantAcl, tenant: TenantId, resp: u8) -> RedisResult<Connection> {
    acl.client(&server.client(resp), tenant)?.get_connection()
}

fn is_denied(error: &RedisError) -> bool {
    // SORT has an error text of its own.
    error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm)
        || error.detail().is_some_and(|detail| detail.contains("denied due to insufficient ACL permissions"))
}

/// Runs a line as tenant A and returns its error. `own` and `other` stand for the prefixes of A and B.
fn denial(connection: &mut Connection, line: &str) -> RedisError {
    let line = line.replace("own", PREFIX_A).replace("other", PREFIX_B);
    command(&line).query::<Value>(connection).expect_err(&line)
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn user_on_a_raw_connection_cannot_leave_its_tenant() -> RedisResult<()> {
    let acl = acl();
    let server = provisioned(&acl);
    let mut b = server.tenant(B);
    let _: Value = ask(&mut b, "MSET k secret w_1 1 w_2 2");
    let _: Value = ask(&mut b, "RPUSH l 1 2");
    let before = server.dump(PREFIX_B);
    for resp in [2, 3] {
        let mut a = connect(&server, &acl, A, resp)?;
        let own = |line: &str| command(&line.replace("own", PREFIX_A));
        let () = own("SET ownk v").query(&mut a)?;
        let () = own("DEL ownl").query(&mut a)?;
        let () = own("RPUSH ownl 1 2").query(&mut a)?;
        for line in [
            "GET otherk",
            "GET k",
            "GET t:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a",
            "GET t:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0b:k",
            "SET otherk v",
            "DEL ownk otherk",
            "MGET ownk otherk",
            "RENAME ownk otherk2",
            "COPY otherk ownk2",
            "COPY ownk otherk2",
            "LMOVE ownl otherl LEFT LEFT",
            "ZUNIONSTORE ownz 1 otherz",
            "XREAD STREAMS otherx 0",
            "OBJECT ENCODING otherk",
            "MEMORY USAGE otherk",
            "DUMP otherk",
            "WATCH otherk",
            "SORT otherl",
            "SORT ownl BY otherw_*",
            "SORT ownl GET otherw_*",
            "SORT ownl BY ownw_*",
            "SORT ownl STORE otherl2",
            "SORT_RO ownl BY nosort GET #",
            // The server checks the first STORE and writes to the second.
            "GEORADIUS owng 0 0 1 km STORE ownd STORE otherk",
            "GEORADIUS owng 0 0 1 km STOREDIST ownd STOREDIST otherk",
            "GEORADIUSBYMEMBER owng m 1 km STORE ownd STORE otherk",
            // The server finds no key if there is no source.
            "PFMERGE otherhll",
            "KEYS *",
            "KEYS own*",
            "SCAN 0",
            "RANDOMKEY",
            "DBSIZE",
            "FLUSHALL",
            "FLUSHDB",
            "SWAPDB 0 1",
            "MOVE ownk 1",
            "RESTORE ownk 0 x",
            "CONFIG GET *",
            "ACL LIST",
            "ACL SETUSER x",
            "ACL GETUSER default",
            "CLIENT LIST",
            "CLIENT KILL TYPE normal",
            "CLIENT TRACKING ON BCAST",
            "INFO",
            "MONITOR",
            "SLOWLOG GET",
            "COMMAND COUNT",
            "REPLICAOF NO ONE",
            "SHUTDOWN NOSAVE",
            "EVAL return 0",
            "FUNCTION LIST",
            "FCALL f 0",
            "SCRIPT FLUSH",
            "PUBLISH otherc m",
            "PUBLISH c m",
            "SPUBLISH otherc m",
            "SUBSCRIBE otherc",
            "PSUBSCRIBE *",
            "PSUBSCRIBE other*",
            "PSUBSCRIBE ownc*",
            "PSUBSCRIBE own* *",
            "PUBSUB CHANNELS",
        ] {
            let error = denial(&mut a, line);
            assert!(is_denied(&error), "{line}: {error}");
        }
        // Names are as separate in another database.
        let () = command("SELECT 1").query(&mut a)?;
        assert!(is_denied(&denial(&mut a, "GET otherk")));
        let () = command("SELECT 0").query(&mut a)?;
        let () = command("MULTI").query(&mut a)?;
        assert!(is_denied(&denial(&mut a, "GET otherk")));
        let error = denial(&mut a, "EXEC");
        assert_eq!(error.kind(), ErrorKind::Server(ServerErrorKind::ExecAbort), "{error}");
        assert_eq!(own("GET ownk").query::<String>(&mut a)?, "v");
        assert_eq!(own("SORT ownl DESC").query::<Vec<u8>>(&mut a)?, [2, 1]);
        assert_eq!(server.dump(PREFIX_B), before);
    }
    // The server permits DEBUG to nobody.
    assert!(!dry_run(&mut server.raw(), &acl.username(A), &["DEBUG".into(), "SLEEP".into(), "0".into()]));
    Ok(())
}

/// A pattern must equal the user's own pattern: the server does not notice that another one is contained in it.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn user_receives_only_its_own_channels() -> RedisResult<()> {
    let acl = acl();
    let server = provisioned(&acl);
    for resp in [2, 3] {
        let mut listener = connect(&server, &acl, A, resp)?;
        let mut channels = listener.as_pubsub();
        channels.set_read_timeout(Some(std::time::Duration::from_secs(30)))?;
        channels.subscribe(format!("{PREFIX_A}c"))?;
        channels.psubscribe(format!("{PREFIX_A}*"))?;
        // `PubSub` takes the server's error for a reply, so only the received messages show what was subscribed.
        let _ = (channels.subscribe(format!("{PREFIX_B}c")), channels.psubscribe("*"));
        let mut a = TenantRedis::dedicated(connect(&server, &acl, A, resp)?, A);
        let mut b = TenantRedis::dedicated(connect(&server, &acl, B, resp)?, B);
        assert_eq!(b.publish::<_, _, u8>("c", "b's")?, 0);
        assert_eq!(server.raw().publish::<_, _, u8>("c", "the platform's")?, 0);
        assert_eq!(a.publish::<_, _, u8>("c", "a's")?, 2);
        for _ in 0..2 {
            let message = channels.get_message()?;
            assert_eq!(message.get_channel_name(), format!("{PREFIX_A}c"));
            assert_eq!(message.get_payload::<String>()?, "a's");
        }
    }
    Ok(())
}

const LIE: &str = "return redis.call('GET', ARGV[1])";
const SCAN: &str = "return redis.call('KEYS', '*')";
const FLUSH: &str = "return redis.call('FLUSHALL')";
const SAY: &str = "return redis.call('PUBLISH', ARGV[1], 'm')";
const ADD: &str = "return redis.call('INCRBY', KEYS[1], ARGV[1])";
const SORT: &str = "return redis.call('SORT', KEYS[1], 'BY', 'nosort', 'GET', ARGV[1])";

const LIES: [&str; 5] = [LIE, SCAN, SAY, SORT, FLUSH];

static SCRIPTS: LazyLock<TrustedScripts> =
    LazyLock::new(|| TrustedScripts::new([LIE, SCAN, FLUSH, SAY, ADD, SORT]));

/// The first layer trusts the keys that a trusted script declares; the server does not.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn server_denies_scripts_that_leave_their_tenant() -> RedisResult<()> {
    let acl = acl().scripts();
    let server = provisioned(&acl);
    let () = server.tenant(B).set("k", "secret")?;
    let before = server.dump(PREFIX_B);
    for resp in [2, 3] {
        let mut a = TenantRedis::dedicated(connect(&server, &acl, A, resp)?, A).scripts(&SCRIPTS);
        let () = a.del("n")?;
        assert_eq!(Script::new(ADD).key("n").arg(2).invoke::<u8>(&mut a)?, 2);
        let () = a.del("l")?;
        let () = a.rpush("l", 1)?;
        for script in LIES {
            let error = lie(&mut a, script).expect_err(script);
            assert_eq!(refusal(&error), None, "{script}: {error}");
            assert!(!error.to_string().contains("secret"), "{script}: {error}");
        }
        assert_eq!(server.dump(PREFIX_B), before);
    }
    // Each script works for the user `default`, so it was the server that denied it.
    let mut a = TenantRedis::new(server.raw(), A).scripts(&SCRIPTS);
    for script in LIES {
        let value = lie(&mut a, script)?;
        assert!(script != LIE || value == Value::BulkString(b"secret".to_vec()), "{value:?}");
    }
    Ok(())
}

fn lie(redis: &mut TenantRedis<Connection>, script: &str) -> RedisResult<Value> {
    Script::new(script).key("l").arg(format!("{PREFIX_B}k")).invoke(redis)
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn scripts_are_denied_unless_enabled() -> RedisResult<()> {
    let acl = acl();
    let server = provisioned(&acl);
    let mut a = connect(&server, &acl, A, 2)?;
    for line in
        ["EVAL return_1 0", "EVALSHA x 0", "EVAL_RO return_1 0", "EVALSHA_RO x 0", "SCRIPT LOAD return_1"]
    {
        assert!(is_denied(&denial(&mut a, line)), "{line}");
    }
    Ok(())
}

/// Usual commands on a tenant's user: none is denied, and the server's log of denials stays empty.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn commands_of_the_first_layer_are_permitted() -> RedisResult<()> {
    let acl = acl();
    let server = provisioned(&acl);
    for resp in [2, 3] {
        let mut a = TenantRedis::dedicated(connect(&server, &acl, A, resp)?, A);
        for line in [
            "PING",
            "SET s v EX 100",
            "MSET s1 1 s2 2",
            "INCR n",
            "APPEND s w",
            "SETBIT bits 7 1",
            "BITOP OR bits2 bits n",
            "BITFIELD bits GET u8 0",
            "GETEX s PERSIST",
            "EXPIRE s 100",
            "HSET h f 1 g 2",
            "HINCRBY h f 2",
            "HSCAN h 0",
            "RPUSH l 1 2 3",
            "LMOVE l l2 LEFT RIGHT",
            "LMPOP 1 l LEFT",
            "BLPOP l 1",
            "BLMOVE l2 l LEFT RIGHT 1",
            "SADD set m n",
            "SADD set2 m",
            "SINTERSTORE set3 set set2",
            "SORT set3 ALPHA STORE sorted",
            "ZADD z 1 m 2 n",
            "ZADD z2 1 m",
            "ZUNIONSTORE z3 2 z z2 WEIGHTS 1 2",
            "ZRANGE z 0 -1 WITHSCORES",
            "BZPOPMIN z 1",
            "XADD x 1-1 f v",
            "XGROUP CREATE x g 0",
            "XREADGROUP GROUP g c COUNT 1 STREAMS x >",
            "XACK x g 1-1",
            "XINFO STREAM x",
            "XREAD BLOCK 1 STREAMS x $",
            "GEOADD geo 13 38 a 15 37 b",
            "GEOSEARCHSTORE geo2 geo FROMLONLAT 15 37 BYRADIUS 200 km",
            "PFADD hll a b",
            "OBJECT ENCODING s",
            "MEMORY USAGE s",
            "COPY s s3",
            "RENAME s3 s4",
            "PUBLISH c m",
            "TOUCH s",
            "TYPE s",
            "UNLINK n s s1 s2 s4 bits bits2 h l l2 set set2 set3 sorted z z2 z3 x geo geo2 geo3 hll hll2",
        ] {
            let _: Value = ask(&mut a, line);
        }
        for pipeline in [&mut redis::pipe(), redis::pipe().atomic()] {
            let (value,): (u8,) = pipeline.set("k", 7).ignore().get("k").query(&mut a)?;
            assert_eq!(value, 7);
        }
        let sum: Vec<u8> = redis::transaction(&mut a, &["k"], |a, pipeline| {
            let value: u8 = a.get("k")?;
            pipeline.set("k", value + 1).ignore().get("k").query(a)
        })?;
        assert_eq!(sum, [8]);
        // A limit of the server: see the documentation of `TenantAcl`.
        let () = a.rpush("l", 1)?;
        assert!(is_denied(&command("SORT l GET w_*").query::<Value>(&mut a).unwrap_err()));
        for line in ["KEYS *", "SCAN 0", "PFMERGE h2 h", "GEORADIUS g 0 0 1 km", "GEORADIUSBYMEMBER g m 1 km"]
        {
            assert!(is_denied(&command(line).query::<Value>(&mut a).unwrap_err()), "{line}");
        }
        let _: Value = ask(&mut a, "DEL k l");
    }
    let denied: Vec<Value> = ask(&mut server.raw(), "ACL LOG");
    assert_eq!(denied.len(), 5, "those alone: {denied:?}");
    Ok(())
}

/// Returns the arguments that `TenantRedis` would send, or `None` if it refuses.
fn sent(words: &[String]) -> Option<Vec<String>> {
    let mut recorder = Recorder::default();
    let mut cmd = Cmd::new();
    cmd.arg(words);
    let sent = TenantRedis::dedicated(&mut recorder, A).scripts(&SCRIPTS).req_command(&cmd);
    if sent.is_err_and(|error| refusal(&error).is_none()) { None } else { recorder.words() }
}

/// Returns the name of a sent command as an ACL spells it.
fn name_of(words: &[String], names: &BTreeSet<String>) -> String {
    let both = words.get(1).map(|sub| format!("{}|{}", words[0], sub.to_lowercase()));
    both.filter(|both| names.contains(both)).unwrap_or_else(|| words[0].clone())
}

fn random_words(name: &str, rng: &mut fastrand::Rng) -> Vec<String> {
    const WORDS: [&str; 16] = [
        "k", "k2", "STREAMS", "0", "1", "2", "3", "STORE", "LIMIT", "GROUP", "COUNT", "$", "m", "LEFT",
        "0.5", ADD,
    ];
    let words = name.split('|').map(str::to_owned);
    let more = rng.usize(..8);
    words.chain((0..more).map(|_| (*pick(rng, &WORDS)).to_owned())).collect()
}

/// Every command that the first layer sends is permitted to the tenant's user, except for those that no pattern can
/// confine. If it has a key or a channel, it is denied to the user of another tenant.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn commands_of_the_first_layer_are_denied_to_other_users() -> RedisResult<()> {
    const SHA: &str = "0123456789012345678901234567890123456789";
    let acl = acl().scripts();
    let server = provisioned(&acl);
    let (mut raw, mut rng) = (server.raw(), fastrand::Rng::with_seed(11));
    let names: Vec<String> = command("COMMAND LIST").query(&mut raw)?;
    let names: BTreeSet<_> = names.into_iter().collect();
    let (mut seen, mut denied, mut held) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (round, name) in (0..300).flat_map(|round| names.iter().map(move |name| (round, name))) {
        let words = match (round, &**name) {
            (0, "script|load") => vec!["script".into(), "load".into(), ADD.to_owned()],
            (0, "eval" | "eval_ro") => vec![name.clone(), ADD.to_owned(), "1".into(), "k".into()],
            (0, "evalsha" | "evalsha_ro") => {
                vec![name.clone(), Script::new(ADD).get_hash().to_owned(), "1".into(), "k".into()]
            }
            (1, "evalsha" | "evalsha_ro") => vec![name.clone(), SHA.to_owned(), "0".into()],
            // Random words hardly ever give its five fixed ones.
            (0, "xreadgroup") => "xreadgroup GROUP g c STREAMS k >".split(' ').map(str::to_owned).collect(),
            _ => random_words(name, &mut rng),
        };
        let Some(sent) = sent(&words) else { continue };
        let name = name_of(&sent, &names);
        // The table accepts the arguments of newer servers too; this server would not run such a command.
        let older = redis::cmd("ACL").arg("DRYRUN").arg("default").arg(&sent).query::<Value>(&mut raw);
        if older.is_err_and(|error| error.to_string().contains("wrong number of arguments")) {
            continue;
        }
        let mut may = |tenant| dry_run(&mut raw, &acl.username(tenant), &sent);
        if !may(A) {
            denied.insert(name.clone());
        }
        if !may(B) {
            held.insert(name.clone());
        }
        seen.insert(name);
    }
    assert_eq!(
        denied.iter().collect::<Vec<_>>(),
        ["georadius", "georadiusbymember", "keys", "pfmerge", "scan"]
    );
    let free: Vec<_> = seen.difference(&held).collect();
    assert_eq!(free, ["echo", "ping", "script|load", "time", "unwatch"], "these name no key");
    let connection = [
        "acl|whoami",
        "client|setinfo",
        "discard",
        "exec",
        "multi",
        "psubscribe",
        "punsubscribe",
        "select",
        "subscribe",
        "unsubscribe",
    ];
    let rules = acl.rules(A);
    let granted = rules.iter().filter_map(|rule| rule.strip_prefix('+'));
    let unseen: Vec<_> = granted.filter(|name| !seen.contains(*name) && !connection.contains(name)).collect();
    assert!(unseen.is_empty(), "granted, and never sent: {unseen:?}");
    Ok(())
}

fn dry_run(raw: &mut Connection, user: &str, words: &[String]) -> bool {
    let answer = redis::cmd("ACL").arg("DRYRUN").arg(user).arg(words).query::<Value>(raw);
    answer.unwrap_or_else(|error| panic!("{words:?}: {error}")) == Value::Okay
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn checkout_switches_the_user_and_clears_leftovers() -> RedisResult<()> {
    let acl = acl();
    let server = provisioned(&acl);
    for resp in [2, 3] {
        let mut pooled = server.client(resp).get_connection()?;
        for tenant in [A, B, A] {
            let mut redis = acl.checkout(&mut pooled, tenant)?;
            assert_eq!(redis.tenant(), tenant);
            let () = redis.set("k", 1)?;
            // This WATCH is left behind and its key changes: the next user's transaction must still run.
            let _: Value = ask(&mut redis, "WATCH k");
            drop(redis);
            assert_eq!(ask::<String>(&mut pooled, "ACL WHOAMI"), acl.username(tenant));
            let () = server.tenant(tenant).set("k", 2)?;
        }
        let mut redis = acl.checkout(&mut pooled, B)?;
        let ran: Value = redis::pipe().atomic().get("k").query(&mut redis)?;
        assert_eq!(ran, Value::Array(vec![Value::BulkString(b"2".to_vec())]));
    }
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn checkout_rejects_connections_of_another_user() -> RedisResult<()> {
    let acl = acl();
    let server = provisioned(&acl);
    let unknown = TenantId::PLATFORM;
    let (next, other) = (TenantAcl::new(SECRET, 2), TenantAcl::new(&[7; 32], 1));
    for resp in [2, 3] {
        for (acl, tenant) in [(&acl, unknown), (&next, A), (&other, A)] {
            let pooled = server.client(resp).get_connection()?;
            let at_checkout = acl.checkout(pooled, tenant).expect_err("not the password");
            let at_connect = connect(&server, acl, tenant, resp).err().expect("not the password");
            for error in [at_checkout, at_connect] {
                let shown = format!("{error} {error:?}");
                assert!(!shown.contains(&acl.password(tenant)), "{shown}");
                assert_eq!(refusal(&error), None);
            }
        }
        // The connection is the tenant's already, by the password of an earlier epoch.
        let already = connect(&server, &acl, A, resp)?;
        assert!(next.checkout(already, A).is_err());
        // A client opens a connection for each request: AUTH and the commands run on different ones.
        let error = acl.checkout(server.client(resp), A).expect_err("another connection");
        assert_eq!(error.kind(), ErrorKind::AuthenticationFailed, "{error}");
        let mut within = server.client(resp).get_connection()?;
        let _: Value = ask(&mut within, "MULTI");
        assert!(acl.checkout(&mut within, A).is_err(), "AUTH is queued");
    }
    Ok(())
}

/// A server or proxy that answers OK to everything, and a given name to `ACL WHOAMI`.
struct Says(&'static str);

impl ConnectionLike for Says {
    fn req_packed_command(&mut self, _: &[u8]) -> RedisResult<Value> {
        Ok(Value::Okay)
    }

    fn req_packed_commands(&mut self, _: &[u8], _: usize, _: usize) -> RedisResult<Vec<Value>> {
        Ok(vec![Value::Okay, Value::BulkString(self.0.as_bytes().to_vec())])
    }

    fn get_db(&self) -> i64 {
        0
    }

    fn check_connection(&mut self) -> bool {
        true
    }

    fn is_open(&self) -> bool {
        true
    }
}

#[test]
fn checkout_and_provision_do_not_trust_a_bare_ok() {
    let acl = acl();
    for name in
        ["default", "", "t-", "t-0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "t-0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0aa"]
    {
        let error = acl.checkout(Says(name), A).expect_err(name);
        assert_eq!(error.kind(), ErrorKind::AuthenticationFailed, "{error}");
    }
    assert!(acl.checkout(Says("t-0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"), A).is_ok());
    assert!(acl.provision(&mut Says("operator"), A).is_err());
    assert!(TenantAcl::close_default(&mut Says("operator")).is_err());
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn revoke_removes_the_user_and_its_connections() -> RedisResult<()> {
    let acl = acl();
    let server = provisioned(&acl);
    let (mut admin, mut a) = (server.raw(), connect(&server, &acl, A, 2)?);
    let mut b = connect(&server, &acl, B, 2)?;
    let _: Value = ask(&mut a, "PING");
    acl.revoke(&mut admin, A)?;
    assert!(command("PING").query::<Value>(&mut a).is_err());
    assert!(connect(&server, &acl, A, 2).is_err() && acl.checkout(server.raw(), A).is_err());
    let _: Value = ask(&mut b, "PING");
    acl.revoke(&mut admin, A)
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn new_epoch_changes_the_password() -> RedisResult<()> {
    let (acl, next) = (acl(), TenantAcl::new(SECRET, 2));
    let server = provisioned(&acl);
    let mut admin = server.raw();
    let mut open = connect(&server, &acl, A, 2)?;
    // Provisioning again changes nothing for open connections.
    acl.provision(&mut admin, A)?;
    let _: Value = ask(&mut open, "PING");
    next.provision(&mut admin, A)?;
    assert!(connect(&server, &acl, A, 2).is_err());
    let _: Value = ask(&mut connect(&server, &next, A, 2)?, "PING");
    let _: Value = ask(&mut open, "PING");
    let _: Value = ask(&mut connect(&server, &acl, B, 2)?, "PING");
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn provision_replaces_earlier_rules() -> RedisResult<()> {
    let acl = acl();
    let server = Server::start();
    for resp in [2, 3] {
        let mut admin = server.client(resp).get_connection()?;
        let name = acl.username(A);
        let wider = ["on", "nopass", "~*", "&*", "+@all", "(~* +get)"];
        let () = redis::cmd("ACL").arg("SETUSER").arg(&name).arg(&wider).query(&mut admin)?;
        acl.provision(&mut admin, A)?;
        assert!(is_denied(&denial(&mut connect(&server, &acl, A, resp)?, "GET otherk")));
        let login = redis::cmd("AUTH").arg(&name).arg("old").query::<Value>(&mut server.raw());
        assert!(login.is_err());
    }
    Ok(())
}

/// A real server, some of whose replies are altered.
struct Altered<'s> {
    raw: Connection,
    alter: &'s dyn Fn(&str, Value) -> Value,
}

impl Altered<'_> {
    fn through(server: &Server, alter: &dyn Fn(&str, Value) -> Value) -> RedisResult<()> {
        acl().provision(&mut Altered { raw: server.raw(), alter }, A)
    }
}

impl ConnectionLike for Altered<'_> {
    fn req_packed_command(&mut self, cmd: &[u8]) -> RedisResult<Value> {
        let value = self.raw.req_packed_command(cmd)?;
        Ok((self.alter)(&String::from_utf8_lossy(cmd), value))
    }

    fn req_packed_commands(&mut self, cmd: &[u8], offset: usize, count: usize) -> RedisResult<Vec<Value>> {
        let values = self.raw.req_packed_commands(cmd, offset, count)?;
        match (self.alter)(&String::from_utf8_lossy(cmd), Value::Array(values)) {
            Value::Array(values) => Ok(values),
            _ => panic!("not the replies of a pipeline"),
        }
    }

    fn get_db(&self) -> i64 {
        0
    }

    fn check_connection(&mut self) -> bool {
        true
    }

    fn is_open(&self) -> bool {
        true
    }
}

fn has_user(server: &Server) -> bool {
    redis::cmd("ACL")
        .arg("GETUSER")
        .arg(acl().username(A))
        .query::<Value>(&mut server.raw())
        .expect("a reply")
        != Value::Nil
}

/// An older server has fewer commands, and one unknown command would make it reject all rules.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn provision_omits_commands_that_the_server_lacks() -> RedisResult<()> {
    let server = Server::start();
    let error =
        redis::cmd("ACL").arg("SETUSER").arg("x").arg(acl().rules(A)).query::<Value>(&mut server.raw());
    if let Err(error) = error {
        println!("all rules at once: {error}");
    }
    let fewer = |cmd: &str, reply| match (cmd.contains("COMMAND"), reply) {
        (true, Value::Array(mut commands)) => {
            commands.retain(|command| !format!("{command:?}").contains("lmpop"));
            Value::Array(commands)
        }
        (_, reply) => reply,
    };
    Altered::through(&server, &fewer)?;
    let mut a = connect(&server, &acl(), A, 2)?;
    assert!(is_denied(&denial(&mut a, "LMPOP 1 ownl LEFT")));
    let _: Value = ask(&mut a, &format!("LPOP {PREFIX_A}l"));
    Ok(())
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn provision_deletes_a_user_that_differs_from_its_rules() {
    let server = Server::start();
    let mut count = 0;
    let mut fails = |alter: &dyn Fn(&str, Value) -> Value| {
        let error = Altered::through(&server, alter).expect_err("not as asked");
        assert!(!format!("{error} {error:?}").contains(&acl().password(A)), "{error}");
        assert!(!has_user(&server), "{error}");
        count += 1;
    };
    // Someone else changes the user at the same time, so that it may do more than was requested.
    for rule in
        ["nopass", "~*", "&*", "allcommands", "+flushall", "+config|get", "off", "(~* +get)", ">more", "-get"]
    {
        fails(&|cmd, reply| {
            if cmd.contains("SETUSER") {
                let mut wider = redis::cmd("ACL");
                wider.arg("SETUSER").arg(acl().username(A)).arg(rule);
                wider.exec(&mut server.raw()).expect("a rule");
            }
            reply
        });
    }
    // Before Redis 7.0, the description of a command has seven parts.
    fails(&|cmd, reply| match (cmd.contains("COMMAND"), reply) {
        (true, Value::Array(commands)) => Value::Array(commands.into_iter().map(shortened).collect()),
        (_, reply) => reply,
    });
    fails(&|cmd, reply| if cmd.contains("GETUSER") { Value::Nil } else { reply });
    assert_eq!(count, 12);
}

fn shortened(command: Value) -> Value {
    let Value::Array(mut parts) = command else { panic!("a command") };
    parts.truncate(7);
    Value::Array(parts)
}

/// If an unexpected reply were accepted, the connection would continue as its previous user.
#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn provision_checks_every_reply() {
    let server = Server::start();
    for name in ["COMMAND", "SETUSER", "GETUSER", "DRYRUN"] {
        for replied in [Value::Nil, Value::Int(1), Value::SimpleString("QUEUED".to_owned())] {
            let altered = |cmd: &str, reply| match reply {
                Value::Array(replies) if cmd.contains(name) && name == "DRYRUN" => {
                    Value::Array(vec![replied.clone(); replies.len()])
                }
                _ if cmd.contains(name) => replied.clone(),
                reply => reply,
            };
            assert!(Altered::through(&server, &altered).is_err(), "{name} {replied:?}");
        }
    }
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn close_default_requires_another_user() -> RedisResult<()> {
    let acl = acl();
    let server = provisioned(&acl);
    let error = TenantAcl::close_default(&mut server.raw()).expect_err("itself the default user");
    assert!(error.to_string().contains("default"), "{error}");
    let mut open = server.raw();
    let mut operator = server.raw();
    let _: Value = ask(&mut open, "ACL SETUSER operator on >password ~* &* +@all");
    let _: Value = ask(&mut operator, "AUTH operator password");
    let mut a = connect(&server, &acl, A, 2)?;
    let mut raw = server.raw();
    let _: Value = ask(&mut raw, "AUTH operator password");
    let unseen = |cmd: &str, reply| if cmd.contains("GETUSER") { Value::Nil } else { reply };
    let error =
        TenantAcl::close_default(&mut Altered { raw, alter: &unseen }).expect_err("not seen to be off");
    assert!(error.to_string().contains("not off"), "{error}");
    TenantAcl::close_default(&mut operator)?;
    assert!(command("PING").query::<Value>(&mut open).is_err(), "its connections are ended");
    assert!(command("PING").query::<Value>(&mut server.client(2).get_connection()?).is_err());
    assert!(server.client(3).get_connection().is_err());
    // The tenant's user is unchanged, and RESET does not lead back to `default`.
    assert_eq!(ask::<String>(&mut a, "ACL WHOAMI"), acl.username(A));
    acl.provision(&mut operator, B)?;
    let _: Value = ask(&mut connect(&server, &acl, B, 3)?, "PING");
    let _: Value = ask(&mut a, "RESET");
    assert!(command("KEYS *").query::<Value>(&mut a).is_err());
    assert!(command("AUTH default x").query::<Value>(&mut a).is_err());
    TenantAcl::close_default(&mut operator)
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn client_keeps_its_database() -> RedisResult<()> {
    let acl = acl();
    let server = provisioned(&acl);
    let client = server.client(3);
    let connection = client.get_connection_info().clone();
    let third = connection.redis_settings().clone().set_db(3);
    let client = redis::Client::open(connection.set_redis_settings(third))?;
    let mut a = TenantRedis::dedicated(acl.client(&client, A)?.get_connection()?, A);
    let () = a.set("k", 3)?;
    assert_eq!(server.tenant(A).get::<_, Option<u8>>("k")?, None);
    assert_eq!(a.get::<_, u8>("k")?, 3);
    Ok(())
}
