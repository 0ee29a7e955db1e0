//! What the commands of a connection are confined to.

use tenancy::TenantId;

use crate::policy::RedisPolicy;
use crate::prefix::Prefix;
use crate::scripts::TrustedScripts;

/// Who shares the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sharing {
    /// Other tenants.
    Shared,
    /// Nobody.
    Dedicated,
}

/// What the commands of a connection are confined to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TenantScope {
    pub(crate) prefix: Prefix,
    pub(crate) sharing: Sharing,
    /// None: no limits.
    pub(crate) policy: Option<RedisPolicy>,
    pub(crate) scripts: Option<&'static TrustedScripts>,
}

impl TenantScope {
    pub(crate) fn new(tenant: TenantId, sharing: Sharing) -> Self {
        Self { prefix: Prefix::new(tenant), sharing, policy: None, scripts: None }
    }
}
