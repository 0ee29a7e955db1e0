//! `/v1/notes`.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Note, NotesError};
use crate::app::App;
use crate::events::Change;
use crate::extract::{Body, Page};
use crate::problem::Problem;

const LONGEST_TEXT: usize = 4096;

/// The routes.
pub fn routes() -> Router<App> {
    Router::new()
        .route("/v1/notes", get(list).post(create))
        .route("/v1/notes/{id}", get(read).put(update).delete(delete))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    text: String,
}

#[derive(Serialize)]
struct NotesPage {
    notes: Vec<Note>,
    next: Option<Uuid>,
}

/// What is no id is no note's.
type Id = Result<Path<Uuid>, PathRejection>;

async fn list(State(app): State<App>, page: Page) -> Result<Json<NotesPage>, Problem> {
    let notes = app.notes.list(page.after, page.limit + 1).await?;
    let (notes, next) = page.cut(notes, |note| note.id, |note| note.text.len());
    Ok(Json(NotesPage { notes, next }))
}

async fn create(State(app): State<App>, draft: Body<Draft>) -> Result<Response, Problem> {
    let note = app.notes.create(text(draft)?).await?;
    app.events.publish(&Change::Created(&note))?;
    let location = HeaderValue::try_from(format!("/v1/notes/{}", note.id)).map_err(|_| Problem::INTERNAL)?;
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(note)).into_response())
}

async fn read(State(app): State<App>, id: Id) -> Result<Json<Note>, Problem> {
    app.notes.get(known(id)?).await?.map(Json).ok_or(Problem::NO_NOTE)
}

async fn update(State(app): State<App>, id: Id, draft: Body<Draft>) -> Result<Json<Note>, Problem> {
    let note = app.notes.update(known(id)?, text(draft)?).await?.ok_or(Problem::NO_NOTE)?;
    app.events.publish(&Change::Updated(&note))?;
    Ok(Json(note))
}

async fn delete(State(app): State<App>, id: Id) -> Result<StatusCode, Problem> {
    let id = known(id)?;
    if !app.notes.delete(id).await? {
        return Err(Problem::NO_NOTE);
    }
    app.events.publish(&Change::Deleted(id))?;
    Ok(StatusCode::NO_CONTENT)
}

fn known(id: Id) -> Result<Uuid, Problem> {
    id.map(|Path(id)| id).map_err(|_| Problem::NO_NOTE)
}

fn text(Body(Draft { text }): Body<Draft>) -> Result<String, Problem> {
    let is_one = (1..=LONGEST_TEXT).contains(&text.chars().count()) && !text.contains('\0');
    if is_one { Ok(text) } else { Err(Problem::TEXT) }
}

impl From<NotesError> for Problem {
    fn from(error: NotesError) -> Self {
        match error {
            NotesError::Full => Self::NOTES_FULL,
            NotesError::Unavailable => Self::UNAVAILABLE,
            error => {
                tracing::error!(%error, "notes");
                Self::INTERNAL
            }
        }
    }
}
