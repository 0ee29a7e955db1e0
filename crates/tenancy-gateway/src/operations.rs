//! The state of the service for its operator: readiness and metrics.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tenancy::{TenantFutureExt, TenantId};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::notes::Notes;
use crate::principals::Principals;
use crate::problem::{CheckResult, Checks};
use crate::shared::SharedRedis;
use crate::tenants::Tenants;

/// The time for which a result is used again, so that callers without a token cannot cause more queries.
const MAX_AGE: Duration = Duration::from_secs(1);

/// The state of the service for its operator.
#[derive(Default)]
pub struct Operations {
    /// Numbers of requests.
    pub metrics: Metrics,
    /// Cancelled at the first signal, before the service stops accepting connections.
    pub draining: CancellationToken,
    /// The callers, of whom members of the platform tenant see details.
    pub principals: Arc<Principals>,
    /// Redis, if it is used.
    pub redis: Option<SharedRedis>,
    last: Mutex<Option<(Instant, Checks)>>,
}

impl Operations {
    /// Creates the state. `draining` is cancelled at the first signal.
    pub fn new(
        principals: Arc<Principals>,
        redis: Option<SharedRedis>,
        metrics: Metrics,
        draining: CancellationToken,
    ) -> Self {
        Self { metrics, draining, principals, redis, last: Mutex::default() }
    }

    /// Checks the stores. A result is used again for a second, and concurrent callers share one check.
    pub(crate) async fn check(&self, tenants: &Tenants, notes: &dyn Notes) -> Checks {
        let mut last = self.last.lock().await;
        let stores = match *last {
            Some((at, checks)) if at.elapsed() < MAX_AGE => checks,
            _ => {
                let checks = Checks {
                    tenants: ok(tenants.get(TenantId::PLATFORM).await),
                    // Calls read the context when they are made.
                    notes: ok(async { notes.list(None, 1).await }.in_tenant(TenantId::PLATFORM).await),
                    redis: None,
                    shutdown: None,
                };
                *last = Some((Instant::now(), checks));
                checks
            }
        };
        Checks {
            redis: self
                .redis
                .as_ref()
                .map(|redis| if redis.is_up() { CheckResult::Ok } else { CheckResult::Failing }),
            shutdown: self.draining.is_cancelled().then_some(CheckResult::InProgress),
            ..stores
        }
    }
}

/// Returns the result of a check, and logs an error.
fn ok<T, E: fmt::Display>(result: Result<T, E>) -> CheckResult {
    match result {
        Ok(_) => CheckResult::Ok,
        Err(error) => {
            tracing::warn!(%error, "readiness check failed");
            CheckResult::Failing
        }
    }
}

/// Shows no caller.
impl fmt::Debug for Operations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operations").field("metrics", &self.metrics).finish_non_exhaustive()
    }
}
