//! The script and the style of the page.

use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

pub(super) fn script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("assets/page.js"))
}

pub(super) fn style() -> Response {
    file("text/css; charset=utf-8", include_str!("assets/page.css"))
}

fn file(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static(kind))], text).into_response()
}
