//! The OpenAPI 3.1 document, without the routes.

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use serde::Serialize;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response, SecurityRequirement};
use utoipa::{OpenApi as _, ToSchema};
use uuid::Uuid;

use crate::paths::{self, OPENAPI};
use crate::problem::Checks;
use crate::state::App;

/// The statuses of all routes: the middleware sends them.
const COMMON: [(&str, &str); 10] = [
    ("400", "The request is malformed, or names no tenant"),
    ("401", "The caller is unknown"),
    ("403", "The caller may not act for the tenant"),
    ("404", "The tenant does not exist"),
    ("408", "The request took too long"),
    ("413", "The body is too large"),
    ("421", "The request's host is not allowed for the demo's tokens"),
    ("429", "The tenant's rate limit"),
    ("500", "Internal error"),
    ("503", "A store does not answer"),
];

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "gateway", description = "Agents and notes of several isolated tenants."),
    components(schemas(ProblemView)),
    tags(
        (name = "agents", description = "The tenant's agents, and shared agents of the platform"),
        (name = "notes", description = "The tenant's notes"),
        (name = "tenants", description = "All tenants, for the platform tenant only"),
        (name = "service", description = "The service itself"),
    ),
)]
struct Blank;

/// A problem of RFC 9457. It contains nothing from the request.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
#[allow(dead_code, reason = "the document uses its types")]
struct ProblemView {
    /// The kind of problem, for example `urn:problem-type:gateway:no-such-agent`. Kinds are stable.
    r#type: String,
    title: String,
    status: u16,
    detail: String,
    /// For `invalid-transition`: the agent's status.
    from: Option<String>,
    /// For `invalid-transition`: the requested status.
    to: Option<String>,
    /// For `agent-form` and `wrong-shape`: the invalid member, if it is one of the schema.
    member: Option<String>,
    /// For `agent-form` and `wrong-shape`: the rule that is broken.
    rule: Option<String>,
    /// For `not-ready`, for members of the platform tenant: the results of the checks.
    checks: Option<Checks>,
    /// For `name-held`, which only the platform receives: the tenant with the lowest id that has the name.
    holder: Option<Uuid>,
    /// For `name-held`: the number of other tenants that have the name.
    others: Option<u64>,
}

/// Returns a document without routes, whose requests need a token and a tenant.
pub(crate) fn blank() -> OpenApi {
    let mut document = Blank::openapi();
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
    components.add_security_scheme("token", SecurityScheme::Http(bearer));
    let tenant = ApiKeyValue::with_description("X-Tenant-ID", "The tenant that the caller acts for: a UUID");
    components.add_security_scheme("tenant", SecurityScheme::ApiKey(ApiKey::Header(tenant)));
    let both =
        SecurityRequirement::new::<_, [&str; 0], &str>("token", []).add::<_, [&str; 0], &str>("tenant", []);
    document.security = Some(vec![both]);
    document
}

/// Returns the route of the document. The document does not contain it.
pub(crate) fn route(document: OpenApi) -> Router<App> {
    // The document consists of texts and numbers, so it can be serialized.
    let json = Bytes::from(finished(document).to_json().unwrap_or_default());
    Router::new().route(OPENAPI, get(async move || ([(CONTENT_TYPE, "application/json")], json.clone())))
}

/// Adds what is the same for all routes.
pub(crate) fn finished(mut document: OpenApi) -> OpenApi {
    for (path, item) in &mut document.paths.paths {
        let is_open = paths::is_open(path);
        for operation in operations(item) {
            if !is_open {
                add_common(operation);
            }
            add_content_type(operation);
            problems_are_json(operation);
            name(operation);
        }
    }
    document
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let all = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
    all.into_iter().flatten()
}

fn add_common(operation: &mut Operation) {
    for (status, description) in COMMON {
        let responses = &mut operation.responses.responses;
        responses.entry(status.to_owned()).or_insert_with(|| RefOr::T(Response::new(description)));
    }
}

/// Documents that a body of another type is rejected.
fn add_content_type(operation: &mut Operation) {
    if operation.request_body.is_some() {
        let response = || RefOr::T(Response::new("content-type"));
        operation.responses.responses.entry("415".to_owned()).or_insert_with(response);
    }
}

/// Documents that all errors are problems.
fn problems_are_json(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with(['4', '5'])
        {
            let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
            response.content.insert("application/problem+json".to_owned(), RefOr::T(problem));
        }
    }
}

/// Adds the tag to the operation's id: several functions are named `list`, and ids must be unique.
fn name(operation: &mut Operation) {
    if let (Some(tags), Some(id)) = (&operation.tags, &mut operation.operation_id)
        && let [tag] = &tags[..]
    {
        *id = format!("{tag}_{id}");
    }
}
