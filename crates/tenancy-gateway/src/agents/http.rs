//! `/v1/agents`, and the platform's word on them. No handler is told a tenant, but for the platform's decisions.

mod card;
mod decide;
mod etag;
mod form;
mod list;
mod one;
mod patch;
mod problem;
mod register;
mod steps;
mod view;

use axum::extract::DefaultBodyLimit;
use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::middleware::from_fn;
use tenancy_agents::AgentId;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use crate::app::App;
use crate::problem::Problem;
use crate::tenants::http::platform_only;

/// A card of 64 KiB fits, in whatever way the text of its JSON is written, and the other members with it.
const LARGEST_AGENT: usize = 400 * 1024;

/// The routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(list::list, register::register))
        .routes(routes!(list::count))
        .routes(routes!(list::find))
        .routes(routes!(register::from_card))
        .routes(routes!(one::by_name))
        .routes(routes!(one::read, one::update, one::delete))
        .routes(routes!(card::card))
        .routes(routes!(steps::submit))
        .routes(routes!(steps::suspend))
        .routes(routes!(steps::resume))
        .routes(routes!(steps::deprecate))
        .routes(routes!(steps::heartbeat))
        .layer(DefaultBodyLimit::max(LARGEST_AGENT))
        .merge(decisions())
}

/// What they need is checked around them, so that none can forget it.
fn decisions() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(decide::approve))
        .routes(routes!(decide::reject))
        .route_layer(from_fn(platform_only))
}

/// What is no id is no agent's.
type Id = Result<Path<Uuid>, PathRejection>;

fn known(id: Id) -> Result<AgentId, Problem> {
    id.map(|Path(id)| AgentId::from_uuid(id)).map_err(|_| Problem::NO_AGENT)
}
