//! The paths of the page.

pub(super) const HOME: &str = "/";
pub(super) const SIGN_IN: &str = "/sign-in";
pub(super) const SIGN_OUT: &str = "/sign-out";
pub(super) const SCRIPT: &str = "/page.js";
pub(super) const STYLE: &str = "/page.css";
