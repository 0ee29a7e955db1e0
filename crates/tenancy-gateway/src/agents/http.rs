//! `/v1/agents`, and the platform's decisions. Only decisions name a tenant; the other handlers act for the current one.

mod etag;
mod form;
mod id;
mod list;
mod one;
mod patch;
mod problem;
mod register;
mod transitions;
mod view;

use axum::middleware::from_fn;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::middleware::platform::platform_only;
use crate::state::App;

/// Returns the routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(list::list, register::register))
        .routes(routes!(list::count))
        .routes(routes!(list::find))
        .routes(routes!(register::from_card))
        .routes(routes!(one::by_name))
        .routes(routes!(one::read, one::update, one::delete))
        .routes(routes!(one::card))
        .routes(routes!(one::heartbeat))
        .merge(transitions::of_the_tenant())
        // One layer checks the caller of all decisions, so that no handler can omit the check.
        .merge(transitions::of_the_platform().route_layer(from_fn(platform_only)))
}
