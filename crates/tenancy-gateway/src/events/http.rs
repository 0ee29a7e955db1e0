//! `/v1/notes/events`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::CACHE_CONTROL;
use axum::response::sse::{Event, KeepAlive};
use axum::response::{IntoResponse, Sse};
use futures_util::stream::{self, StreamExt};
use tenancy::{TenantContext, TenantContextNotSetError, TenantId, TenantStatus};
use tokio::time::sleep;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{ListenError, Listener, Sent};
use crate::app::App;
use crate::problem::Problem;
use crate::tenants::Tenants;

/// Longer, and a proxy in between takes the connection for idle.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How often it is asked whether another instance suspended the tenant.
const LOOK: Duration = Duration::from_secs(2);

/// The route.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(events))
}

/// The tenant's changes as they come.
///
/// They are `created`, `updated`, `deleted`; and `lagged` for a reader that was too slow for some of them. It ends when
/// the service closes, and when the tenant is suspended.
#[utoipa::path(get, path = "/v1/notes/events", tag = "notes", responses(
    (status = 200, description = "Server-sent events", body = String, content_type = "text/event-stream"),
    (status = 429, description = "too-many-streams, or the tenant's limit"),
))]
async fn events(State(app): State<App>) -> Result<impl IntoResponse, Problem> {
    let tenant = TenantContext::get()?;
    let listener = app.events.listen()?;
    // Suspended after the tenant layer had asked: the others' streams were ended before this one was there.
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
    // In place of axum's own, by which a cache may keep it for all.
    Ok(([(CACHE_CONTROL, "no-store")], events))
}

/// Until the tenant is active no more. While nobody can say, nothing is changed in it either.
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

/// No tenant, no work: the layer of `tenancy-tower` is not around the route.
impl From<TenantContextNotSetError> for Problem {
    fn from(error: TenantContextNotSetError) -> Self {
        tracing::error!(%error, "a route outside of the tenant layer");
        Self::INTERNAL
    }
}
