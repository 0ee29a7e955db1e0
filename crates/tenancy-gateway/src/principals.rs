//! The callers, and their tenants.

mod file;
mod token;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use tenancy::{TenantId, TenantRecord};

pub use token::Digest;

/// A caller. It does not contain its token.
#[derive(Clone)]
pub struct Principal(Arc<Inner>);

struct Inner {
    name: String,
    tenants: Membership,
}

/// The tenants that a principal may act for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Membership {
    /// These tenants.
    Of(HashSet<TenantId>),
    /// All tenants, including future ones: for operators.
    All,
}

/// All callers by the digests of their tokens.
#[derive(Default)]
pub struct Principals(HashMap<Digest, Principal>);

/// The content of a principals file.
#[derive(Debug)]
pub struct PrincipalsFile {
    /// The tenants, in the file's order.
    pub tenants: Vec<TenantRecord>,
    /// The callers.
    pub principals: Principals,
}

impl Principal {
    /// Creates a principal.
    pub fn new(name: String, tenants: Membership) -> Self {
        Self(Arc::new(Inner { name, tenants }))
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns the tenants that it may act for.
    pub fn membership(&self) -> &Membership {
        &self.0.tenants
    }

    /// Returns whether it may act for the tenant.
    pub fn is_member_of(&self, tenant: TenantId) -> bool {
        match &self.0.tenants {
            Membership::Of(tenants) => tenants.contains(&tenant),
            Membership::All => true,
        }
    }
}

impl Principals {
    /// Returns the principal of a token. The search compares digests, so its duration reveals nothing about tokens.
    pub fn of_token(&self, token: &[u8]) -> Option<&Principal> {
        self.0.get(&Digest::of(token))
    }

    /// Adds a principal. Returns `false` if another one has the same token.
    fn add(&mut self, token: Digest, principal: Principal) -> bool {
        self.0.insert(token, principal).is_none()
    }

    /// Returns whether a token is one of the demo, which are public.
    pub fn has_demo_tokens(&self) -> bool {
        PrincipalsFile::demo()
            .map_or(true, |demo| demo.principals.0.keys().any(|token| self.0.contains_key(token)))
    }
}

/// Shows the name, and no tenant.
impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal").field("name", &self.0.name).finish_non_exhaustive()
    }
}

/// Shows the number of principals, and no digest.
impl fmt::Debug for Principals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principals").field("len", &self.0.len()).finish()
    }
}
