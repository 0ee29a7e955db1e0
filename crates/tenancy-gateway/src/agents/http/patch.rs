//! A merge patch (RFC 7396).

use std::fmt;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};
use tenancy_agents::AgentContent;

use super::form::Draft;
use crate::extract;
use crate::problem::Problem;

/// What a patch is sent as.
const MEDIA_TYPES: &str = "application/merge-patch+json, application/json";

/// What is no patch is told what is one (RFC 5789, section 2.2).
pub(super) fn refuse_type() -> Response {
    ([("Accept-Patch", MEDIA_TYPES)], Problem::PATCH_TYPE).into_response()
}

/// Reads a patch.
pub(super) fn read(body: Result<Bytes, BytesRejection>) -> Result<Map<String, Value>, Problem> {
    let body = body.map_err(|rejection| extract::bytes_problem(&rejection))?;
    match serde_json::from_slice(&body) {
        Ok(Members(patch)) => Ok(patch),
        // What is no object would take the agent's place.
        Err(error) if error.is_data() => Err(Problem::PATCH_MEMBER),
        Err(_) => Err(Problem::SYNTAX),
    }
}

/// The members of an object, each of which is there once.
struct Members(Map<String, Value>);

struct MembersVisitor;

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = map.next_entry()? {
            if members.insert(name, value).is_some() {
                return Err(A::Error::custom("a member is there twice"));
            }
        }
        Ok(Members(members))
    }
}

/// Whether it is said to be a patch.
pub(super) fn is_patch(headers: &HeaderMap) -> bool {
    let field = headers.get(CONTENT_TYPE).and_then(|field| field.to_str().ok()).unwrap_or("");
    let media_type = field.split(';').next().unwrap_or("").trim();
    MEDIA_TYPES.split(", ").any(|known| media_type.eq_ignore_ascii_case(known))
}

/// What is said of an agent when it is patched. There is nothing in it to patch but what is said of it: of any other
/// member not even its absence is asked for.
pub(super) fn apply(content: &AgentContent, patch: Map<String, Value>) -> Result<AgentContent, Problem> {
    let Ok(Value::Object(mut content)) = serde_json::to_value(content) else {
        return Err(Problem::INTERNAL);
    };
    if !patch.keys().all(|member| content.contains_key(member)) {
        return Err(Problem::PATCH_MEMBER);
    }
    merge(&mut content, patch);
    // The form of a registration, which has a name.
    content.insert("name".to_owned(), "patched".into());
    let draft: Draft = serde_json::from_value(Value::Object(content)).map_err(|_| Problem::SHAPE)?;
    let (_name, content) = draft.read()?;
    Ok(content)
}

/// RFC 7396, section 2. No JSON that was read is nested deeper than 128.
fn merge(target: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (member, value) in patch {
        match value {
            Value::Null => {
                target.remove(&member);
            }
            Value::Object(patch) => {
                let place = target.entry(member).or_insert(Value::Null);
                if !place.is_object() {
                    *place = Value::Object(Map::new());
                }
                if let Value::Object(place) = place {
                    merge(place, patch);
                }
            }
            value => {
                target.insert(member, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Those of RFC 7396, appendix A, whose both sides are objects.
    #[test]
    fn the_cases_of_the_rfc() {
        let cases = [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!({"a":"foo"}), json!({"a":{"b":"c"}}), json!({"a":{"b":"c"}})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ];
        for (target, patch, result) in cases {
            let (Value::Object(mut target), Value::Object(patch)) = (target, patch) else {
                panic!("objects")
            };
            merge(&mut target, patch);
            assert_eq!(Value::Object(target), result);
        }
    }
}
