//! Errors of the server, without the tenant's prefix.

use redis::{RedisError, ServerError, Value, parse_redis_value};

use crate::prefix::Prefix;

/// The error, with the keys that it names as the tenant knows them.
///
/// What redis-rs gathers for a transaction that was not run can't be made anew, and stays as it is: the server
/// names no key in it but those of a command that it does not know.
#[cold]
pub(crate) fn strip(error: RedisError, prefix: &Prefix) -> RedisError {
    match ServerError::try_from(error) {
        Ok(mut error) => {
            strip_server_error(&mut error, prefix);
            error.into()
        }
        Err(error) => error,
    }
}

/// The same of an error in a reply.
#[cold]
pub(crate) fn strip_server_error(error: &mut ServerError, prefix: &Prefix) {
    let named = std::str::from_utf8(prefix.as_bytes()).unwrap_or_default();
    let Some(detail) = error.details().filter(|detail| detail.contains(named)) else { return };
    let text = format!("{} {}", error.code(), detail.replace(named, ""));
    // Its parser alone makes each kind of them.
    let reply = format!("!{}\r\n{text}\r\n", text.len());
    if let Ok(Value::ServerError(stripped)) = parse_redis_value(reply.as_bytes()) {
        *error = stripped;
    }
}

#[cfg(test)]
mod tests {
    use redis::ServerErrorKind;
    use tenancy::TenantId;

    use super::*;

    fn parsed(text: &str) -> ServerError {
        match parse_redis_value(format!("!{}\r\n{text}\r\n", text.len()).as_bytes()) {
            Ok(Value::ServerError(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_prefix_goes_and_the_code_stays() {
        const OWN: &str = "t:00000000000000000000000000000001:";
        let prefix = Prefix::new(TenantId::PLATFORM);
        for (code, kind) in [
            ("ERR", Some(ServerErrorKind::ResponseError)),
            ("NOSCRIPT", Some(ServerErrorKind::NoScript)),
            ("EXECABORT", Some(ServerErrorKind::ExecAbort)),
            ("MOVED", Some(ServerErrorKind::Moved)),
            ("NOGROUP", None),
        ] {
            let error = parsed(&format!("{code} No such key '{OWN}s' or '{OWN}' or\r\n '{OWN}\u{e9}'"));
            let stripped = ServerError::try_from(strip(error.into(), &prefix)).expect("the server's");
            assert_eq!((stripped.code(), stripped.kind()), (code, kind));
            assert_eq!(stripped.details(), Some("No such key 's' or '' or\r\n '\u{e9}'"));
        }
    }

    #[test]
    fn another_error_stays_as_it_is() {
        let prefix = Prefix::new(TenantId::PLATFORM);
        for text in ["ERR", "ERR no such key", "NOGROUP No such key 't:00000000000000000000000000000002:s'"] {
            let mut error = parsed(text);
            strip_server_error(&mut error, &prefix);
            assert_eq!(error, parsed(text));
        }
        let io = strip(std::io::Error::other("reset").into(), &prefix);
        assert!(io.is_io_error());
    }
}
