//! `/v1/notes`.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{IF_MATCH, IF_NONE_MATCH, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::{Note, NotesError};
use crate::events::Change;
use crate::extract::{Body, Page, json_length};
use crate::problem::Problem;
use crate::state::App;

/// Returns the routes.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(list, create)).routes(routes!(read, update, delete))
}

/// A note to create, or the changed note.
#[derive(Deserialize, ToSchema)]
#[schema(as = NoteDraft)]
#[serde(deny_unknown_fields)]
struct Draft {
    /// 1 to 4,096 characters other than U+0000.
    #[schema(min_length = 1, max_length = 4096, example = "hello")]
    text: String,
}

/// A page of notes, sorted by id.
#[derive(Serialize, ToSchema)]
struct NotesPage {
    notes: Vec<Note>,
    /// The value of `after` for the next page, or null.
    #[schema(required)]
    next: Option<Uuid>,
}

/// The id in a path, which may be malformed. A malformed id is the id of no note.
type Id = Result<Path<Uuid>, PathRejection>;

/// Lists the tenant's notes.
#[utoipa::path(get, path = "/v1/notes", tag = "notes", params(Page), responses(
    (status = 200, description = "A page", body = NotesPage),
))]
async fn list(State(app): State<App>, page: Page) -> Result<Json<NotesPage>, Problem> {
    let notes = app.notes.list(page.after, page.limit + 1).await?;
    let (notes, next) = page.cut(notes, |note| note.id, |note| json_length(&note.text));
    Ok(Json(NotesPage { notes, next }))
}

/// Creates a note.
#[utoipa::path(post, path = "/v1/notes", tag = "notes", request_body = Draft, responses(
    (status = 201, description = "The note", body = Note, headers(("Location"))),
    (status = 409, description = "notes-full"),
    (status = 422, description = "text-length, wrong-shape"),
))]
async fn create(State(app): State<App>, draft: Body<Draft>) -> Result<Response, Problem> {
    let note = app.notes.create(text(draft)?).await?;
    app.events.publish(&Change::Created(&note))?;
    let location = HeaderValue::try_from(format!("/v1/notes/{}", note.id)).map_err(|_| Problem::INTERNAL)?;
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(note)).into_response())
}

/// Reads a note.
#[utoipa::path(get, path = "/v1/notes/{id}", tag = "notes", params(
    ("id" = Uuid, Path, description = "The note's id"),
), responses(
    (status = 200, description = "The note", body = Note),
    (status = 404, description = "no-such-note"),
))]
async fn read(State(app): State<App>, id: Id) -> Result<Json<Note>, Problem> {
    app.notes.get(known(id)?).await?.map(Json).ok_or(Problem::NO_NOTE)
}

/// Changes a note's text.
#[utoipa::path(put, path = "/v1/notes/{id}", tag = "notes", params(
    ("id" = Uuid, Path, description = "The note's id"),
), request_body = Draft, responses(
    (status = 200, description = "The changed note", body = Note),
    (status = 404, description = "no-such-note"),
    (status = 412, description = "no-entity-tag"),
    (status = 422, description = "text-length, wrong-shape"),
))]
async fn update(
    State(app): State<App>,
    id: Id,
    headers: HeaderMap,
    draft: Body<Draft>,
) -> Result<Json<Note>, Problem> {
    let (id, text) = (known(id)?, text(draft)?);
    check_conditions(&app, id, &headers).await?;
    let note = app.notes.update(id, text).await?.ok_or(Problem::NO_NOTE)?;
    app.events.publish(&Change::Updated(&note))?;
    Ok(Json(note))
}

/// Deletes a note.
#[utoipa::path(delete, path = "/v1/notes/{id}", tag = "notes", params(
    ("id" = Uuid, Path, description = "The note's id"),
), responses(
    (status = 204, description = "The note is deleted"),
    (status = 404, description = "no-such-note"),
    (status = 412, description = "no-entity-tag"),
))]
async fn delete(State(app): State<App>, id: Id, headers: HeaderMap) -> Result<StatusCode, Problem> {
    let id = known(id)?;
    check_conditions(&app, id, &headers).await?;
    if !app.notes.delete(id).await? {
        return Err(Problem::NO_NOTE);
    }
    app.events.publish(&Change::Deleted(id))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Rejects preconditions with entity tags, which notes do not have (RFC 9110, section 13.1).
async fn check_conditions(app: &App, id: Uuid, headers: &HeaderMap) -> Result<(), Problem> {
    let is_any = |value: &HeaderValue| value.as_bytes().trim_ascii() == b"*";
    let fails = headers.get_all(IF_MATCH).iter().any(|value| !is_any(value))
        || headers.get_all(IF_NONE_MATCH).iter().any(is_any);
    if !fails {
        return Ok(());
    }
    app.notes.get(id).await?.ok_or(Problem::NO_NOTE)?;
    Err(Problem::NO_TAG)
}

fn known(id: Id) -> Result<Uuid, Problem> {
    id.map(|Path(id)| id).map_err(|_| Problem::NO_NOTE)
}

fn text(Body(Draft { text }): Body<Draft>) -> Result<String, Problem> {
    if Note::is_text(&text) { Ok(text) } else { Err(Problem::TEXT) }
}

impl From<NotesError> for Problem {
    fn from(error: NotesError) -> Self {
        match error {
            NotesError::Full => Self::NOTES_FULL,
            NotesError::NoRoom => Self::NO_ROOM,
            NotesError::Unavailable => Self::UNAVAILABLE,
            error => {
                tracing::error!(%error, "note store failed");
                Self::INTERNAL
            }
        }
    }
}
