//! The web page at `/`, which shows the agents of a tenant.
//!
//! Browsers send a cookie, and the API accepts none. The [layer](gate()) before [`auth`](crate::middleware::auth) turns
//! the cookie of a session into a principal and an `X-Tenant-ID`, for the paths of the page only. Everything behind the
//! layer is the same for the page as for the API: authorization, the tenant's status, the rate limit, and the context.

mod asset;
mod cookie;
mod gate;
mod headers;
mod home;
mod html;
mod model;
mod origin;
mod paths;
mod query;
mod session;
mod sign_in;

use axum::Router;
use axum::routing::{get, post};

use crate::state::App;
use paths::{HOME, SIGN_IN};

pub use gate::{PageLayer, gate};

/// Returns the routes behind the tenant layer. The page's own layer responds to its other paths.
pub fn routes() -> Router<App> {
    Router::new().route(HOME, get(home::home)).route(SIGN_IN, post(sign_in::open))
}
