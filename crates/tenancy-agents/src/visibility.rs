//! Who sees an agent: the one predicate.

use core::fmt;

use tenancy::TenantId;

use crate::agent::Agent;
use crate::status::AgentStatus;

/// Whether the platform's agent is for all tenants.
///
/// What a tenant shares stays its own: only the platform has somebody to share with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Visibility {
    /// For its tenant alone.
    #[default]
    Private,
    /// Of [`TenantId::PLATFORM`], and while it is active: for every tenant, to read and to run.
    Shared,
}

impl Visibility {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Private, Self::Shared];

    /// As stores and JSON have it: `private`, `shared`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Shared => "shared",
        }
    }

    /// The visibility of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|visibility| visibility.as_str() == name)
    }
}

impl Agent {
    /// Whether a tenant sees it: it is its own, or it [is shared](Self::is_shared). Every read of every store goes by
    /// this, and there is no other flag.
    pub fn is_visible_to(&self, tenant: TenantId) -> bool {
        self.tenant == tenant || self.is_shared()
    }

    /// Whether it is no tombstone: its name is taken.
    pub fn is_living(&self) -> bool {
        self.status != AgentStatus::Deleted
    }

    /// Whether it is the platform's, and active, and shared: then all tenants see it.
    pub fn is_shared(&self) -> bool {
        self.tenant.is_platform()
            && self.status == AgentStatus::Active
            && self.content.visibility == Visibility::Shared
    }
}

impl fmt::Display for Visibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
