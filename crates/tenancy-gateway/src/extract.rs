//! Extractors whose rejections are problems.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::json;
use crate::problem::Problem;

/// A JSON object as the body.
pub(crate) struct Body<T>(pub(crate) T);

/// The page of a list.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// Maximum number of items.
    #[serde(default = "Page::usual_limit")]
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub(crate) limit: usize,
    /// Only items with a greater id: `next` of the previous page.
    pub(crate) after: Option<Uuid>,
}

impl Page {
    /// The maximum of `limit`.
    pub(crate) const MOST: usize = 200;

    /// The default of `limit`.
    pub(crate) const fn usual_limit() -> usize {
        50
    }

    /// The maximum number of bytes of a page with several items, which limits the memory of a request.
    pub(crate) const MOST_BYTES: usize = 256 * 1024;

    /// Returns the items of the page, out of one more than `limit`, and the value of `after` for the next page.
    pub(crate) fn cut<T, I>(
        self,
        mut items: Vec<T>,
        id: impl Fn(&T) -> I,
        size: impl Fn(&T) -> usize,
    ) -> (Vec<T>, Option<I>) {
        let mut bytes = 0;
        let fit = items.iter().take_while(|item| {
            bytes += size(item);
            bytes <= Self::MOST_BYTES
        });
        let fit = fit.count().clamp(1, self.limit);
        let is_last = items.len() <= fit;
        items.truncate(fit);
        let next = if is_last { None } else { items.last().map(id) };
        (items, next)
    }
}

/// Returns the length of a text as JSON, without the quotes.
pub(crate) fn json_length(text: &str) -> usize {
    serde_json::to_string(text).map_or(text.len(), |json| json.len() - 2)
}

impl<S: Sync> FromRequestParts<S> for Page {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        let Query(page) = Query::<Self>::try_from_uri(&parts.uri).map_err(|_| Problem::QUERY)?;
        if (1..=Self::MOST).contains(&page.limit) { Ok(page) } else { Err(Problem::QUERY) }
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::CONTENT_TYPE);
        }
        let body = Bytes::from_request(request, state).await;
        json::parse(&body.map_err(|rejection| bytes_problem(&rejection))?).map(Self)
    }
}

/// Returns whether the body is declared as `application/json` or as another type with JSON syntax.
fn is_json(headers: &HeaderMap) -> bool {
    let field = headers.get(CONTENT_TYPE).and_then(|field| field.to_str().ok()).unwrap_or_default();
    let media_type = field.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type == "application/json"
        || media_type.strip_prefix("application/").is_some_and(|subtype| subtype.ends_with("+json"))
}

/// Returns the problem of a body that could not be read.
pub(crate) fn bytes_problem(rejection: &BytesRejection) -> Problem {
    match rejection {
        BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => Problem::TOO_LARGE,
        _ => Problem::BODY,
    }
}
