//! What makes a user, and how it is seen that the server made it so.

use std::collections::{BTreeSet, HashMap};

use redis::{Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, RedisResult, Value, cmd};
use tenancy::TenantId;

use super::server::{self, ServerCommand};
use super::{TenantAcl, prefix};
use crate::table;

/// A tenant's user on the server at hand.
pub(super) struct Plan {
    name: String,
    rules: Vec<String>,
    /// Whether the user may do what the words say.
    probes: Vec<(Vec<String>, bool)>,
    password_hash: String,
    prefix: String,
}

/// Flags of a user that don't widen what it may do.
const FLAGS: &[&str] = &["on", "sanitize-payload"];

impl Plan {
    /// # Errors
    ///
    /// Where the reply to `COMMAND` is not that of a server of version 7.0 or later.
    pub(super) fn new(acl: &TenantAcl, tenant: TenantId, commands: &Value) -> RedisResult<Self> {
        let commands = server::read(commands)?;
        let names: BTreeSet<_> = commands.iter().map(|command| &*command.name).collect();
        // One that the server lacks would fail them all.
        let granted: BTreeSet<_> = acl.grants().filter(|name| names.contains(&**name)).collect();
        let prefix = prefix(tenant);
        Ok(Self {
            name: acl.username(tenant),
            probes: probes(&prefix, &commands, &granted),
            rules: acl.rules_of(tenant, granted.into_iter()),
            password_hash: acl.password_hash(tenant),
            prefix,
        })
    }

    pub(super) fn set_user(&self) -> Cmd {
        cmd("ACL").arg("SETUSER").arg(&self.name).arg(&self.rules).take()
    }

    pub(super) fn get_user(&self) -> Cmd {
        cmd("ACL").arg("GETUSER").arg(&self.name).take()
    }

    pub(super) fn delete_user(&self) -> Cmd {
        delete_user(&self.name)
    }

    /// # Errors
    ///
    /// Where `ACL GETUSER` tells another user than was asked for.
    pub(super) fn check_user(&self, reply: &Value) -> RedisResult<()> {
        let user: HashMap<String, Value> =
            redis::from_redis_value_ref(reply).map_err(|_| differs("the user is missing"))?;
        let flags: Vec<String> = field(&user, "flags").ok_or_else(|| differs("flags"))?;
        let harmless = flags.iter().all(|flag| FLAGS.contains(&&**flag));
        if !harmless || !flags.iter().any(|flag| flag == "on") {
            return Err(differs("flags"));
        }
        if field(&user, "passwords") != Some(vec![self.password_hash.clone()]) {
            return Err(differs("passwords"));
        }
        if field(&user, "keys") != Some(format!("~{}*", self.prefix)) {
            return Err(differs("keys"));
        }
        if field(&user, "channels") != Some(format!("&{}*", self.prefix)) {
            return Err(differs("channels"));
        }
        if !field(&user, "commands").is_some_and(|commands: String| commands.starts_with("-@all ")) {
            return Err(differs("commands"));
        }
        if !matches!(user.get("selectors"), Some(Value::Array(selectors)) if selectors.is_empty()) {
            return Err(differs("selectors"));
        }
        Ok(())
    }

    /// Asks the server what the user may do: `ACL GETUSER` tells commands as categories, of which each server has
    /// its own.
    pub(super) fn ask(&self) -> Pipeline {
        let mut pipeline = redis::pipe();
        for (words, _) in &self.probes {
            pipeline.cmd("ACL").arg("DRYRUN").arg(&self.name).arg(words);
        }
        pipeline.ignore_errors();
        pipeline
    }

    /// # Errors
    ///
    /// Where the user may do what it was not granted, or may not use what is its own.
    pub(super) fn check_answers(&self, answers: &Value) -> RedisResult<()> {
        let Value::Array(answers) = answers else { return Err(differs("permissions")) };
        if answers.len() != self.probes.len() {
            return Err(differs("permissions"));
        }
        let mut probes = self.probes.iter().zip(answers);
        match probes.find(|((_, allowed), answer)| (**answer == Value::Okay) != *allowed) {
            None => Ok(()),
            // The words are this crate's and the server's: none is a user's.
            Some(((words, allowed), _)) => {
                let may = if *allowed { "may not run" } else { "may run" };
                Err(differs(&format!("permissions: the user {may} `{}`", words.join(" "))))
            }
        }
    }
}

/// The user's own key and channel, those of others, each command that was not granted, and each one that was granted,
/// with a key of nobody.
fn probes(prefix: &str, commands: &[ServerCommand], granted: &BTreeSet<String>) -> Vec<(Vec<String>, bool)> {
    let to_words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    let own = |name: &str| format!("{prefix}{name}");
    let patterns = [
        (to_words(&["GET", &own("k")]), true),
        (to_words(&["GET", "k"]), false),
        (to_words(&["PUBLISH", &own("c"), "m"]), true),
        (to_words(&["PUBLISH", "c", "m"]), false),
    ];
    let kept = commands.iter().filter(|command| !command.open_to_all && !granted.contains(&command.name));
    let kept = kept.map(|command| (to_words(&command.words()), false));
    // A server that does not check the keys of one of these has no user who is held by them.
    let foreign = commands.iter().filter(|command| granted.contains(&command.name));
    let foreign =
        foreign.filter_map(|command| table::with_foreign_key(&command.name, command.fewest_words()));
    patterns.into_iter().chain(kept).chain(foreign.map(|words| (words, false))).collect()
}

pub(super) fn delete_user(name: &str) -> Cmd {
    cmd("ACL").arg("DELUSER").arg(name).take()
}

/// # Errors
///
/// Where a reply is anything but `OK`.
pub(super) fn confirm(reply: &Value) -> RedisResult<()> {
    if *reply == Value::Okay { Ok(()) } else { Err(differs("the reply is not OK")) }
}

fn field<T: FromRedisValue>(user: &HashMap<String, Value>, name: &str) -> Option<T> {
    redis::from_redis_value_ref(user.get(name)?).ok()
}

fn differs(what: &str) -> RedisError {
    let detail = format!("the server has not made the user that was asked for: {what}");
    (ErrorKind::Client, "tenant isolation", detail).into()
}

#[cfg(test)]
mod tests {
    use super::super::server::tests::entry;
    use super::*;

    const FIELDS: [(&str, &str); 4] = [
        ("flags", "on sanitize-payload"),
        ("commands", "-@all +@bitmap -setbit +get"),
        ("keys", "~t:00000000000000000000000000000001:*"),
        ("channels", "&t:00000000000000000000000000000001:*"),
    ];

    fn plan() -> Plan {
        let commands = ["get", "set", "publish", "acl|whoami", "flushall", "keys", "hello"];
        let flag = |name| if name == "hello" { "no_auth" } else { "" };
        let commands = commands.map(|name| entry(name, 2, flag(name), Some(vec![])));
        let acl = TenantAcl::new(&[7; 32], 1);
        Plan::new(&acl, TenantId::PLATFORM, &Value::Array(commands.to_vec())).expect("a plan")
    }

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    /// The user of the fields, as RESP3 tells it.
    fn user(fields: &[(&str, &str)], passwords: &[&str], selectors: &[&str]) -> Vec<(Value, Value)> {
        let list = |items: &[&str]| Value::Array(items.iter().map(|item| bulk(item)).collect());
        let mut user: Vec<_> = (fields.iter())
            .map(|&(name, text)| match name {
                "flags" => (bulk(name), Value::Set(text.split(' ').map(bulk).collect())),
                _ => (bulk(name), bulk(text)),
            })
            .collect();
        user.push((bulk("passwords"), list(passwords)));
        user.push((bulk("selectors"), list(selectors)));
        user
    }

    #[test]
    fn what_the_server_lacks_is_left_out() {
        let plan = plan();
        assert_eq!(plan.rules[7..], ["+acl|whoami", "+get", "+publish", "+set"]);
        let denied: Vec<_> = plan.probes[4..6].iter().map(|(words, _)| words.join(" ")).collect();
        assert_eq!(denied, ["flushall 0", "keys 0"]);
        let foreign: Vec<_> = plan.probes[6..].iter().map(|(words, _)| words.join(" ")).collect();
        assert_eq!(foreign, ["get 0", "set 0", "publish 0"]);
        assert!(plan.probes[4..].iter().all(|(_, allowed)| !allowed));
    }

    #[test]
    fn a_user_as_asked_is_told_in_either_protocol() {
        let plan = plan();
        let user = user(&FIELDS, &[&plan.password_hash], &[]);
        let array = user.iter().flat_map(|(name, value)| [name.clone(), value.clone()]).collect();
        assert_eq!(plan.check_user(&Value::Array(array)), Ok(()));
        assert_eq!(plan.check_user(&Value::Map(user)), Ok(()));
    }

    #[test]
    fn a_wider_user_is_an_error() {
        let plan = plan();
        for (name, text) in [
            ("flags", "on nopass"),
            ("flags", "off"),
            ("flags", "on allkeys"),
            ("flags", "on allcommands"),
            ("flags", "on allchannels"),
            ("flags", "sanitize-payload"),
            ("commands", "+@all"),
            ("commands", "+@all -flushall"),
            ("keys", "~*"),
            ("keys", "~t:*"),
            ("keys", "~t:00000000000000000000000000000001:* ~other"),
            ("keys", ""),
            ("channels", "&*"),
            ("channels", "&t:00000000000000000000000000000001:* &*"),
        ] {
            let fields = FIELDS.map(|field| if field.0 == name { (name, text) } else { field });
            let error = plan.check_user(&Value::Map(user(&fields, &[&plan.password_hash], &[]))).unwrap_err();
            assert!(error.to_string().ends_with(name), "{name} {text}: {error}");
        }
        for (passwords, selectors) in [
            (&[][..], &[][..]),
            (&["0"], &[]),
            (&[&*plan.password_hash, "0"], &[]),
            (&[&*plan.password_hash], &["~*"]),
        ] {
            assert!(
                plan.check_user(&Value::Map(user(&FIELDS, passwords, selectors))).is_err(),
                "{passwords:?}"
            );
        }
        for missing in [Value::Nil, Value::Okay, Value::Array(vec![]), Value::Map(vec![])] {
            assert!(plan.check_user(&missing).is_err(), "{missing:?}");
        }
    }

    #[test]
    fn a_permission_more_or_less_is_an_error() {
        let plan = plan();
        let answers: Vec<_> = (plan.probes.iter())
            .map(|(_, allowed)| if *allowed { Value::Okay } else { bulk("no permissions") })
            .collect();
        assert_eq!(plan.check_answers(&Value::Array(answers.clone())), Ok(()));
        for at in 0..answers.len() {
            let mut other = answers.clone();
            other[at] = if other[at] == Value::Okay { bulk("no permissions") } else { Value::Okay };
            assert!(plan.check_answers(&Value::Array(other)).is_err(), "{at}");
        }
        assert!(plan.check_answers(&Value::Array(answers[1..].to_vec())).is_err());
        assert!(plan.check_answers(&Value::Okay).is_err());
    }
}
