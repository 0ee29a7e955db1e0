//! Replies of a hostile server or proxy.

use redis::{
    AsyncCommands, Cmd, ConnectionLike, Pipeline, PushKind, RedisFuture, RedisResult, Value, VerbatimFormat,
};
use redis::{RedisError, ServerError, ServerErrorKind, parse_redis_value};
use tenancy_redis::{Refusal, TenantRedis, refusal};

use crate::support::{A, B, PREFIX_A, PREFIX_B, Server, ask, command, pick};

/// A connection that returns the same reply to every command.
#[derive(Clone)]
struct Hostile(RedisResult<Value>);

impl Hostile {
    fn all(&self) -> RedisResult<Vec<Value>> {
        match self.0.clone()? {
            Value::Array(values) => Ok(values),
            value => Ok(vec![value]),
        }
    }
}

impl ConnectionLike for Hostile {
    fn req_packed_command(&mut self, _: &[u8]) -> RedisResult<Value> {
        self.0.clone()
    }

    fn req_packed_commands(&mut self, _: &[u8], _: usize, _: usize) -> RedisResult<Vec<Value>> {
        self.all()
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

impl redis::aio::ConnectionLike for Hostile {
    fn req_packed_command<'a>(&'a mut self, _: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async { self.0.clone() })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        _: &'a Pipeline,
        _: usize,
        _: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(async { self.all() })
    }

    fn get_db(&self) -> i64 {
        0
    }
}

/// The kind of reply: where its keys are.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Kind {
    Keys,
    Scan,
    Popped,
    Streams,
}

const COMMANDS: [(&str, Kind); 8] = [
    ("KEYS *", Kind::Keys),
    ("SCAN 0", Kind::Scan),
    ("BLPOP k 0", Kind::Popped),
    ("BZPOPMIN k 0", Kind::Popped),
    ("LMPOP 1 k LEFT", Kind::Popped),
    ("ZMPOP 1 k MIN", Kind::Popped),
    ("XREAD STREAMS k 0", Kind::Streams),
    ("XREADGROUP GROUP g c STREAMS k >", Kind::Streams),
];

/// Returns the reply; asserts that sync and async connections agree.
fn reply(line: &str, answer: &RedisResult<Value>) -> RedisResult<Value> {
    let cmd = command(line);
    let mut redis = TenantRedis::dedicated(Hostile(answer.clone()), A);
    let sync = redis.req_command(&cmd);
    assert_eq!(redis.req_packed_command(&cmd.get_packed_command()), sync, "{line}");
    let aio = ready(redis::aio::ConnectionLike::req_packed_command(&mut redis, &cmd));
    assert_eq!(aio, sync, "{line}");
    sync
}

/// Returns the replies to these commands in one pipeline.
fn replies(lines: &[&str], atomic: bool, answer: &Value) -> RedisResult<Vec<Value>> {
    let mut pipeline = redis::pipe();
    for line in lines {
        pipeline.add_command(command(line));
    }
    let (offset, count) = if atomic { (lines.len() + 1, 1) } else { (0, lines.len()) };
    if atomic {
        pipeline.atomic();
    }
    let mut redis = TenantRedis::dedicated(Hostile(Ok(answer.clone())), A);
    let sync = redis.req_packed_commands(&pipeline.get_packed_pipeline(), offset, count);
    let aio = ready(redis::aio::ConnectionLike::req_packed_commands(&mut redis, &pipeline, offset, count));
    assert_eq!(aio, sync, "{lines:?}");
    sync
}

/// Returns the output of a future that does not wait.
fn ready<T>(future: RedisFuture<'_, T>) -> RedisResult<T> {
    futures_util::FutureExt::now_or_never(future).expect("at once")
}

fn assert_shows_nothing(error: &RedisError) {
    assert_eq!(refusal(error), Some(Refusal::Reply), "{error}");
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("secret") && !shown.contains("t:0") && !shown.contains("T:0"), "{shown}");
}

fn bulk(bytes: impl AsRef<[u8]>) -> Value {
    Value::BulkString(bytes.as_ref().to_vec())
}

fn server_error(text: &str) -> ServerError {
    match parse_redis_value(format!("-{text}\r\n").as_bytes()) {
        Ok(Value::ServerError(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn with_attributes(data: Value) -> Value {
    let attributes = vec![(bulk("key-popularity"), bulk(format!("{PREFIX_B}secret")))];
    Value::Attribute { data: Box::new(data), attributes }
}

/// Returns a reply of each shape that a command has, with this key.
fn proper(kind: Kind, key: &Value) -> Vec<Value> {
    let entry = || Value::Array(vec![bulk("1-1"), Value::Array(vec![bulk("f"), bulk("v")])]);
    let pair = || Value::Array(vec![key.clone(), Value::Array(vec![entry()])]);
    match kind {
        Kind::Keys => vec![Value::Array(vec![key.clone(); 2]), Value::Set(vec![key.clone()])],
        Kind::Scan => vec![Value::Array(vec![bulk("0"), Value::Array(vec![key.clone(); 2])])],
        Kind::Popped => vec![pair(), Value::Array(vec![key.clone(), bulk("m"), Value::Double(1.0)])],
        Kind::Streams => vec![
            Value::Array(vec![pair(), pair()]),
            Value::Map(vec![(key.clone(), Value::Array(vec![entry()]))]),
        ],
    }
}

/// Returns values that are not a key of the tenant.
fn hostile_keys() -> Vec<Value> {
    let own = format!("{PREFIX_A}secret");
    vec![
        bulk(format!("{PREFIX_B}secret")),
        bulk("secret"),
        bulk(""),
        bulk(&own[..34]),
        bulk(&own[1..]),
        bulk(own.to_uppercase()),
        bulk(format!(" {own}")),
        bulk(format!("{PREFIX_B}{own}")),
        Value::Array(vec![bulk(&own)]),
        Value::Set(vec![bulk(&own)]),
        Value::Map(vec![(bulk(&own), bulk(&own))]),
        Value::Push { kind: PushKind::Message, data: vec![bulk(&own)] },
        with_attributes(bulk(format!("{PREFIX_B}secret"))),
        Value::VerbatimString { format: VerbatimFormat::Text, text: own.clone() },
        Value::SimpleString(own.clone()),
        Value::ServerError(server_error("ERR secret")),
        parse_redis_value(b"(3492890328409238509324850943850943825024385\r\n").expect("a number"),
        Value::Nil,
        Value::Okay,
        Value::Int(1),
        Value::Double(1.0),
        Value::Boolean(true),
    ]
}

#[test]
fn replies_contain_own_keys_without_the_prefix() {
    for (line, kind) in COMMANDS {
        for name in ["k", "", &format!("{PREFIX_B}k"), PREFIX_A] {
            let own = bulk(format!("{PREFIX_A}{name}"));
            for (answer, expected) in proper(kind, &own).into_iter().zip(proper(kind, &bulk(name))) {
                assert_eq!(reply(line, &Ok(answer.clone())), Ok(expected.clone()), "{line}");
                // redis-rs looks into attributes and removes them.
                let told = with_attributes(with_attributes(answer));
                assert_eq!(reply(line, &Ok(told)), Ok(expected), "{line}");
            }
        }
    }
}

#[test]
fn rejects_replies_with_foreign_or_unprefixed_keys() {
    for (line, kind) in COMMANDS {
        for key in hostile_keys() {
            for answer in proper(kind, &key) {
                assert_shows_nothing(&reply(line, &Ok(answer.clone())).unwrap_err());
                assert_shows_nothing(&reply(line, &Ok(with_attributes(answer.clone()))).unwrap_err());
                let both = Value::Array(vec![Value::Okay, answer]);
                assert_shows_nothing(&replies(&["SET k v", line], false, &both).unwrap_err());
                let both = Value::Array(vec![both]);
                assert_shows_nothing(&replies(&["SET k v", line], true, &both).unwrap_err());
            }
        }
    }
}

#[test]
fn rejects_replies_of_an_unexpected_shape() {
    let own = bulk(format!("{PREFIX_A}secret"));
    let mut deep = own.clone();
    for _ in 0..200 {
        deep = Value::Array(vec![deep]);
    }
    for (line, kind) in COMMANDS {
        let mut shapes = hostile_keys();
        shapes.retain(|shape| !matches!(shape, Value::ServerError(_)));
        shapes.retain(|shape| *shape != Value::Nil || !matches!(kind, Kind::Popped | Kind::Streams));
        // These have the shape of a valid reply, with a key of the tenant.
        let keys = [Value::Array(vec![own.clone()]), Value::Set(vec![own.clone()])];
        shapes.retain(|shape| kind != Kind::Keys || !keys.contains(shape));
        shapes.retain(|shape| kind != Kind::Streams || !matches!(shape, Value::Map(_)));
        shapes.push(deep.clone());
        shapes.push(Value::Array(vec![own.clone(); 4]));
        shapes.retain(|shape| kind != Kind::Keys || *shape != Value::Array(vec![own.clone(); 4]));
        for shape in shapes {
            assert_shows_nothing(&reply(line, &Ok(shape)).unwrap_err());
        }
    }
}

#[test]
fn rejects_pipelines_without_one_reply_for_each_command() {
    let (own, foreign) = (bulk(format!("{PREFIX_A}k")), bulk(format!("{PREFIX_B}secret")));
    let keys = Value::Array(vec![own]);
    let lines = ["GET k", "KEYS *"];
    let good = vec![bulk("v"), keys.clone()];
    let expected = vec![bulk("v"), Value::Array(vec![bulk("k")])];
    assert_eq!(replies(&lines, false, &Value::Array(good.clone())), Ok(expected.clone()));
    let run = Value::Array(vec![Value::Array(good.clone())]);
    assert_eq!(replies(&lines, true, &run), Ok(vec![Value::Array(expected)]));
    assert_eq!(replies(&lines, true, &Value::Array(vec![Value::Nil])), Ok(vec![Value::Nil]), "not run");

    let more = [&good[..], std::slice::from_ref(&foreign)].concat();
    for values in [&good[..1], &more, &[], &[keys.clone(), bulk("v")]] {
        let values = Value::Array(values.to_vec());
        assert_shows_nothing(&replies(&lines, false, &values).unwrap_err());
        assert_shows_nothing(&replies(&lines, true, &Value::Array(vec![values])).unwrap_err());
    }
    for values in [good, vec![foreign], vec![], vec![Value::Array(vec![]), Value::Array(vec![])]] {
        assert_shows_nothing(&replies(&lines, true, &Value::Array(values)).unwrap_err());
    }
    let error = Value::ServerError(server_error("WRONGTYPE Operation against a key"));
    let failed = Value::Array(vec![error.clone(), keys]);
    assert_eq!(replies(&lines, false, &failed).expect("a reply to each")[0], error);
}

/// Returns a random tree of values that contains names of the tenant and of others.
fn any(rng: &mut fastrand::Rng, depth: usize) -> Value {
    let many = |rng: &mut fastrand::Rng| (0..rng.usize(..4)).map(|_| any(rng, depth + 1)).collect::<Vec<_>>();
    match rng.usize(..if depth < 4 { 18 } else { 12 }) {
        0..=5 => bulk(any_name(rng)),
        6 => Value::Nil,
        7 => Value::Int(7),
        8 => Value::SimpleString(any_name(rng)),
        9 => Value::ServerError(server_error("ERR no")),
        10 => Value::VerbatimString { format: VerbatimFormat::Text, text: any_name(rng) },
        11 => Value::Double(1.5),
        12..=14 => Value::Array(many(rng)),
        15 => Value::Set(many(rng)),
        16 => Value::Map(many(rng).into_iter().map(|key| (key, Value::Array(vec![]))).collect()),
        _ => with_attributes(any(rng, depth + 1)),
    }
}

fn any_name(rng: &mut fastrand::Rng) -> String {
    let prefix = pick(rng, &[PREFIX_A, PREFIX_A, PREFIX_A, PREFIX_B, "", &PREFIX_A[..33], "T:0A0A"]);
    format!("{prefix}{}", pick(rng, &["secret", "", "k", PREFIX_A, PREFIX_B]))
}

/// Returns a valid reply, often with one part replaced.
fn almost_proper(kind: Kind, rng: &mut fastrand::Rng) -> Value {
    let own = bulk(format!("{PREFIX_A}{}", rng.usize(..100)));
    let mut shapes = proper(kind, &own);
    let mut value = shapes.swap_remove(rng.usize(..shapes.len()));
    if rng.usize(..3) > 0 {
        spoil(&mut value, rng);
    }
    value
}

/// Replaces, removes or adds one part.
fn spoil(value: &mut Value, rng: &mut fastrand::Rng) {
    let further = rng.usize(..3) > 0;
    match value {
        Value::Array(parts) | Value::Set(parts) if further && !parts.is_empty() => {
            let at = rng.usize(..parts.len());
            match rng.usize(..6) {
                0 => drop(parts.remove(at)),
                1 => parts.insert(at, any(rng, 3)),
                _ => spoil(&mut parts[at], rng),
            }
        }
        Value::Map(pairs) if further && !pairs.is_empty() => spoil(&mut pairs[0].0, rng),
        value => *value = any(rng, 1),
    }
}

/// Puts the prefix back in front of each key: this is what the server must have sent.
fn put_back(kind: Kind, value: &mut Value) {
    let key = |key: &mut Value| match key {
        Value::BulkString(bytes) => drop(bytes.splice(..0, PREFIX_A.bytes())),
        other => panic!("no key: {other:?}"),
    };
    match (kind, value) {
        (Kind::Keys, Value::Array(keys) | Value::Set(keys)) => keys.iter_mut().for_each(key),
        (Kind::Scan, Value::Array(parts)) => put_back(Kind::Keys, &mut parts[1]),
        (Kind::Popped, Value::Array(parts)) => key(&mut parts[0]),
        (Kind::Streams, Value::Array(pairs)) => {
            for pair in pairs {
                put_back(Kind::Popped, pair);
            }
        }
        (Kind::Streams, Value::Map(pairs)) => pairs.iter_mut().for_each(|(name, _)| key(name)),
        (Kind::Popped | Kind::Streams, Value::Nil) | (_, Value::ServerError(_)) => {}
        (kind, other) => panic!("{kind:?}: {other:?}"),
    }
}

fn without_attributes(value: Value) -> Value {
    match value {
        Value::Attribute { data, .. } => without_attributes(*data),
        value => value,
    }
}

/// Asserts that a returned value is the server's reply without the prefix, and that an error shows nothing of it.
/// Returns whether a value was returned.
fn check(kind: Kind, answer: &Value, given: RedisResult<Value>) -> bool {
    match given {
        Ok(mut value) => {
            put_back(kind, &mut value);
            assert_eq!(value, without_attributes(answer.clone()));
            true
        }
        Err(error) => {
            assert_shows_nothing(&error);
            false
        }
    }
}

#[test]
fn random_replies_never_yield_a_foreign_key() {
    const SEED: u64 = 0x7465_6e61_6e63_7921;
    println!("seed {SEED:#x}");
    let mut rng = fastrand::Rng::with_seed(SEED);
    for kind in [Kind::Keys, Kind::Scan, Kind::Popped, Kind::Streams] {
        let lines: Vec<_> = COMMANDS.iter().filter(|(_, of)| *of == kind).map(|(line, _)| *line).collect();
        let mut given = 0;
        for _ in 0..100_000 {
            let answer = if rng.usize(..4) == 0 { any(&mut rng, 0) } else { almost_proper(kind, &mut rng) };
            given += usize::from(check(kind, &answer, reply(pick(&mut rng, &lines), &Ok(answer.clone()))));
        }
        assert!((10_000..90_000).contains(&given), "{kind:?}: {given} of 100,000 were given");
    }
}

#[test]
fn random_pipeline_replies_never_yield_a_foreign_key() {
    const SEED: u64 = 0x7069_7065_6c69_6e65;
    println!("seed {SEED:#x}");
    let mut rng = fastrand::Rng::with_seed(SEED);
    for atomic in [false, true] {
        let mut given = 0;
        for _ in 0..100_000 {
            let commands = [COMMANDS[rng.usize(..8)], COMMANDS[rng.usize(..8)]];
            let mut answers: Vec<_> =
                commands.iter().map(|(_, kind)| almost_proper(*kind, &mut rng)).collect();
            if rng.usize(..10) == 0 {
                answers.push(any(&mut rng, 2));
            }
            let sent = Value::Array(answers.clone());
            let sent = if atomic { Value::Array(vec![sent]) } else { sent };
            let lines = commands.map(|(line, _)| line);
            let values = match replies(&lines, atomic, &sent) {
                Ok(mut values) if atomic => match values.pop() {
                    Some(Value::Array(values)) => values,
                    other => panic!("{other:?}"),
                },
                Ok(values) => values,
                Err(error) => {
                    assert_shows_nothing(&error);
                    continue;
                }
            };
            given += 1;
            assert_eq!(values.len(), 2);
            for (((_, kind), answer), value) in commands.iter().zip(&answers).zip(values) {
                assert!(check(*kind, answer, Ok(value)));
            }
        }
        assert!((5_000..90_000).contains(&given), "{given} of 100,000 were given");
    }
}

#[test]
fn errors_contain_keys_without_the_prefix() {
    let text = format!("NOGROUP No such key '{PREFIX_A}s' or '{PREFIX_A}{PREFIX_B}s'");
    let stripped = format!("No such key 's' or '{PREFIX_B}s'");
    for line in ["XACK s g 1-1", "xreadgroup GROUP g c STREAMS s >", "KEYS *"] {
        // An error as a reply, and an error as the connection of a cluster returns it.
        let said = reply(line, &Ok(Value::ServerError(server_error(&text))));
        let Ok(Value::ServerError(said)) = said else { panic!("{said:?}") };
        assert_eq!((said.code(), said.details()), ("NOGROUP", Some(&stripped[..])), "{line}");
        let thrown = reply(line, &Err(server_error(&text).into())).unwrap_err();
        assert_eq!((thrown.code(), thrown.detail()), (Some("NOGROUP"), Some(&stripped[..])), "{line}");
    }
    for atomic in [false, true] {
        let failed = Value::Array(vec![Value::Okay, Value::ServerError(server_error(&text))]);
        let sent = if atomic { Value::Array(vec![failed]) } else { failed };
        let values = replies(&["SET k v", "GET s"], atomic, &sent).expect("a reply to each");
        assert!(!format!("{values:?}").contains(PREFIX_A), "{values:?}");
        assert!(format!("{values:?}").contains(&stripped), "{values:?}");
    }
    let aborted = server_error(&format!("EXECABORT for '{PREFIX_A}s'"));
    let values = replies(&["GET k"], true, &Value::ServerError(aborted)).expect("a reply");
    let [Value::ServerError(aborted)] = &values[..] else { panic!("{values:?}") };
    assert_eq!((aborted.kind(), aborted.details()), (Some(ServerErrorKind::ExecAbort), Some("for 's'")));
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn errors_of_a_real_server_contain_keys_without_the_prefix() -> RedisResult<()> {
    let server = Server::start();
    for resp in [2, 3] {
        let mut sync = TenantRedis::new(server.client(resp).get_connection()?, A);
        let shared = crate::support::aio::multiplexed(&server.client(resp)).await?;
        let mut aio = TenantRedis::new(shared, A).namespace("jobs");
        let _: Value = ask(&mut TenantRedis::new(server.raw(), A).namespace("jobs"), "XADD x * f v");
        let _: Value = ask(&mut sync, "XADD x * f v");
        for line in
            ["XREADGROUP GROUP g c STREAMS x >", "XPENDING x g", "XCLAIM x g c 0 1-1", "XGROUP SETID x g 0"]
        {
            let errors = [
                command(line).exec(&mut sync).unwrap_err(),
                command(line).exec_async(&mut aio).await.unwrap_err(),
                redis::pipe().add_command(command(line)).exec(&mut sync).unwrap_err(),
                redis::pipe().add_command(command(line)).exec_async(&mut aio).await.unwrap_err(),
                redis::pipe().atomic().add_command(command(line)).exec(&mut sync).unwrap_err(),
                redis::pipe().atomic().add_command(command(line)).exec_async(&mut aio).await.unwrap_err(),
            ];
            for error in errors {
                let shown = format!("{error} {error:?}");
                assert!(shown.contains("NOGROUP") && shown.contains("'x'"), "{line}: {shown}");
                assert!(!shown.contains(PREFIX_A), "{line}: {shown}");
                let errors = error.into_server_errors().expect("the server's");
                assert_eq!(errors[0].1.code(), "NOGROUP");
            }
        }
    }
    Ok(())
}

#[tokio::test]
async fn rejects_foreign_keys_and_surplus_replies() -> RedisResult<()> {
    let foreign = format!("{PREFIX_A}secret").into_bytes();
    let keys = Value::Array(vec![Value::BulkString(foreign)]);
    let mut b = TenantRedis::new(Hostile(Ok(keys.clone())), B);
    let error = b.keys::<_, Vec<String>>("*").await.unwrap_err();
    assert_eq!(refusal(&error), Some(Refusal::Reply));
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("secret") && !shown.contains(PREFIX_A), "{shown}");
    let mut b = TenantRedis::new(Hostile(Ok(Value::Array(vec![keys; 2]))), B);
    let error = redis::pipe().get("k").exec_async(&mut b).await.unwrap_err();
    assert_eq!(refusal(&error), Some(Refusal::Reply), "more replies than commands");
    Ok(())
}
