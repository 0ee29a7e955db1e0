//! An agent's A2A card.

use axum::Json;
use axum::extract::State;
use tenancy_agents::A2aCard;

use super::view::CardView;
use super::{Id, known};
use crate::app::App;
use crate::problem::Problem;

/// An agent's A2A agent card: the one that it has, with what has been said otherwise since, or one of what there is.
#[utoipa::path(get, path = "/v1/agents/{id}/card", tag = "agents", params(
    ("id" = Uuid, Path, description = "The agent's id"),
), responses(
    (status = 200, description = "The card", body = CardView),
    (status = 404, description = "no-such-agent"),
))]
pub(super) async fn card(State(app): State<App>, id: Id) -> Result<Json<A2aCard>, Problem> {
    let agent = app.agents.get(known(id)?).await?;
    Ok(Json(A2aCard::of(&agent)))
}
