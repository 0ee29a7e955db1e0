//! The page `/`: the agents of a tenant, to look at in a browser.
//!
//! A browser has a cookie, and the API knows none: the [gate](gate()) stands before [`auth`](crate::auth), and turns
//! the cookie of a session into a principal and an `X-Tenant-ID`, for the paths of the page and no other. What comes
//! behind it is the same for the page as for the API: who may act for which tenant, whether that is active, how often,
//! and the context that the page's handler reads.

mod asset;
mod cookie;
mod gate;
mod headers;
mod home;
mod html;
mod origin;
mod query;
mod session;
mod sign_in;

use axum::Router;
use axum::routing::{get, post};

use crate::app::App;

pub use gate::{PageGate, gate};

const HOME: &str = "/";
const SIGN_IN: &str = "/sign-in";
const SIGN_OUT: &str = "/sign-out";
const SCRIPT: &str = "/page.js";
const STYLE: &str = "/page.css";

/// What stands behind the tenant layer. The rest the gate answers itself.
pub fn routes() -> Router<App> {
    Router::new().route(HOME, get(home::home)).route(SIGN_IN, post(sign_in::open))
}
