//! Strict parsing of JSON bodies.

use std::fmt;

use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

use crate::problem::{More, Problem};

/// The members of all bodies. A problem contains a name from this list, and never a text from the request.
const MEMBERS: [&str; 13] = [
    "capabilities",
    "card",
    "description",
    "display_name",
    "endpoint",
    "id",
    "name",
    "owner",
    "slug",
    "text",
    "tier",
    "version",
    "visibility",
];

const DUPLICATE: &str = "duplicate member";

/// Parses a body that is an object, of which no object has two members with the same name.
pub(crate) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    from_value(Value::Object(parse_object(body)?))
}

/// Parses an object without duplicate members.
pub(crate) fn parse_object(body: &[u8]) -> Result<Map<String, Value>, Problem> {
    match serde_json::from_slice(body) {
        Ok(Unique(Value::Object(object))) => Ok(object),
        Ok(_) => Err(shape(None, "not an object")),
        Err(error) if error.is_data() => Err(shape(None, DUPLICATE)),
        // serde_json has no other sign of it.
        Err(error) if error.to_string().starts_with("recursion limit exceeded") => Err(Problem::TOO_DEEP),
        Err(_) => Err(Problem::SYNTAX),
    }
}

/// Converts a parsed body.
pub(crate) fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        // The message may contain a part of the request, except after these words.
        let message = error.inner().to_string();
        let quoted = |prefix| message.strip_prefix(prefix)?.split('`').next();
        if let Some(member) = quoted("missing field `") {
            return shape(known(member), "missing member");
        }
        if message.starts_with("unknown field `") {
            return shape(None, "unknown member");
        }
        let member = error.path().iter().next().and_then(|segment| match segment {
            Segment::Map { key } => known(key),
            _ => None,
        });
        shape(member, "wrong type or value")
    })
}

fn known(name: &str) -> Option<&'static str> {
    MEMBERS.into_iter().find(|member| *member == name)
}

fn shape(member: Option<&'static str>, rule: &'static str) -> Problem {
    Problem::SHAPE.with(More::Shape { member, rule })
}

/// A value in which no object has two members with the same name.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, Unique(value))) = members.next_entry::<String, _>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom(DUPLICATE));
            }
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        name: String,
        #[serde(default)]
        card: Option<Map<String, Value>>,
    }

    fn rejected(body: &str) -> Problem {
        parse::<Body>(body.as_bytes()).expect_err(body)
    }

    #[test]
    fn parses_objects() {
        let body: Body = parse(br#"{"name":"a","card":{"b":[1,-1,1.5,null,true,"c"]}}"#).unwrap();
        assert_eq!((&*body.name, body.card.unwrap()["b"][2].as_f64()), ("a", Some(1.5)));
    }

    #[test]
    fn names_the_member_of_the_schema() {
        assert_eq!(rejected("{}"), shape(Some("name"), "missing member"));
        assert_eq!(rejected(r#"{"name":1}"#), shape(Some("name"), "wrong type or value"));
        assert_eq!(rejected(r#"{"name":"a","card":[]}"#), shape(Some("card"), "wrong type or value"));
        assert_eq!(rejected(r#"{"name":"a","evil":1}"#), shape(None, "unknown member"));
        assert_eq!(rejected(r#"["a",null]"#), shape(None, "not an object"));
    }

    #[test]
    fn rejects_duplicates_at_every_level() {
        for body in [
            r#"{"name":"a","name":"a"}"#,
            r#"{"name":"a","card":{"b":1,"b":1}}"#,
            r#"{"name":"a","card":{"b":[{"c":1,"c":2}]}}"#,
        ] {
            assert_eq!(rejected(body), shape(None, DUPLICATE), "{body}");
        }
    }

    #[test]
    fn distinguishes_deep_from_malformed() {
        let nested = |depth: usize| format!("{{\"card\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(rejected(&nested(126)), shape(Some("card"), "wrong type or value"));
        assert_eq!(rejected(&nested(127)), Problem::TOO_DEEP);
        for body in ["", "{", "{\"name\":}", "nul", "{\"name\":\"a\"} x", "[[", "\u{0}"] {
            assert_eq!(rejected(body), Problem::SYNTAX, "{body}");
        }
    }
}
