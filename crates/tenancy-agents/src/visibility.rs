//! Whether an agent is shared.

use core::fmt;

/// Whether the platform's agent is for all tenants.
///
/// What a tenant shares stays its own: only the platform has somebody to share with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Visibility {
    /// For its tenant alone.
    #[default]
    Private,
    /// Of [`TenantId::PLATFORM`](tenancy::TenantId::PLATFORM), and while it is active: for every tenant, to read and to run.
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

impl fmt::Display for Visibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
