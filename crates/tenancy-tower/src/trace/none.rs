//! Without the feature `tracing`: nothing is traced.

use tenancy::TenantId;

use crate::Refusal;

#[derive(Clone, Debug)]
pub(crate) struct Trace;

impl Trace {
    pub(crate) const NONE: Self = Self;

    #[inline]
    pub(crate) fn of(_tenant: TenantId) -> Self {
        Self
    }

    #[inline]
    #[allow(clippy::unused_self, reason = "its twin has a span")]
    pub(crate) fn within<R>(&self, body: impl FnOnce() -> R) -> R {
        body()
    }
}

#[inline]
pub(crate) fn authorized(_tenant: TenantId) {}

#[inline]
pub(crate) fn refused(_refusal: Refusal) {}

pub(crate) fn failed(_error: &dyn std::fmt::Display) {}
