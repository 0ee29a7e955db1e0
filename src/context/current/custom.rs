//! The cell that the program names: see [`set_cell!`](crate::set_cell).

use crate::TenantCell;

#[allow(unsafe_code)]
unsafe extern "Rust" {
    safe fn _tenancy_0_1_current_cell() -> &'static TenantCell;
}

#[inline]
pub(in crate::context) fn current() -> &'static TenantCell {
    _tenancy_0_1_current_cell()
}

/// Names the function that gives the cell of the running core or RTOS task.
///
/// Needs the feature `custom-cell`, on bare metal. Once in a program: a second one does not link, and
/// neither does none. The function must give the same cell to the same core or task each time, and never
/// one cell to two that run at once.
///
/// ```ignore
/// static CELLS: [TenantCell; 2] = [TenantCell::new(), TenantCell::new()];
///
/// fn current_cell() -> &'static TenantCell {
///     &CELLS[running_core()]
/// }
///
/// tenancy::set_cell!(current_cell);
/// ```
#[macro_export]
macro_rules! set_cell {
    ($current:path) => {
        #[unsafe(no_mangle)]
        fn _tenancy_0_1_current_cell() -> &'static $crate::TenantCell {
            $current()
        }
    };
}
