//! Replies with the names that the tenant knows.

use redis::Value;

use crate::errors::strip_server_error;
use crate::prefix::Prefix;
use crate::refusal::Refusal;

/// Where a reply holds keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reply {
    /// Nowhere.
    Plain,
    /// It is made of keys.
    Keys,
    /// A cursor and keys.
    Scan,
    /// A key and what was taken from it, or nothing.
    Popped,
    /// Pairs of a key and its entries, as an array or a map, or nothing.
    Streams,
}

impl Reply {
    /// Takes the tenant's prefix off each key.
    ///
    /// # Errors
    ///
    /// [`Refusal::Reply`] where a key is not the tenant's, or the shape not the command's.
    #[inline]
    pub(crate) fn strip(self, value: &mut Value, prefix: &Prefix) -> Result<(), Refusal> {
        match (self, value) {
            (_, Value::ServerError(error)) => strip_server_error(error, prefix),
            (Self::Plain, _) => {}
            (_, value) => self.strip_keys(value, prefix)?,
        }
        Ok(())
    }

    fn strip_keys(self, value: &mut Value, prefix: &Prefix) -> Result<(), Refusal> {
        without_attributes(value);
        match (self, value) {
            // An error holds no value.
            (_, Value::ServerError(error)) => strip_server_error(error, prefix),
            (Self::Plain, _) | (Self::Popped | Self::Streams, Value::Nil) => {}
            (Self::Keys, Value::Array(keys) | Value::Set(keys)) => strip_all(keys, prefix)?,
            (Self::Scan, Value::Array(parts)) => match &mut parts[..] {
                [_, Value::Array(keys) | Value::Set(keys)] => strip_all(keys, prefix)?,
                _ => return Err(Refusal::Reply),
            },
            (Self::Popped, Value::Array(parts)) => match &mut parts[..] {
                [key, _] | [key, _, _] => strip(key, prefix)?,
                _ => return Err(Refusal::Reply),
            },
            (Self::Streams, Value::Array(streams)) => strip_pairs(streams, prefix)?,
            (Self::Streams, Value::Map(streams)) => {
                streams.iter_mut().try_for_each(|(key, _)| strip(key, prefix))?;
            }
            _ => return Err(Refusal::Reply),
        }
        Ok(())
    }
}

/// The replies of a pipeline; those of a transaction come as one.
///
/// # Errors
///
/// As [`Reply::strip`], or where there are more or fewer than commands.
pub(crate) fn strip_pipeline(
    kinds: &[Reply],
    transaction: bool,
    values: &mut [Value],
    prefix: &Prefix,
) -> Result<(), Refusal> {
    let results = match (transaction, values) {
        (false, values) => values,
        (true, [Value::Array(results)]) => results,
        (true, [Value::ServerError(error)]) => {
            strip_server_error(error, prefix);
            return Ok(());
        }
        // Not run.
        (true, [Value::Nil]) => return Ok(()),
        (true, _) => return Err(Refusal::Reply),
    };
    if kinds.len() != results.len() {
        return Err(Refusal::Reply);
    }
    kinds.iter().zip(results).try_for_each(|(kind, value)| kind.strip(value, prefix))
}

/// What is said about a reply may name keys, and redis-rs reads none of it.
fn without_attributes(value: &mut Value) {
    while let Value::Attribute { data, .. } = value {
        *value = std::mem::replace(&mut **data, Value::Nil);
    }
}

fn strip_pairs(pairs: &mut [Value], prefix: &Prefix) -> Result<(), Refusal> {
    for pair in pairs {
        match pair {
            Value::Array(parts) => match &mut parts[..] {
                [key, _] => strip(key, prefix)?,
                _ => return Err(Refusal::Reply),
            },
            _ => return Err(Refusal::Reply),
        }
    }
    Ok(())
}

fn strip_all(keys: &mut [Value], prefix: &Prefix) -> Result<(), Refusal> {
    keys.iter_mut().try_for_each(|key| strip(key, prefix))
}

fn strip(key: &mut Value, prefix: &Prefix) -> Result<(), Refusal> {
    let Value::BulkString(bytes) = key else { return Err(Refusal::Reply) };
    let own = prefix.strip(bytes)?.len();
    bytes.drain(..bytes.len() - own);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenancy::TenantId;

    const OWN: &[u8] = b"t:00000000000000000000000000000001:k";
    const FOREIGN: &[u8] = b"t:00000000000000000000000000000002:k";

    fn bulk(bytes: &[u8]) -> Value {
        Value::BulkString(bytes.to_vec())
    }

    /// A reply of each shape, of one key.
    fn replies(key: &[u8]) -> Vec<(Reply, Value)> {
        let pair = || Value::Array(vec![bulk(key), Value::Array(vec![Value::Int(1)])]);
        vec![
            (Reply::Keys, Value::Array(vec![bulk(key)])),
            (Reply::Keys, Value::Set(vec![bulk(key)])),
            (Reply::Scan, Value::Array(vec![bulk(b"0"), Value::Array(vec![bulk(key)])])),
            (Reply::Popped, pair()),
            (Reply::Streams, Value::Array(vec![pair()])),
            (Reply::Streams, Value::Map(vec![(bulk(key), Value::Array(vec![]))])),
        ]
    }

    fn prefix() -> Prefix {
        Prefix::new(TenantId::PLATFORM)
    }

    fn stripped(kind: Reply, mut value: Value) -> Result<Value, Refusal> {
        kind.strip(&mut value, &prefix()).map(|()| value)
    }

    #[test]
    fn own_keys_lose_their_prefix() {
        for ((kind, with), (_, without)) in replies(OWN).into_iter().zip(replies(b"k")) {
            assert_eq!(stripped(kind, with), Ok(without));
        }
    }

    #[test]
    fn a_foreign_or_bare_key_is_an_error() {
        for key in [FOREIGN, b"k", b"", &OWN[..34]] {
            for (kind, value) in replies(key) {
                assert_eq!(stripped(kind, value), Err(Refusal::Reply));
            }
        }
    }

    #[test]
    fn another_shape_is_an_error() {
        let mut shapes: Vec<_> = replies(OWN).into_iter().map(|(_, value)| value).collect();
        shapes.extend([bulk(OWN), Value::Okay, Value::Int(1), Value::SimpleString("k".into()), Value::Nil]);
        let accepted =
            |kind: Reply| shapes.iter().filter(|value| stripped(kind, (*value).clone()).is_ok()).count();
        assert_eq!(accepted(Reply::Plain), shapes.len());
        assert_eq!(accepted(Reply::Keys), 2);
        assert_eq!(accepted(Reply::Scan), 1);
        assert_eq!(accepted(Reply::Popped), 2, "a key and its entries, or nothing");
        assert_eq!(accepted(Reply::Streams), 3);
    }

    #[test]
    fn a_pipeline_has_as_many_replies_as_commands() {
        let kinds = [Reply::Plain, Reply::Keys];
        let values = || vec![Value::Okay, Value::Array(vec![bulk(OWN)])];
        let stripped = vec![Value::Okay, Value::Array(vec![bulk(b"k")])];
        let strip = |transaction, mut values: Vec<Value>| {
            strip_pipeline(&kinds, transaction, &mut values, &prefix()).map(|()| values)
        };
        assert_eq!(strip(false, values()), Ok(stripped.clone()));
        assert_eq!(strip(true, vec![Value::Array(values())]), Ok(vec![Value::Array(stripped)]));
        assert_eq!(strip(true, vec![Value::Nil]), Ok(vec![Value::Nil]));
        assert_eq!(strip(false, values()[..1].to_vec()), Err(Refusal::Reply));
        assert_eq!(strip(true, values()), Err(Refusal::Reply));
        assert_eq!(strip(true, vec![Value::Array(values()[..1].to_vec())]), Err(Refusal::Reply));
    }
}
