//! `/v1/notes/events`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Sse};
use futures_util::stream::{self, StreamExt};
use tenancy::{TenantContext, TenantId, TenantStatus};
use tokio::time::sleep;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{ListenError, Listener, Sent};
use crate::problem::Problem;
use crate::state::App;
use crate::tenants::Tenants;

/// The interval of comments, so that proxies do not close the connection as idle.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// The interval of checks whether another instance suspended the tenant.
const LOOK: Duration = Duration::from_secs(2);

/// Returns the route.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(events))
}

/// Streams changes of the tenant's notes.
///
/// The events are `created`, `updated` and `deleted`, and `lagged` if the reader was too slow for some of them. The stream
/// ends when the service shuts down or the tenant is suspended.
#[utoipa::path(get, path = "/v1/notes/events", tag = "notes", responses(
    (status = 200, description = "Server-sent events", body = String, content_type = "text/event-stream"),
    (status = 429, description = "too-many-streams, or the tenant's limit"),
))]
async fn events(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    let tenant = TenantContext::get()?;
    let listener = app.events.listen()?;
    // The tenant may have been suspended after the check of the tenant layer, before this listener existed.
    if app.tenants.status(tenant).await? != Some(TenantStatus::Active) {
        app.events.end(tenant);
    }
    let end = async move {
        tokio::select! {
            () = app.closing.cancelled_owned() => {}
            () = inactive(app.tenants, tenant) => {}
        }
    };
    let changes = stream::unfold(listener, next).map(Ok::<_, Infallible>).take_until(end);
    let events = Sse::new(changes).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    // axum's own value would let shared caches store the stream.
    Ok(([(CACHE_CONTROL, "no-store")], events))
}

/// Completes when the tenant is not active. While the store fails, the stream continues.
async fn inactive(tenants: Arc<Tenants>, tenant: TenantId) {
    loop {
        sleep(LOOK).await;
        if tenants.status(tenant).await.is_ok_and(|status| status != Some(TenantStatus::Active)) {
            return;
        }
    }
}

async fn next(mut listener: Listener) -> Option<(Event, Listener)> {
    let event = match listener.next().await? {
        Ok(Sent { kind, data }) => Event::default().event(kind).data(data),
        Err(missed) => Event::default().event("lagged").data(format!("{{\"missed\":{missed}}}")),
    };
    Some((event, listener))
}

impl From<ListenError> for Problem {
    fn from(error: ListenError) -> Self {
        match error {
            ListenError::NoTenant(error) => error.into(),
            ListenError::Full => Self::STREAMS_FULL,
        }
    }
}
