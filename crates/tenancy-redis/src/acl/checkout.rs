//! A connection becomes that of a tenant's user, and no other.

use redis::{Cmd, ErrorKind, Pipeline, RedisResult, Value, cmd};
use tenancy::TenantId;

use super::TenantAcl;

impl TenantAcl {
    pub(super) fn authenticate(&self, tenant: TenantId) -> Cmd {
        cmd("AUTH").arg(self.username(tenant)).arg(self.password(tenant)).take()
    }

    /// # Errors
    ///
    /// Where the connection is another's, who may be `default`.
    pub(super) fn check_identity(&self, tenant: TenantId, name: &Value) -> RedisResult<()> {
        if *name == Value::BulkString(self.username(tenant).into_bytes()) {
            return Ok(());
        }
        let detail = "the connection is not that of the tenant's user".to_owned();
        Err((ErrorKind::AuthenticationFailed, "tenant isolation", detail).into())
    }
}

/// Who the connection is of; what the one before watched is forgotten, or it would stop a transaction. It is sent
/// after `AUTH` is answered, not with it: what connects for each request is still another's then.
pub(super) fn identify() -> Pipeline {
    let mut pipeline = redis::pipe();
    pipeline.cmd("UNWATCH").ignore().cmd("ACL").arg("WHOAMI");
    pipeline
}
