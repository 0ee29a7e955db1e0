//! The service: routes with middleware around them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio_util::sync::CancellationToken;

use crate::backends::{Backends, Stores};
use crate::config::Config;
use crate::middleware::Middleware;
use crate::middleware::limit::RateLimit;
use crate::principals::PrincipalsFile;
use crate::routes;
use crate::service::HttpService;
use crate::state::App;

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
    closing: CancellationToken,
) -> Result<impl HttpService + use<>> {
    let limit = match &backends.redis {
        None => RateLimit::new(config.rate, config.burst),
        Some(redis) => RateLimit::shared(config.rate, config.burst, redis.clone()),
    };
    let PrincipalsFile { tenants, principals } = principals;
    let Stores { tenants, agents, notes } = Stores::open(config, tenants, backends)?;
    let session = Duration::from_secs(config.session.into());
    let middleware = Middleware::new(principals, Arc::clone(&tenants), limit).sessions(session);
    let app = App { tenants, agents, notes, events: Arc::default(), closing };
    Ok(middleware.around(routes::router(app)))
}
