//! A case: what tenant A sends, and what must come of it.

use redis::{Arg, Cmd, Commands, RedisResult, Value};
use tenancy_redis::{Refusal, TenantRedis, TrustedScripts, refusal};

use crate::show::show;
use crate::world::{A, B, CANARY, PREFIX_B, World, words};

/// What must come of a command.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Expect {
    /// The command is refused for this reason, and the server receives nothing.
    Refused(Refusal),
    /// The reply as text. On a server without the command, an error.
    Is(&'static str),
    /// An error of the server whose text contains this. On a server without the command, any error.
    Fails(&'static str),
    /// Anything that harms nobody.
    Harmless,
}

/// A name, the words that tenant A sends, and what must come of them.
pub(crate) type Case = (&'static str, &'static str, Expect);

/// How a command is sent.
#[derive(Clone, Copy, Debug)]
enum Way {
    Sync(u8),
    Pipeline(u8),
    Transaction(u8),
    Async(u8),
    AsyncTransaction(u8),
}

const WAYS: [Way; 8] = [
    Way::Sync(2),
    Way::Sync(3),
    Way::Pipeline(2),
    Way::Transaction(2),
    Way::Transaction(3),
    Way::Async(2),
    Way::Async(3),
    Way::AsyncTransaction(3),
];

/// Runs each case in each way, and fails with the list of the cases that did not end as expected.
pub(crate) fn run(cases: &[Case]) {
    let commands: Vec<_> = cases.iter().map(|(name, line, expect)| (*name, words(line), *expect)).collect();
    run_commands(&commands, None);
}

/// Runs cases whose commands are not words.
pub(crate) fn run_commands(cases: &[(&str, Cmd, Expect)], scripts: Option<&'static TrustedScripts>) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let mut world = World::start();
    let mut failed = Vec::new();
    for (name, command, expect) in cases {
        for way in WAYS {
            world.reset();
            if let Err(why) = runtime.block_on(one(&mut world, way, command, *expect, scripts)) {
                failed.push(format!("{name} ({way:?}): {why}"));
            }
        }
    }
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
}

async fn one(
    world: &mut World,
    way: Way,
    command: &Cmd,
    expect: Expect,
    scripts: Option<&'static TrustedScripts>,
) -> Result<(), String> {
    let before = world.outside();
    let (reply, sent) = match way {
        Way::Sync(resp) | Way::Pipeline(resp) | Way::Transaction(resp) => {
            let mut a = with(TenantRedis::new(world.raw(resp), A), scripts);
            let processed = world.processed();
            let reply = match way {
                Way::Sync(_) => command.query(&mut a),
                Way::Pipeline(_) => redis::pipe().add_command(command.clone()).query(&mut a).map(only),
                _ => redis::pipe().atomic().add_command(command.clone()).query(&mut a).map(only),
            };
            let sent = world.sent_since(processed);
            // The reply to the next command is its own.
            let next: RedisResult<String> = a.get("last");
            if !matches!(expect, Expect::Harmless)
                && next.as_deref().map_err(redis::RedisError::kind) != Ok("own")
            {
                return Err(format!("the next reply was {next:?}"));
            }
            (reply, sent)
        }
        Way::Async(resp) | Way::AsyncTransaction(resp) => {
            let shared = world.multiplexed(resp).await;
            let mut a = with(TenantRedis::new(shared.clone(), A), scripts);
            let mut b = TenantRedis::new(shared, B);
            let processed = world.processed();
            let reply = if let Way::Async(_) = way {
                command.query_async(&mut a).await
            } else {
                redis::pipe().atomic().add_command(command.clone()).query_async(&mut a).await.map(only)
            };
            let sent = world.sent_since(processed);
            let next: RedisResult<String> = redis::AsyncCommands::get(&mut b, "k").await;
            if next.as_deref().map_err(redis::RedisError::kind) != Ok("canary-k") {
                return Err(format!("tenant B's next reply on the same connection was {next:?}"));
            }
            (reply, sent)
        }
    };
    if world.outside() != before {
        return Err("a key outside of the tenant was changed".to_owned());
    }
    let text = match &reply {
        Ok(value) => format!("{} {value:?}", show(value)),
        Err(error) => format!("{error} {error:?}"),
    };
    if text.contains(CANARY) {
        return Err(format!("the canary was seen: {text}"));
    }
    let is_known = match command.args_iter().next() {
        Some(Arg::Simple(name)) => std::str::from_utf8(name).is_ok_and(|name| world.has(name)),
        _ => false,
    };
    match (expect, &reply) {
        (Expect::Harmless, _) => Ok(()),
        (Expect::Refused(expected), Err(error)) if refusal(error) == Some(expected) => {
            if text.contains(PREFIX_B) {
                return Err(format!("the refusal repeats an argument: {text}"));
            }
            if sent != 0 { Err(format!("{sent} commands were sent")) } else { Ok(()) }
        }
        (Expect::Is(expected), Ok(value)) if show(value) == expected => Ok(()),
        (Expect::Fails(code), Err(error)) if refusal(error).is_none() && text.contains(code) => Ok(()),
        (Expect::Is(_) | Expect::Fails(_), Err(error)) if refusal(error).is_none() && !is_known => Ok(()),
        _ => Err(format!("{expect:?} was expected: {text}")),
    }
}

fn with<C>(redis: TenantRedis<C>, scripts: Option<&'static TrustedScripts>) -> TenantRedis<C> {
    match scripts {
        Some(scripts) => redis.scripts(scripts),
        None => redis,
    }
}

/// Returns the reply to the only command of a pipeline.
fn only(mut replies: Vec<Value>) -> Value {
    assert_eq!(replies.len(), 1, "{replies:?}");
    replies.remove(0)
}
