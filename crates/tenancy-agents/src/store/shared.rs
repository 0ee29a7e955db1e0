//! What the platform shares, beside what a tenant has.

use std::vec::Vec;

use crate::agent::Agent;

/// A tenant's own and what is shared with it, in one list. Both are by their ids, and so is it: of the limit at most.
pub(super) fn merged(own: Vec<Agent>, shared: Vec<Agent>, limit: usize) -> Vec<Agent> {
    if shared.is_empty() {
        return own;
    }
    let mut all = own;
    all.extend(shared);
    // It is stable: the tenant's own goes before one that is shared and has its id.
    all.sort_by_key(|agent| agent.id);
    all.dedup_by_key(|agent| agent.id);
    all.truncate(limit);
    all
}
