//! Fixed memory does not fail.

use core::fmt;

/// What a store failed of: nothing here, where there is fixed memory alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StoreError {}

impl fmt::Display for StoreError {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl core::error::Error for StoreError {}
