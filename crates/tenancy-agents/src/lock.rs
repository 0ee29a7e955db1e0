//! A lock that works on hosts and on bare metal.

#[cfg(not(feature = "std"))]
pub(crate) use bare::Lock;
#[cfg(feature = "std")]
pub(crate) use host::Lock;

/// A mutex, which does not disable interrupts.
#[cfg(feature = "std")]
mod host {
    use std::sync::{Mutex, PoisonError};

    pub(crate) struct Lock<T>(Mutex<T>);

    impl<T> Lock<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(Mutex::new(value))
        }

        /// Runs `body` with the value. `body` either completes or panics before its first change.
        pub(crate) fn with<R>(&self, body: impl FnOnce(&mut T) -> R) -> R {
            body(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
        }
    }
}

/// A critical section, whose implementation the program chooses.
#[cfg(not(feature = "std"))]
mod bare {
    use core::cell::RefCell;

    use critical_section::Mutex;

    pub(crate) struct Lock<T>(Mutex<RefCell<T>>);

    impl<T> Lock<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(Mutex::new(RefCell::new(value)))
        }

        pub(crate) fn with<R>(&self, body: impl FnOnce(&mut T) -> R) -> R {
            critical_section::with(|section| body(&mut self.0.borrow_ref_mut(section)))
        }
    }
}
