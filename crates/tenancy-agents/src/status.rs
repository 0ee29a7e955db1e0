//! What an agent may do, and what it may become.

use core::fmt;

/// How far an agent has come.
///
/// ```text
/// draft ─→ pending_approval ─→ active ⇄ suspended
///                  └→ rejected    └→ deprecated        any of them ─→ deleted
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum AgentStatus {
    /// As registered: its tenant still works on it.
    Draft,
    /// Submitted: the platform has to say yes or no.
    PendingApproval,
    /// In use.
    Active,
    /// The platform said no.
    Rejected,
    /// Not in use for now.
    Suspended,
    /// In use by whoever has it, and not to be chosen anew.
    Deprecated,
    /// A tombstone: its id stays taken, its name is free again.
    Deleted,
}

/// A step from one status to another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Transition {
    /// `Draft → PendingApproval`
    Submit,
    /// `PendingApproval → Active`, by the platform
    Approve,
    /// `PendingApproval → Rejected`, by the platform
    Reject,
    /// `Active → Suspended`
    Suspend,
    /// `Suspended → Active`
    Resume,
    /// `Active → Deprecated`
    Deprecate,
    /// any `→ Deleted`
    Delete,
}

/// A step that there is not: from where, and to where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InvalidTransitionError {
    from: AgentStatus,
    to: AgentStatus,
}

impl AgentStatus {
    /// All of them, in the order of a life.
    pub const ALL: [Self; 7] = [
        Self::Draft,
        Self::PendingApproval,
        Self::Active,
        Self::Rejected,
        Self::Suspended,
        Self::Deprecated,
        Self::Deleted,
    ];

    /// As stores and JSON have it: `draft`, `pending_approval`, …
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::PendingApproval => "pending_approval",
            Self::Active => "active",
            Self::Rejected => "rejected",
            Self::Suspended => "suspended",
            Self::Deprecated => "deprecated",
            Self::Deleted => "deleted",
        }
    }

    /// The status of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }
}

impl Transition {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Submit,
        Self::Approve,
        Self::Reject,
        Self::Suspend,
        Self::Resume,
        Self::Deprecate,
        Self::Delete,
    ];

    /// Where it leads.
    pub const fn target(self) -> AgentStatus {
        match self {
            Self::Submit => AgentStatus::PendingApproval,
            Self::Approve | Self::Resume => AgentStatus::Active,
            Self::Reject => AgentStatus::Rejected,
            Self::Suspend => AgentStatus::Suspended,
            Self::Deprecate => AgentStatus::Deprecated,
            Self::Delete => AgentStatus::Deleted,
        }
    }

    /// The status after the step.
    ///
    /// It is the step that counts, and not where it leads: `Resume` does not take `PendingApproval` to `Active`, which
    /// is the platform's to do.
    ///
    /// ```
    /// use tenancy_agents::{AgentStatus, Transition};
    ///
    /// assert_eq!(Transition::Submit.apply(AgentStatus::Draft), Ok(AgentStatus::PendingApproval));
    /// let error = Transition::Resume.apply(AgentStatus::PendingApproval).unwrap_err();
    /// assert_eq!(error.to_string(), "an agent that is pending_approval can't become active by this");
    /// ```
    ///
    /// # Errors
    ///
    /// Where there is no such step: it names both states.
    pub const fn apply(self, from: AgentStatus) -> Result<AgentStatus, InvalidTransitionError> {
        let is_one = match self {
            Self::Submit => matches!(from, AgentStatus::Draft),
            Self::Approve | Self::Reject => matches!(from, AgentStatus::PendingApproval),
            Self::Suspend | Self::Deprecate => matches!(from, AgentStatus::Active),
            Self::Resume => matches!(from, AgentStatus::Suspended),
            Self::Delete => true,
        };
        let to = self.target();
        if is_one { Ok(to) } else { Err(InvalidTransitionError { from, to }) }
    }
}

impl InvalidTransitionError {
    /// What the agent is.
    pub const fn from(&self) -> AgentStatus {
        self.from
    }

    /// What it should have become.
    pub const fn to(&self) -> AgentStatus {
        self.to
    }
}

impl fmt::Display for AgentStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for InvalidTransitionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an agent that is {} can't become {} by this", self.from, self.to)
    }
}

impl core::error::Error for InvalidTransitionError {}
