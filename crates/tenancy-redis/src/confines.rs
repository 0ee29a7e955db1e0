//! What the commands of a connection are confined to.

use tenancy::TenantId;

use crate::policy::RedisPolicy;
use crate::prefix::Prefix;
use crate::scripts::TrustedScripts;

/// Who shares the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// Other tenants.
    Shared,
    /// Nobody.
    Dedicated,
}

/// What the commands of a connection are confined to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Confines {
    pub(crate) prefix: Prefix,
    pub(crate) mode: Mode,
    /// None: no limits.
    pub(crate) policy: Option<RedisPolicy>,
    pub(crate) scripts: Option<&'static TrustedScripts>,
}

impl Confines {
    pub(crate) fn new(tenant: TenantId, mode: Mode) -> Self {
        Self { prefix: Prefix::new(tenant), mode, policy: None, scripts: None }
    }
}
