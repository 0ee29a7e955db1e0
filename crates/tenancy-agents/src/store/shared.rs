//! What the platform shares, for stores that ask for it by SQL.

use std::vec::Vec;

use crate::agent::Agent;

/// [`Agent::is_shared`] as SQL, of rows of the platform. The suite holds it against that, in every combination.
pub(super) const SHARED: &str = "status = 'active' AND visibility = 'shared'";

/// A tenant's own and what is shared with it, in one list. Both are by their ids, and so is it: of the limit at most.
pub(super) fn merged(own: Vec<Agent>, shared: Vec<Agent>, limit: usize) -> Vec<Agent> {
    if shared.is_empty() {
        return own;
    }
    let mut all = own;
    all.extend(shared);
    all.sort_by_key(|agent| agent.id);
    all.truncate(limit);
    all
}
