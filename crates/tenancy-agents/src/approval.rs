//! The platform's word on an agent.

use core::fmt;

use tenancy::{
    TenantContext, TenantContextNotSetError, TenantError, TenantId, UnauthorizedTenantAccessError,
};

use crate::id::AgentId;

/// The platform's leave to decide on one agent of one tenant.
///
/// Only [`grant`](Self::grant) makes one, and only in the platform's context. It can't be copied, written down or read
/// back: who has one, has it from the platform, in this process.
///
/// ```
/// use tenancy::{TenantContext, TenantId};
/// use tenancy_agents::{AgentId, Approval, UnixMillis};
///
/// let tenant = TenantId::parse("550e8400-e29b-41d4-a716-446655440000")?;
/// let agent = AgentId::v7(UnixMillis(0), [7; 10]);
///
/// TenantContext::scope(TenantId::PLATFORM, || Approval::grant(tenant, agent))?;
/// assert!(TenantContext::scope(tenant, || Approval::grant(tenant, agent)).is_err());
/// # Ok::<(), tenancy::TenantError>(())
/// ```
///
/// ```compile_fail,E0451
/// # let (tenant, agent) = (tenancy::TenantId::PLATFORM, tenancy_agents::AgentId::v7(tenancy_agents::UnixMillis(0), [7; 10]));
/// let forged = tenancy_agents::Approval { tenant, agent, revision: None };
/// ```
#[must_use]
pub struct Approval {
    tenant: TenantId,
    agent: AgentId,
    revision: Option<u64>,
}

impl Approval {
    /// The leave to decide on a tenant's agent. Whether there is one, the decision tells.
    ///
    /// # Errors
    ///
    /// [`TenantError::UnauthorizedTenantAccess`] in any context but the platform's, and
    /// [`TenantError::TenantContextNotSet`] in none.
    pub fn grant(tenant: TenantId, agent: AgentId) -> Result<Self, TenantError> {
        let caller =
            TenantContext::get().map_err(|error: TenantContextNotSetError| TenantError::from(error))?;
        if caller.is_platform() {
            Ok(Self { tenant, agent, revision: None })
        } else {
            Err(UnauthorizedTenantAccessError::new(TenantId::PLATFORM).into())
        }
    }

    /// The same for one revision alone: what was looked at is what is decided on, and nothing that it was changed to
    /// since.
    pub fn of_revision(self, revision: u64) -> Self {
        Self { revision: Some(revision), ..self }
    }

    /// The revision that it is for, if it is for one alone.
    pub(crate) fn revision(&self) -> Option<u64> {
        self.revision
    }

    /// Whether it is for this agent.
    pub(crate) fn is_for(&self, tenant: TenantId, agent: AgentId) -> bool {
        self.tenant == tenant && self.agent == agent
    }
}

impl fmt::Debug for Approval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Approval").field("agent", &self.agent).finish_non_exhaustive()
    }
}
