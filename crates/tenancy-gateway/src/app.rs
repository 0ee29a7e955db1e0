//! The service: routes with middleware around them.

use std::sync::Arc;
use std::time::Duration;

use crate::backends::{Backends, Stores};
use crate::config::Config;
use crate::metrics::Metrics;
use crate::middleware::Middleware;
use crate::middleware::body::BodyLimits;
use crate::middleware::limit::RateLimit;
use crate::operations::Operations;
use crate::principals::PrincipalsFile;
use crate::routes;
use crate::service::HttpService;
use crate::signal::Shutdown;
use crate::state::App;
use anyhow::Result;

/// Creates the service for a configuration. The principals come from the file. The tenants come from the store, to
/// which those of the file are added if it is not a database.
///
/// # Errors
///
/// If the platform's file cannot be used.
pub fn service(
    config: &Config,
    principals: PrincipalsFile,
    backends: Backends,
    shutdown: Shutdown,
) -> Result<impl HttpService + use<>> {
    let limit = match &backends.redis {
        None => RateLimit::new(config.rate, config.burst),
        Some(redis) => RateLimit::shared(config.rate, config.burst, redis.clone()),
    };
    let limit = limit.concurrent(config.max_concurrent);
    let PrincipalsFile { tenants, principals } = principals;
    let Shutdown { draining, closing } = shutdown;
    let (principals, redis) = (Arc::new(principals), backends.redis.clone());
    let metrics = Metrics::with_tenants(config.metrics_tenants);
    let operations = Arc::new(Operations::new(Arc::clone(&principals), redis, metrics, draining));
    let Stores { tenants, agents, notes } = Stores::open(config, tenants, backends)?;
    let bodies = BodyLimits { any: config.max_body, agent: config.max_agent_body };
    let middleware = Middleware::new(principals, Arc::clone(&tenants), limit)
        .sessions(Duration::from_secs(config.session.into()))
        .timeout(Duration::from_secs(config.request_timeout.get().into()))
        .bodies(bodies)
        .operations(Arc::clone(&operations));
    let app = App { tenants, agents, notes, events: Arc::default(), closing, operations };
    Ok(middleware.around(routes::router(app)))
}
