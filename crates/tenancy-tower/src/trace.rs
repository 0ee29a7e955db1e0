//! A span around each request, with its tenant, and events for rejections. Nothing without the feature `tracing`.

#[cfg(all(feature = "token", not(feature = "tracing")))]
pub(crate) use self::disabled::token_rejected;
#[cfg(not(feature = "tracing"))]
pub(crate) use self::disabled::{Trace, authorized, failed, rejected};
#[cfg(all(feature = "token", feature = "tracing"))]
pub(crate) use self::enabled::token_rejected;
#[cfg(feature = "tracing")]
pub(crate) use self::enabled::{Trace, authorized, failed, rejected};

#[cfg(feature = "tracing")]
mod enabled {
    use tenancy::TenantId;
    use tracing::Span;
    use tracing::field::display;

    use crate::Rejection;

    #[derive(Clone, Debug)]
    pub(crate) struct Trace(Span);

    impl Trace {
        pub(crate) const NONE: Self = Self(Span::none());

        /// Opens a span. The response's body is polled in it, outside of any other span.
        pub(crate) fn of(tenant: TenantId) -> Self {
            Self(tracing::info_span!("tenant", tenant.id = %tenant))
        }

        #[inline]
        pub(crate) fn in_span<R>(&self, body: impl FnOnce() -> R) -> R {
            self.0.in_scope(body)
        }
    }

    /// Records the tenant in the span around the layer, if that span declares the field, also for a suspended tenant.
    /// A tenant that is only claimed is not recorded.
    pub(crate) fn authorized(tenant: TenantId) {
        let span = Span::current();
        // A span of this module belongs to an outer layer, which may have another tenant.
        if span.metadata().is_some_and(|metadata| metadata.target() != module_path!()) {
            span.record("tenant.id", display(tenant));
        }
    }

    pub(crate) fn rejected(rejection: Rejection) {
        tracing::debug!(status = rejection.status().as_u16(), "request rejected: {rejection}");
    }

    pub(crate) fn failed(error: &dyn std::fmt::Display) {
        tracing::warn!(%error, "tenant not verified");
    }

    #[cfg(feature = "token")]
    pub(crate) fn token_rejected(error: &dyn std::fmt::Display) {
        tracing::debug!(%error, "token rejected");
    }
}

#[cfg(not(feature = "tracing"))]
mod disabled {
    use tenancy::TenantId;

    use crate::Rejection;

    #[derive(Clone, Debug)]
    pub(crate) struct Trace;

    impl Trace {
        pub(crate) const NONE: Self = Self;

        #[inline]
        pub(crate) fn of(_tenant: TenantId) -> Self {
            Self
        }

        #[inline]
        #[allow(clippy::unused_self, reason = "with the feature it has a span")]
        pub(crate) fn in_span<R>(&self, body: impl FnOnce() -> R) -> R {
            body()
        }
    }

    #[inline]
    pub(crate) fn authorized(_tenant: TenantId) {}

    #[inline]
    pub(crate) fn rejected(_rejection: Rejection) {}

    pub(crate) fn failed(_error: &dyn std::fmt::Display) {}

    #[cfg(feature = "token")]
    pub(crate) fn token_rejected(_error: &dyn std::fmt::Display) {}
}
