//! How important an agent is.

use core::fmt;

/// How important an agent is to its tenant: what is scheduled, limited or billed by it is the program's to say.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Tier {
    /// Can wait.
    Basic,
    /// As most are.
    #[default]
    Standard,
    /// Comes first.
    Premium,
}

impl Tier {
    /// All of them, the least first.
    pub const ALL: [Self; 3] = [Self::Basic, Self::Standard, Self::Premium];

    /// As stores and JSON have it: `basic`, `standard`, `premium`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Standard => "standard",
            Self::Premium => "premium",
        }
    }

    /// The tier of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tier| tier.as_str() == name)
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
