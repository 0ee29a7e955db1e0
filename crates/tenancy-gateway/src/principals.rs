//! Who may call, and for which tenants.

mod file;
mod token;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use tenancy::{TenantId, TenantRecord};

pub use token::Digest;

/// Who calls. It is found by a token, and has none.
#[derive(Clone)]
pub struct Principal(Arc<Inner>);

struct Inner {
    name: String,
    tenants: Membership,
}

/// The tenants that a principal may act for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Membership {
    /// These.
    Of(HashSet<TenantId>),
    /// Whatever tenant there is or will be: the operator's.
    All,
}

/// All who may call, by the digests of their tokens.
#[derive(Default)]
pub struct Principals(HashMap<Digest, Principal>);

/// What a file says: all tenants, and all who may call.
#[derive(Debug)]
pub struct Census {
    /// The tenants, in the file's order.
    pub tenants: Vec<TenantRecord>,
    /// Who may call.
    pub principals: Principals,
}

impl Principal {
    /// A principal.
    pub fn new(name: String, tenants: Membership) -> Self {
        Self(Arc::new(Inner { name, tenants }))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The tenants that it may act for.
    pub fn membership(&self) -> &Membership {
        &self.0.tenants
    }

    /// Whether it may act for the tenant.
    pub fn is_member_of(&self, tenant: TenantId) -> bool {
        match &self.0.tenants {
            Membership::Of(tenants) => tenants.contains(&tenant),
            Membership::All => true,
        }
    }
}

impl Principals {
    /// Whose token it is. The search compares digests: how long it takes says nothing about the tokens.
    pub fn of_token(&self, token: &[u8]) -> Option<&Principal> {
        self.0.get(&Digest::of(token))
    }

    /// Adds a principal; false where another has the same token.
    fn add(&mut self, token: Digest, principal: Principal) -> bool {
        self.0.insert(token, principal).is_none()
    }

    /// Whether a token is one of the demo's, which are in this repository.
    pub fn has_demo_tokens(&self) -> bool {
        Census::demo().map_or(true, |demo| demo.principals.0.keys().any(|token| self.0.contains_key(token)))
    }
}

/// Shows the name, and not for whom it may act.
impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal").field("name", &self.0.name).finish_non_exhaustive()
    }
}

/// Shows how many there are, and no digest.
impl fmt::Debug for Principals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principals").field("len", &self.0.len()).finish()
    }
}
