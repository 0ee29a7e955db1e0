//! Bare metal: the current context is a cell.

#[cfg(target_os = "none")]
pub(super) use self::current::{Scope, Token, clear, enter, leave, seen, set, try_set};

#[cfg(target_os = "none")]
mod current {
    use crate::context::entry::Held;
    use crate::context::{cell, slot};
    use crate::{SetTenantContextError, TenantCell, TenantId};

    pub(in crate::context) use crate::context::slot::Token;

    /// One cell for the whole program.
    #[cfg(not(feature = "custom-cell"))]
    #[inline]
    fn current() -> &'static TenantCell {
        static CELL: TenantCell = TenantCell::new();
        &CELL
    }

    /// The cell that the program chooses by [`set_cell!`](crate::set_cell).
    #[cfg(feature = "custom-cell")]
    #[inline]
    fn current() -> &'static TenantCell {
        #[allow(unsafe_code)]
        unsafe extern "Rust" {
            safe fn _tenancy_0_1_current_cell() -> &'static TenantCell;
        }
        _tenancy_0_1_current_cell()
    }

    #[inline]
    pub(in crate::context) fn seen() -> Held {
        current().slot().seen()
    }

    #[inline]
    pub(in crate::context) fn set(tenant: TenantId) {
        current().set(tenant);
    }

    #[inline]
    pub(in crate::context) fn try_set(tenant: TenantId) -> Result<(), SetTenantContextError> {
        current().try_set(tenant)
    }

    #[inline]
    pub(in crate::context) fn clear() {
        current().clear();
    }

    pub(in crate::context) fn enter(tenant: TenantId) -> Option<Token> {
        current().slot().enter(tenant.into()).map_err(cell::reject).ok()
    }

    pub(in crate::context) fn leave(token: &Token) {
        current().slot().leave(token);
    }

    /// A scope of the current context.
    pub(in crate::context) struct Scope(slot::Scope<'static>);

    impl Scope {
        #[inline]
        pub(in crate::context) fn begin(held: Held) -> Self {
            Self(slot::Scope::begin(current().slot(), held))
        }

        #[inline]
        pub(in crate::context) fn end(self) {
            drop(self);
        }

        /// Ends the scope, and returns what its body has made of the context.
        #[inline]
        pub(in crate::context) fn take(self) -> Held {
            self.0.held()
        }
    }
}

/// Sets the function that returns the cell of the running core or RTOS task.
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
#[cfg(any(docsrs, feature = "custom-cell"))]
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
