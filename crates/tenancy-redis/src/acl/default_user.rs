//! The user that each connection has until it names another.

use std::collections::HashMap;

use redis::{Cmd, ErrorKind, RedisError, RedisResult, Value, cmd};

pub(super) fn who() -> Cmd {
    cmd("ACL").arg("WHOAMI").take()
}

/// # Errors
///
/// Where the operator is `default`, who could not connect again, or is not told.
pub(super) fn check_operator(name: &Value) -> RedisResult<()> {
    match name {
        Value::BulkString(name) if name != b"default" => Ok(()),
        _ => Err(error("the operator must be a user of another name than `default`")),
    }
}

pub(super) fn turn_off() -> Cmd {
    cmd("ACL").arg("SETUSER").arg("default").arg("off").take()
}

pub(super) fn get_default() -> Cmd {
    cmd("ACL").arg("GETUSER").arg("default").take()
}

/// # Errors
///
/// Where `ACL GETUSER` does not tell that the user is off.
pub(super) fn check_off(reply: &Value) -> RedisResult<()> {
    let flags = redis::from_redis_value_ref::<HashMap<String, Value>>(reply)
        .ok()
        .and_then(|user| redis::from_redis_value_ref::<Vec<String>>(user.get("flags")?).ok())
        .unwrap_or_default();
    let has = |flag| flags.iter().any(|name| name == flag);
    if has("off") && !has("on") { Ok(()) } else { Err(error("the user `default` is not off")) }
}

/// Those that are open stay open otherwise.
pub(super) fn end_connections() -> Cmd {
    cmd("CLIENT").arg("KILL").arg("USER").arg("default").take()
}

fn error(detail: &str) -> RedisError {
    (ErrorKind::Client, "tenant isolation", detail.to_owned()).into()
}
