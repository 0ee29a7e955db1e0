//! The paths that need neither a token nor a tenant.

/// Whether the process runs.
pub const HEALTH: &str = "/healthz";
/// Whether the process runs, by another name.
pub const LIVE: &str = "/livez";
/// Whether the service can serve requests.
pub const READY: &str = "/readyz";
/// Numbers of requests. The handler checks the caller.
pub const METRICS: &str = "/metrics";
/// The OpenAPI document, which contains nothing about a tenant.
pub const OPENAPI: &str = "/openapi.json";

/// All paths that need no tenant.
pub const OPEN: [&str; 5] = [HEALTH, LIVE, READY, METRICS, OPENAPI];

/// Returns whether a path needs neither a token nor a tenant.
pub fn is_open(path: &str) -> bool {
    OPEN.contains(&path)
}
