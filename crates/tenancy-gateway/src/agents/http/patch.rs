//! Merge patches (RFC 7396).

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};
use tenancy_agents::AgentContent;

use super::form::Draft;
use crate::problem::Problem;
use crate::{extract, json};

/// The accepted media types.
const MEDIA_TYPES: &str = "application/merge-patch+json, application/json";

/// Rejects a body of another type, and names the accepted ones (RFC 5789, section 2.2).
pub(super) fn refuse_type() -> Response {
    ([("Accept-Patch", MEDIA_TYPES)], Problem::PATCH_TYPE).into_response()
}

/// Reads a patch. One that is not an object would replace the whole agent.
pub(super) fn read(body: Result<Bytes, BytesRejection>) -> Result<Map<String, Value>, Problem> {
    json::parse_object(&body.map_err(|rejection| extract::bytes_problem(&rejection))?)
}

/// Returns whether the body is declared as a patch.
pub(super) fn is_patch(headers: &HeaderMap) -> bool {
    let field = headers.get(CONTENT_TYPE).and_then(|field| field.to_str().ok()).unwrap_or("");
    let media_type = field.split(';').next().unwrap_or("").trim();
    MEDIA_TYPES.split(", ").any(|known| media_type.eq_ignore_ascii_case(known))
}

/// Returns the content of a patched agent. Only members of the content can be patched; a patch with another member is
/// rejected, even if it would remove it.
pub(super) fn apply(content: &AgentContent, patch: Map<String, Value>) -> Result<AgentContent, Problem> {
    let mut content = serde_json::to_value(content).map_err(|_| Problem::INTERNAL)?;
    if !patch.keys().all(|member| content.get(member).is_some()) {
        return Err(Problem::PATCH_MEMBER);
    }
    // No JSON that was parsed is nested deeper than 128, so the recursion is limited.
    json_patch::merge(&mut content, &Value::Object(patch));
    // A draft has a name.
    content["name"] = "patched".into();
    let draft: Draft = json::from_value(content)?;
    let (_name, content) = draft.read()?;
    Ok(content)
}
