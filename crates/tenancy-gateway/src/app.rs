//! The routes, and the layers around them.

use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tenancy::TenantRecord;
use tenancy_sqlite::TenantFiles;
use tenancy_tower::{TenantLayer, member_of};
use tokio_util::sync::CancellationToken;
use tower::{Service, ServiceBuilder};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::agents::{self, AgentStore, Agents};
use crate::config::Config;
use crate::database::{self, Database};
use crate::events::{self, Events};
use crate::limit::{RateLimit, limit};
use crate::notes::{self, CachedNotes, FileNotes, MemoryNotes, Notes, PgNotes};
use crate::page::{self, PageGate};
use crate::principals::{Census, Principal, Principals};
use crate::problem::Problem;
use crate::shared::SharedRedis;
use crate::tenants::{self, Tenants};
use crate::{access_log, auth, caching, deadline, head, host, openapi, own};

/// The paths that have no principal and no tenant.
pub const OPEN: [&str; 2] = [own::HEALTH, openapi::PATH];
/// A note of 4,096 characters fits, in whatever way its JSON is written.
const LARGEST_BODY: usize = 64 * 1024;
const SESSION: Duration = Duration::from_secs(30 * 60);

/// What handlers share.
#[derive(Clone)]
pub struct App {
    /// The tenants, for the platform.
    pub tenants: Arc<Tenants>,
    /// The current tenant's agents.
    pub agents: Arc<Agents>,
    /// The current tenant's notes.
    pub notes: Arc<dyn Notes>,
    /// The current tenant's changes.
    pub events: Arc<Events>,
    /// Cancelled when the service closes.
    pub closing: CancellationToken,
}

/// What the layers know.
#[derive(Clone, Debug)]
pub struct Gate {
    principals: Arc<Principals>,
    tenants: Arc<Tenants>,
    limit: Arc<RateLimit>,
    /// How long the page's sessions last.
    session: Duration,
}

/// What is outside of the process: instances share it.
#[derive(Debug, Default)]
pub struct Outside {
    /// Limits, and a cache of notes.
    pub redis: Option<SharedRedis>,
    /// Tenants, notes and agents, in place of the memory or the files.
    pub database: Option<Database>,
    /// Tenants, notes and agents, in place of the memory.
    pub files: Option<TenantFiles>,
}

/// The service that a configuration and a census make. With a database the census says who may call, and the database
/// which tenants there are.
///
/// # Errors
///
/// Where the tenants' file can't be used.
pub fn service(
    config: &Config,
    census: Census,
    outside: Outside,
    closing: CancellationToken,
) -> Result<impl HttpService + use<>> {
    let (rate, burst) = (config.rate, config.burst);
    let limit = match &outside.redis {
        None => RateLimit::new(rate, burst),
        Some(redis) => RateLimit::shared(rate, burst, redis.clone()),
    };
    let Kept { tenants, agents, notes } = kept(config, census.tenants, outside)?;
    let session = Duration::from_secs(config.session.into());
    let gate = Gate::new(census.principals, Arc::clone(&tenants), limit).sessions(session);
    Ok(gate.around(router(App { tenants, agents, notes, events: Arc::default(), closing })))
}

/// What is kept, in whatever it is: the same for who serves, exports and imports.
#[derive(Clone)]
pub struct Kept {
    /// All tenants.
    pub tenants: Arc<Tenants>,
    /// The current tenant's agents.
    pub agents: Arc<Agents>,
    /// The current tenant's notes.
    pub notes: Arc<dyn Notes>,
}

/// What a configuration keeps things in.
///
/// # Errors
///
/// Where the tenants' file can't be used.
pub fn kept(config: &Config, tenants: Vec<TenantRecord>, outside: Outside) -> Result<Kept> {
    let tenants = Arc::new(match (&outside.database, &outside.files) {
        (Some(database), _) => Tenants::kept_in(database),
        (None, Some(files)) => Tenants::in_files(files.clone(), &tenants)?,
        (None, None) => Tenants::new(tenants),
    });
    let agents = agents::registry(match (&outside.database, &outside.files) {
        (Some(database), _) => AgentStore::database(database, config.max_agents),
        (None, Some(files)) => AgentStore::files(files.clone(), config.max_agents),
        (None, None) => AgentStore::memory(),
    });
    Ok(Kept { tenants, agents, notes: notes(config.max_notes, outside) })
}

fn notes(most: usize, Outside { redis, database, files }: Outside) -> Arc<dyn Notes> {
    let memory = || MemoryNotes::with_limit(most);
    match (database, redis) {
        (None, redis) => match (files, redis) {
            (None, None) => Arc::new(memory()),
            (None, Some(redis)) => Arc::new(CachedNotes::new(memory(), redis)),
            (Some(files), None) => Arc::new(FileNotes::with_limit(most, files)),
            (Some(files), Some(redis)) => {
                Arc::new(CachedNotes::new(FileNotes::with_limit(most, files), redis))
            }
        },
        (Some(database), None) => Arc::new(PgNotes::with_limit(most, &database)),
        (Some(database), Some(redis)) => {
            let notes = PgNotes::with_limit(most, &database);
            Arc::new(CachedNotes::of_store(database.store, notes, redis))
        }
    }
}

/// The routes, and the document of them.
pub fn router(app: App) -> Router {
    let (routes, document) = documented();
    routes
        .merge(openapi::route(&document))
        .merge(page::routes())
        .fallback(async || Problem::NO_ROUTE)
        .method_not_allowed_fallback(async || Problem::METHOD)
        .with_state(app)
}

/// Each route and its part of the document, made by the same line: none is there without the other.
pub fn documented() -> (Router<App>, OpenApi) {
    OpenApiRouter::with_openapi(openapi::blank())
        .merge(own::routes())
        .merge(notes::http::routes())
        .merge(events::http::routes())
        .merge(tenants::http::routes())
        .merge(agents::http::routes())
        .split_for_parts()
}

impl Gate {
    /// The layers that know who may call, which tenants there are, and how often.
    pub fn new(principals: Principals, tenants: Arc<Tenants>, limit: RateLimit) -> Self {
        Self { principals: Arc::new(principals), tenants, limit: Arc::new(limit), session: SESSION }
    }

    /// How long the page's sessions last, if not for half an hour.
    #[must_use]
    pub fn sessions(self, session: Duration) -> Self {
        Self { session, ..self }
    }

    /// Puts the layers around routes, the outermost first.
    ///
    /// They stand around the whole router: a path that there is not is a 404 only to those who may ask.
    pub fn around(self, router: Router) -> impl HttpService {
        let Self { principals, tenants, limit: rate, session } = self;
        let page = PageGate::new(Arc::clone(&principals), Arc::clone(&tenants), session);
        let has_demo_tokens = principals.has_demo_tokens();
        let tenant = TenantLayer::builder()
            .directory(tenants)
            .timeout(database::LONGEST)
            .authorize(member_of(|principal: &Principal, tenant| principal.is_member_of(tenant)))
            .exempt(own::HEALTH)
            .exempt(openapi::PATH)
            .build();
        ServiceBuilder::new()
            .layer(from_fn(access_log::log))
            .layer(from_fn(head::bodiless))
            .layer(CatchPanicLayer::custom(broken))
            .layer(from_fn(deadline::deadline))
            .layer(from_fn_with_state(has_demo_tokens, host::no_site))
            .layer(from_fn_with_state(page, page::gate))
            .layer(from_fn_with_state(principals, auth::authenticate))
            .layer(tenant)
            .layer(from_fn_with_state(rate, limit))
            .layer(from_fn(caching::private))
            .layer(DefaultBodyLimit::max(LARGEST_BODY))
            .service(router)
    }
}

/// What the panic says may be about the request: the panic's hook has told the operator, and the caller is not
/// told.
#[allow(clippy::needless_pass_by_value, reason = "the layer gives it away")]
fn broken(_panic: Box<dyn Any + Send>) -> Response {
    Problem::INTERNAL.into_response()
}

/// A service that can be served: all bounds in one name.
pub trait HttpService:
    Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static
{
}

impl<S> HttpService for S where
    S: Service<Request, Response = Response, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Shows nothing of what is kept.
impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

/// Shows nothing of what is kept.
impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}
