//! What handlers take from a request: where it makes no sense, the answer is a problem.

use axum::extract::rejection::{BytesRejection, FailedToBufferBody, JsonRejection};
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::object::Object;
use crate::problem::Problem;

/// A JSON object as the body.
pub(crate) struct Body<T>(pub(crate) T);

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// How many.
    #[serde(default = "Page::usual_limit")]
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub(crate) limit: usize,
    /// Those with a greater id than this.
    pub(crate) after: Option<Uuid>,
}

impl Page {
    /// The most items.
    pub(crate) const MOST: usize = 200;

    /// What is taken where no limit is said.
    pub(crate) const fn usual_limit() -> usize {
        50
    }

    /// A page has no more bytes than this, or one item: what one request may keep in memory.
    pub(crate) const MOST_BYTES: usize = 256 * 1024;

    /// What fits the page, out of one more than that: and behind which id the next page begins, if there is
    /// one.
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

/// How many bytes a text has between the quotes of JSON, which escapes some of it.
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
        match axum::Json::from_request(request, state).await {
            Ok(axum::Json(Object(body))) => Ok(Self(body)),
            Err(rejection) => Err(problem(&rejection)),
        }
    }
}

fn problem(rejection: &JsonRejection) -> Problem {
    match rejection {
        JsonRejection::MissingJsonContentType(_) => Problem::CONTENT_TYPE,
        JsonRejection::JsonSyntaxError(_) => Problem::SYNTAX,
        JsonRejection::JsonDataError(_) => Problem::SHAPE,
        JsonRejection::BytesRejection(rejection) => bytes_problem(rejection),
        _ => Problem::BODY,
    }
}

/// Why a body was not read.
pub(crate) fn bytes_problem(rejection: &BytesRejection) -> Problem {
    match rejection {
        BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => Problem::TOO_LARGE,
        _ => Problem::BODY,
    }
}
