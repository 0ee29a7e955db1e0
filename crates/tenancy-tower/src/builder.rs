//! How a layer is made.

use std::time::Duration;

use crate::layer::Shared;
use crate::{Directory, Policy, Source, TenantLayer, TrustHeader};

const TIMEOUT: Duration = Duration::from_secs(1);

/// No [directory](TenantLayerBuilder::directory) was named yet.
#[derive(Clone, Copy, Debug)]
pub struct NoDirectory(());

/// Neither [`authorize`](TenantLayerBuilder::authorize) nor
/// [`trust_header`](TenantLayerBuilder::trust_header) was chosen yet.
#[derive(Clone, Copy, Debug)]
pub struct NoPolicy(());

/// Makes a [`TenantLayer`]: see [`TenantLayer::builder`].
#[derive(Debug)]
#[must_use = "it makes a layer by `build`"]
pub struct TenantLayerBuilder<D, P> {
    directory: D,
    policy: P,
    sources: Vec<Source>,
    exempt: Exempt,
    timeout: Duration,
}

/// The paths that have no tenant.
#[derive(Debug, Default)]
pub(crate) struct Exempt {
    paths: Vec<String>,
    /// With the slash at the end.
    below: Vec<String>,
}

impl Exempt {
    #[inline]
    pub(crate) fn has(&self, path: &str) -> bool {
        self.paths.iter().any(|exempt| exempt == path)
            || self.below.iter().any(|below| path.starts_with(below))
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
        }
    }
}

impl<P> TenantLayerBuilder<NoDirectory, P> {
    /// Says which tenants exist, and in what state.
    pub fn directory<D: Directory>(self, directory: D) -> TenantLayerBuilder<D, P> {
        let Self { policy, sources, exempt, timeout, .. } = self;
        TenantLayerBuilder { directory, policy, sources, exempt, timeout }
    }
}

impl<D> TenantLayerBuilder<D, NoPolicy> {
    /// Asks the policy, for each request, whether its caller may act for the tenant that it names: before the
    /// tenant is looked up.
    pub fn authorize<P: Policy>(self, policy: P) -> TenantLayerBuilder<D, P> {
        self.with_policy(policy)
    }

    /// Believes whatever tenant a request names: for a service that only a trusted proxy can reach, which has
    /// authorized the caller and sets the header itself. Anybody else who reaches it reaches all tenants.
    pub fn trust_header(self) -> TenantLayerBuilder<D, TrustHeader> {
        self.with_policy(TrustHeader(()))
    }

    fn with_policy<P>(self, policy: P) -> TenantLayerBuilder<D, P> {
        let Self { directory, sources, exempt, timeout, .. } = self;
        TenantLayerBuilder { directory, policy, sources, exempt, timeout }
    }
}

impl<D, P> TenantLayerBuilder<D, P> {
    /// Looks for the tenant in this place, and not in the header `X-Tenant-ID`; called again, in each of the
    /// places, which must agree.
    pub fn source(mut self, source: Source) -> Self {
        self.sources.push(source);
        self
    }

    /// Lets a path through without a tenant, whatever its request says: `/healthz`, or with `/*` at the end all
    /// that is below, `/assets/*`. There the context is unset.
    ///
    /// # Panics
    ///
    /// If the path does not begin with `/`, or has a `*` elsewhere than at the end behind a slash.
    pub fn exempt(mut self, path: &str) -> Self {
        let (path, is_below) = match path.strip_suffix('*') {
            Some(below) => (below, true),
            None => (path, false),
        };
        assert!(path.starts_with('/') && !path.contains('*'), "an exempt path begins with `/`");
        assert!(!is_below || path.ends_with('/'), "`*` stands behind a slash");
        if is_below { &mut self.exempt.below } else { &mut self.exempt.paths }.push(path.to_owned());
        self
    }

    /// How long the policy and the directory may take together, 1 s where nothing is said. After that the
    /// request is refused with a 503.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }
}

impl<D: Directory, P: Policy> TenantLayerBuilder<D, P> {
    /// The layer.
    #[must_use]
    pub fn build(self) -> TenantLayer<D, P> {
        let Self { directory, policy, mut sources, exempt, timeout } = self;
        if sources.is_empty() {
            sources.push(Source::tenant_header());
        }
        TenantLayer::new(Shared { directory, policy, sources: sources.into(), exempt, timeout })
    }
}
