//! Silence.

use crate::TenantId;

#[inline]
pub(in crate::context) fn set(_tenant: TenantId) {}

#[inline]
pub(in crate::context) fn cleared() {}

#[inline]
pub(in crate::context) fn refused() {}
