//! The builder of a layer.

use std::time::Duration;

use crate::exempt::Exempt;
use crate::layer::Shared;
use crate::{Directory, Policy, TenantLayer, TenantSource, TrustHeader};

const TIMEOUT: Duration = Duration::from_secs(1);

/// The state of a builder without a [directory](TenantLayerBuilder::directory).
#[derive(Clone, Copy, Debug)]
pub struct NoDirectory(());

/// The state of a builder without a choice between [`authorize`](TenantLayerBuilder::authorize) and
/// [`trust_header`](TenantLayerBuilder::trust_header).
#[derive(Clone, Copy, Debug)]
pub struct NoPolicy(());

/// A builder of a [`TenantLayer`]: see [`TenantLayer::builder`].
#[derive(Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct TenantLayerBuilder<D, P> {
    directory: D,
    policy: P,
    sources: Vec<TenantSource>,
    exempt: Exempt,
    timeout: Duration,
    exposes_rejections: bool,
}

impl TenantLayer<NoDirectory, NoPolicy> {
    /// Returns a builder. A layer needs a directory, and either a policy or an explicit [`trust_header`].
    ///
    /// [`trust_header`]: TenantLayerBuilder::trust_header
    ///
    /// ```
    /// use tenancy::{TenantId, TenantStatus};
    /// use tenancy_tower::{SnapshotDirectory, TenantLayer, claim_equals};
    ///
    /// let directory: SnapshotDirectory = [(TenantId::PLATFORM, TenantStatus::Active)].into_iter().collect();
    /// let layer = TenantLayer::builder()
    ///     .directory(directory)
    ///     .authorize(claim_equals(|tenant: &TenantId| Some(*tenant)))
    ///     .exempt("/healthz")
    ///     .build();
    /// # let _ = layer;
    /// ```
    ///
    /// A layer without a choice of authorization does not compile:
    ///
    /// ```compile_fail,E0599
    /// let layer = tenancy_tower::TenantLayer::builder().directory(tenancy_tower::SnapshotDirectory::new()).build();
    /// ```
    ///
    /// A layer without a directory does not compile either:
    ///
    /// ```compile_fail,E0599
    /// let layer = tenancy_tower::TenantLayer::builder().trust_header().build();
    /// ```
    pub fn builder() -> TenantLayerBuilder<NoDirectory, NoPolicy> {
        TenantLayerBuilder::new()
    }
}

impl TenantLayerBuilder<NoDirectory, NoPolicy> {
    pub(crate) fn new() -> Self {
        Self {
            directory: NoDirectory(()),
            policy: NoPolicy(()),
            sources: Vec::new(),
            exempt: Exempt::default(),
            timeout: TIMEOUT,
            exposes_rejections: false,
        }
    }
}

impl<P> TenantLayerBuilder<NoDirectory, P> {
    /// Sets the directory, which knows the tenants and their status.
    pub fn directory<D: Directory>(self, directory: D) -> TenantLayerBuilder<D, P> {
        let Self { policy, sources, exempt, timeout, exposes_rejections, .. } = self;
        TenantLayerBuilder { directory, policy, sources, exempt, timeout, exposes_rejections }
    }
}

impl<D> TenantLayerBuilder<D, NoPolicy> {
    /// Sets the policy, which decides for each request whether its caller may act for the tenant, before the tenant is
    /// looked up.
    pub fn authorize<P: Policy>(self, policy: P) -> TenantLayerBuilder<D, P> {
        self.with_policy(policy)
    }

    /// Grants every caller access to the tenant that the request names.
    ///
    /// This is for a service that only a trusted proxy can reach, if the proxy authorizes the caller and sets the header
    /// itself. Any other client that reaches the service can act for all tenants.
    pub fn trust_header(self) -> TenantLayerBuilder<D, TrustHeader> {
        self.with_policy(TrustHeader(()))
    }

    fn with_policy<P>(self, policy: P) -> TenantLayerBuilder<D, P> {
        let Self { directory, sources, exempt, timeout, exposes_rejections, .. } = self;
        TenantLayerBuilder { directory, policy, sources, exempt, timeout, exposes_rejections }
    }
}

impl<D, P> TenantLayerBuilder<D, P> {
    /// Adds a source of the tenant, instead of the header `X-Tenant-ID`. Several sources must agree.
    pub fn source(mut self, source: TenantSource) -> Self {
        self.sources.push(source);
        self
    }

    /// Exempts a path, for example `/healthz`, or everything below it with `/*` at the end, for example `/assets/*`.
    ///
    /// Requests for it run without a tenant, whatever they name.
    ///
    /// # Panics
    ///
    /// Panics if the path does not begin with `/`, or has a `*` elsewhere than after the last slash.
    pub fn exempt(mut self, path: &str) -> Self {
        self.exempt.add(path);
        self
    }

    /// Sets how long the policy and the directory may take together; the default is 1 s. After that time the request is
    /// rejected with status 503.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Adds the [`Rejection`](crate::Rejection) to the extensions of each response that rejects a request.
    ///
    /// An outer layer can read it there and replace the response by one in the application's own format. It costs one
    /// allocation per rejected request.
    ///
    /// ```
    /// use axum::response::{IntoResponse, Response};
    /// use tenancy_tower::Rejection;
    ///
    /// /// For `axum::middleware::map_response`, outside of the layer.
    /// async fn shape(response: Response) -> Response {
    ///     match response.extensions().get::<Rejection>() {
    ///         Some(rejection) => (rejection.status(), format!("error: {rejection}")).into_response(),
    ///         None => response,
    ///     }
    /// }
    /// ```
    pub fn expose_rejections(self) -> Self {
        Self { exposes_rejections: true, ..self }
    }
}

impl<D: Directory, P: Policy> TenantLayerBuilder<D, P> {
    /// Builds the layer.
    #[must_use]
    pub fn build(self) -> TenantLayer<D, P> {
        let Self { directory, policy, mut sources, exempt, timeout, exposes_rejections } = self;
        if sources.is_empty() {
            sources.push(TenantSource::tenant_header());
        }
        TenantLayer::new(Shared {
            directory,
            policy,
            sources: sources.into(),
            exempt,
            timeout,
            exposes_rejections,
        })
    }
}
