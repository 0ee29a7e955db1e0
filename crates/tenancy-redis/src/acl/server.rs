//! The commands of the server at hand.

use redis::{ErrorKind, RedisError, RedisResult, Value};

/// A command or subcommand as `COMMAND` tells it.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct ServerCommand {
    /// `get`, `object|encoding`.
    pub(super) name: String,
    /// How many arguments with the name, or below zero, how many at least.
    arity: i64,
    /// `AUTH` and its like, which no ACL takes away.
    pub(super) open_to_all: bool,
}

impl ServerCommand {
    /// The fewest words that the server looks at: with fewer it says nothing of permissions.
    pub(super) fn words(&self) -> Vec<&str> {
        let mut words: Vec<_> = self.name.split('|').collect();
        words.resize(self.fewest_words().max(words.len()), "0");
        words
    }

    pub(super) fn fewest_words(&self) -> usize {
        usize::try_from(self.arity.unsigned_abs()).unwrap_or(0)
    }
}

/// The oldest versions whose ACLs hold a tenant's user: of each line of Redis, the one that fixes CVE-2023-41053
/// (`SORT_RO` read any key). Later lines, and Valkey, began after it.
const OLDEST: [[u32; 3]; 2] = [[7, 0, 13], [7, 2, 1]];

/// # Errors
///
/// If the reply to `HELLO` tells a version of Redis whose ACLs do not hold a user. A server that tells no version is judged
/// by the probes alone.
pub(super) fn check_version(hello: &Value) -> RedisResult<()> {
    let fields: std::collections::HashMap<String, Value> = redis::from_redis_value_ref(hello)?;
    let field = |name| fields.get(name).and_then(|value| redis::from_redis_value_ref::<String>(value).ok());
    let Some(version) = field("version").filter(|_| field("server").as_deref() == Some("redis")) else {
        return Ok(());
    };
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    let found: [u32; 3] = std::array::from_fn(|_| numbers.next().unwrap_or(0));
    let is_old =
        OLDEST.iter().any(|oldest| found[..2] == oldest[..2] && found < *oldest) || found < OLDEST[0];
    if is_old { Err(too_old()) } else { Ok(()) }
}

/// What `COMMAND` answers, without the commands that are but the sum of their subcommands.
///
/// # Errors
///
/// Where it does not tell subcommands: a server before 7.0.
pub(super) fn read(reply: &Value) -> RedisResult<Vec<ServerCommand>> {
    let mut commands = Vec::new();
    match read_into(&mut commands, reply) {
        Some(()) if !commands.is_empty() => Ok(commands),
        _ => Err(too_old()),
    }
}

fn read_into(commands: &mut Vec<ServerCommand>, reply: &Value) -> Option<()> {
    for entry in items(reply)? {
        let [name, arity, flags, _, _, _, _, _, _, subcommands, ..] = items(entry)? else { return None };
        if !items(subcommands)?.is_empty() {
            read_into(commands, subcommands)?;
            continue;
        }
        let flags: Vec<String> = redis::from_redis_value_ref(flags).ok()?;
        commands.push(ServerCommand {
            // Modules name their commands in upper case.
            name: redis::from_redis_value_ref::<String>(name).ok()?.to_lowercase(),
            arity: redis::from_redis_value_ref(arity).ok()?,
            open_to_all: flags.iter().any(|flag| flag == "no_auth"),
        });
    }
    Some(())
}

/// RESP3 has sets as well.
fn items(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(items) | Value::Set(items) => Some(items),
        _ => None,
    }
}

fn too_old() -> RedisError {
    (
        ErrorKind::Client,
        "tenant isolation",
        "a tenant's user needs Redis 7.0.13, 7.2.1 or later, or Valkey".to_owned(),
    )
        .into()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    /// A command of seven parts, as before 7.0, or of ten.
    pub(in crate::acl) fn entry(
        name: &str,
        arity: i64,
        flag: &str,
        subcommands: Option<Vec<Value>>,
    ) -> Value {
        let flags = Value::Array(vec![Value::SimpleString(flag.to_owned())]);
        let mut parts = vec![bulk(name), Value::Int(arity), flags];
        parts.resize(7, Value::Int(0));
        if let Some(subcommands) = subcommands {
            parts.extend([Value::Array(vec![]), Value::Array(vec![]), Value::Array(subcommands)]);
        }
        Value::Array(parts)
    }

    #[test]
    fn subcommands_stand_for_their_command() {
        let encoding = entry("object|encoding", 3, "readonly", Some(vec![]));
        let reply = Value::Array(vec![
            entry("GET", 2, "readonly", Some(vec![])),
            entry("object", -2, "", Some(vec![encoding])),
            entry("auth", -2, "no_auth", Some(vec![])),
        ]);
        let commands = read(&reply).expect("commands");
        let told: Vec<_> =
            commands.iter().map(|command| (command.words().join(" "), command.open_to_all)).collect();
        assert_eq!(
            told,
            [("get 0".into(), false), ("object encoding 0".into(), false), ("auth 0".into(), true)]
        );
    }

    #[test]
    fn refuses_versions_that_do_not_hold_a_user() {
        let hello = |server: &str, version: &str| {
            Value::Array(vec![
                bulk("server"),
                bulk(server),
                bulk("version"),
                bulk(version),
                bulk("id"),
                Value::Int(7),
            ])
        };
        for version in ["7.0.13", "7.0.15", "7.2.1", "7.4.0", "8.2.3", "10.0.0"] {
            assert_eq!(check_version(&hello("redis", version)), Ok(()), "{version}");
        }
        for version in ["6.2.14", "7.0.0", "7.0.12", "7.2.0", "7.0", "", "x"] {
            let error = check_version(&hello("redis", version)).unwrap_err();
            assert!(error.to_string().contains("7.0.13"), "{version}: {error}");
        }
        for (server, version) in [("valkey", "7.2.5"), ("valkey", "9.1.2"), ("other", "1.0.0")] {
            assert_eq!(check_version(&hello(server, version)), Ok(()), "{server} {version}");
        }
        assert!(check_version(&Value::Okay).is_err());
    }

    #[test]
    fn a_server_before_7_0_is_an_error() {
        for reply in [
            Value::Array(vec![entry("get", 2, "readonly", None)]),
            Value::Array(vec![]),
            Value::Array(vec![Value::Nil]),
            Value::Okay,
        ] {
            let error = read(&reply).unwrap_err();
            assert!(error.to_string().contains("7.0"), "{error}");
        }
    }
}
