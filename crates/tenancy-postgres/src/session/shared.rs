//! What all sessions of a database share.

use postgres_types::Oid;

use super::statements::{LearnedTypes, Texts};
use super::types::Types;
use super::verify::TenantColumns;
use crate::binding::Binding;

pub(crate) struct Shared {
    pub(crate) binding: Binding,
    pub(crate) entry: Entry,
    /// Whether a connection is one session of the server, without a transaction pooler.
    pub(crate) is_direct: bool,
    /// Whether something in the database keeps state that no scrub resets: then a session that ran raw SQL is closed.
    pub(crate) closes_raw_sessions: bool,
    pub(crate) texts: Texts,
    pub(crate) learned: LearnedTypes,
    pub(crate) types: Types,
    pub(crate) columns: TenantColumns,
}

/// How a transaction enters its tenant, and how its session is scrubbed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Entry {
    /// By parameters whose types are domains: the server runs their checks when the parameters are bound, and parses,
    /// plans and executes nothing.
    Bound(Domains),
    /// By statements: the one that enters, and whether it takes a token.
    Explicit { sql: String, has_tokens: bool },
}

/// The numbers of the domains `tenancy.entering` and `tenancy.leaving`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Domains {
    pub(crate) entering: Oid,
    pub(crate) leaving: Oid,
}

impl Shared {
    pub(crate) fn new(binding: Binding, entry: Entry, is_direct: bool, closes_raw_sessions: bool) -> Self {
        Self {
            binding,
            entry,
            is_direct,
            closes_raw_sessions,
            texts: Texts::new(),
            learned: LearnedTypes::new(),
            types: Types::new(),
            columns: TenantColumns::new(),
        }
    }
}
