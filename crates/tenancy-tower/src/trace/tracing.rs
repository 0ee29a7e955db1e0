//! A span around each request, with its tenant; an event for each refusal, without one.

use tenancy::TenantId;
use tracing::Span;
use tracing::field::display;

use crate::Refusal;

#[derive(Clone, Debug)]
pub(crate) struct Trace(Span);

impl Trace {
    pub(crate) const NONE: Self = Self(Span::none());

    /// A span of its own: what is left of the body is polled outside of any other.
    pub(crate) fn of(tenant: TenantId) -> Self {
        Self(tracing::info_span!("tenant", tenant.id = %tenant))
    }

    #[inline]
    pub(crate) fn within<R>(&self, body: impl FnOnce() -> R) -> R {
        self.0.in_scope(body)
    }
}

/// Fills in the field of the span around the layer, if that declares one: also where the tenant is suspended.
/// What a caller merely names is not recorded.
pub(crate) fn authorized(tenant: TenantId) {
    let span = Span::current();
    // A layer within a layer's service: that span is of the outer one's tenant.
    if span.metadata().is_some_and(|metadata| metadata.target() != module_path!()) {
        span.record("tenant.id", display(tenant));
    }
}

pub(crate) fn refused(refusal: Refusal) {
    tracing::debug!(status = refusal.status().as_u16(), "request refused: {refusal}");
}

pub(crate) fn failed(error: &dyn std::fmt::Display) {
    tracing::warn!(%error, "a tenant could not be verified");
}
