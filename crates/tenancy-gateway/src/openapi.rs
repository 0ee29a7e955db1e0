//! The document of the routes: OpenAPI 3.1.

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

use crate::app::{self, App};

/// Where it is. It says nothing of any tenant, so that nobody has to be known who reads it.
pub const PATH: &str = "/openapi.json";

/// What each answer to a caller may be, whatever the route: what stands around the routes gives it.
const COMMON: [(&str, &str); 10] = [
    ("400", "The tenant is not named, or the request makes no sense"),
    ("401", "Who calls is not known"),
    ("403", "The caller may not act for the tenant"),
    ("404", "There is no such tenant"),
    ("408", "The request took too long"),
    ("413", "The body is too large"),
    ("421", "This is taken for a site, and its tokens are the demo's"),
    ("429", "The tenant's limit"),
    ("500", "Something broke"),
    ("503", "What things are kept in does not answer"),
];

#[derive(utoipa::OpenApi)]
#[openapi(
    info(title = "gateway", description = "Tenants that share one process, and nothing else."),
    components(schemas(ProblemView)),
    tags(
        (name = "agents", description = "The tenant's agents, and those that the platform shares with it"),
        (name = "notes", description = "The tenant's notes"),
        (name = "tenants", description = "All tenants, for the platform tenant alone"),
        (name = "service", description = "The service itself"),
    ),
)]
struct Blank;

/// A problem of RFC 9457. Nothing of the request is in it.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
#[allow(dead_code, reason = "the document reads its types")]
struct ProblemView {
    /// What kind it is: `urn:problem-type:gateway:no-such-agent`, say. It stays the same.
    r#type: String,
    title: String,
    status: u16,
    detail: String,
    /// Of `invalid-transition`: what the agent is.
    from: Option<String>,
    /// Of `invalid-transition`: what it should have become.
    to: Option<String>,
    /// Of `agent-form`: which member it is about.
    member: Option<String>,
    /// Of `agent-form`: what is wrong with it.
    rule: Option<String>,
    /// Of `name-held`, which the platform alone hears: the tenant with the least id that has the name.
    holder: Option<Uuid>,
    /// Of `name-held`: how many have it besides.
    others: Option<u64>,
}

/// A document without routes: who asks has a token, and names a tenant.
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

/// The document of all routes.
pub fn document() -> OpenApi {
    finished(app::documented().1)
}

/// The document as JSON text.
///
/// # Errors
///
/// None that is known: it is made of texts and numbers.
pub fn json() -> serde_json::Result<String> {
    document().to_pretty_json()
}

/// Serves it. It is no part of itself.
pub(crate) fn route(document: &OpenApi) -> Router<App> {
    // It is made of texts and numbers alone.
    let json = Bytes::from(finished(document.clone()).to_json().unwrap_or_default());
    Router::new().route(PATH, get(async move || ([(CONTENT_TYPE, "application/json")], json.clone())))
}

/// With what is said of all routes alike.
fn finished(mut document: OpenApi) -> OpenApi {
    for (path, item) in &mut document.paths.paths {
        let is_open = app::OPEN.contains(&path.as_str());
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

/// Whoever takes a body takes it by its type.
fn add_content_type(operation: &mut Operation) {
    if operation.request_body.is_some() {
        let response = || RefOr::T(Response::new("content-type"));
        operation.responses.responses.entry("415".to_owned()).or_insert_with(response);
    }
}

/// All that is refused is refused by a problem.
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

/// By its tag as well: a function is called `list` in more than one place, and an id is there once.
fn name(operation: &mut Operation) {
    if let (Some(tags), Some(id)) = (&operation.tags, &mut operation.operation_id)
        && let [tag] = &tags[..]
    {
        *id = format!("{tag}_{id}");
    }
}
