//! All routes, each with its part of the OpenAPI document.

use axum::Router;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::problem::Problem;
use crate::state::App;
use crate::{agents, events, notes, openapi, page, system, tenants};

/// Returns the routes, including those of the web page and of the OpenAPI document.
pub fn router(app: App) -> Router {
    let (routes, document) = documented();
    routes
        .merge(openapi::route(document))
        .merge(page::routes())
        .fallback(async || Problem::NO_ROUTE)
        .method_not_allowed_fallback(async || Problem::METHOD)
        .with_state(app)
}

/// Returns the OpenAPI document as formatted JSON.
///
/// # Errors
///
/// None is known: the document consists of texts and numbers.
pub fn openapi_json() -> serde_json::Result<String> {
    openapi::finished(documented().1).to_pretty_json()
}

/// A route and its documentation come from the same line, so neither exists without the other.
fn documented() -> (Router<App>, OpenApi) {
    OpenApiRouter::with_openapi(openapi::blank())
        .merge(system::routes())
        .merge(notes::http::routes())
        .merge(events::http::routes())
        .merge(tenants::http::routes())
        .merge(agents::http::routes())
        .split_for_parts()
}
