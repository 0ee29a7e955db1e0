//! The catalog queries, by subject.

mod constraints;
mod context;
mod extensions;
mod functions;
mod privileges;
mod relations;
mod roles;
mod sequences;
mod tables;

use super::check::Check;

const ALL: &[&[Check]] = &[
    roles::CHECKS,
    context::CHECKS,
    tables::CHECKS,
    relations::CHECKS,
    functions::CHECKS,
    extensions::CHECKS,
    constraints::CHECKS,
    privileges::CHECKS,
    sequences::CHECKS,
];

/// Returns the catalog queries for a server version.
pub(crate) fn checks(server: i32) -> impl Iterator<Item = &'static Check> {
    ALL.iter().copied().flatten().filter(move |check| check.since <= server)
}
