//! Sequences, which all tenants share.

use super::super::check::{ANY, Check, Remedy};
use super::super::kind::FindingKind;

pub(super) const CHECKS: &[Check] = &[Check {
    kind: FindingKind::SequenceVisible,
    since: ANY,
    remedy: Remedy::Sql("REVOKE SELECT, UPDATE ON {} FROM {roles}"),
    // UPDATE sets the value for all tenants, so that inserts of others fail. USAGE is what an insert needs; with it the
    // value can be read too, so that only a key without a sequence hides how many rows there are.
    sql: "SELECT format('SEQUENCE %I.%I', n.nspname, c.relname), false
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname <> 'tenancy'
            AND EXISTS (SELECT FROM reach WHERE has_sequence_privilege(role, c.oid, 'SELECT, UPDATE'))",
}];
