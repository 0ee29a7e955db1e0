//! One cell for the whole program.

use crate::TenantCell;

static CELL: TenantCell = TenantCell::new();

#[inline]
pub(in crate::context) fn current() -> &'static TenantCell {
    &CELL
}
