//! The paths that need neither a token nor a tenant.

/// Whether the process runs.
pub const HEALTH: &str = "/healthz";
/// The OpenAPI document, which contains nothing about a tenant.
pub const OPENAPI: &str = "/openapi.json";

/// All paths without authentication.
pub const OPEN: [&str; 2] = [HEALTH, OPENAPI];

/// Returns whether a path needs neither a token nor a tenant.
pub fn is_open(path: &str) -> bool {
    OPEN.contains(&path)
}
