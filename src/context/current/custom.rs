//! The cell that the program chooses by [`set_cell!`](crate::set_cell).

use crate::TenantCell;

#[allow(unsafe_code)]
unsafe extern "Rust" {
    safe fn _tenancy_0_1_current_cell() -> &'static TenantCell;
}

#[inline]
pub(in crate::context) fn current() -> &'static TenantCell {
    _tenancy_0_1_current_cell()
}

/// Names the function that returns the cell of the running core or RTOS task.
///
/// The feature `custom-cell` requires exactly one call of this macro in a program: without one, or with
/// two, the program does not link. The function must always return the same cell for the same core or
/// task, and different cells for cores and tasks that run at the same time.
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
#[cfg_attr(docsrs, doc(cfg(all(feature = "custom-cell", target_os = "none"))))]
macro_rules! set_cell {
    ($current:path) => {
        #[unsafe(no_mangle)]
        fn _tenancy_0_1_current_cell() -> &'static $crate::TenantCell {
            $current()
        }
    };
}
