//! On bare metal: a critical section of the program's choice.

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
