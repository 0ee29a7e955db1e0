//! Replies as text, in the same form for RESP2 and RESP3.

use redis::Value;

/// Returns a reply as text: `nil`, `1`, `text`, `[a b]`.
pub(crate) fn show(value: &Value) -> String {
    match value {
        Value::Nil => "nil".to_owned(),
        Value::Int(number) => number.to_string(),
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Value::SimpleString(text) | Value::VerbatimString { text, .. } => text.clone(),
        Value::Okay => "OK".to_owned(),
        Value::Double(number) => number.to_string(),
        Value::Boolean(is_set) => u8::from(*is_set).to_string(),
        Value::Array(values) => list(values.iter().map(show)),
        Value::Set(values) => {
            let mut shown: Vec<_> = values.iter().map(show).collect();
            shown.sort();
            list(shown.into_iter())
        }
        Value::Map(pairs) => list(pairs.iter().flat_map(|(key, value)| [show(key), show(value)])),
        other => format!("{other:?}"),
    }
}

fn list(words: impl Iterator<Item = String>) -> String {
    format!("[{}]", words.collect::<Vec<_>>().join(" "))
}
