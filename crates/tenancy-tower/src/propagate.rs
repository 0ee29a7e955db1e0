//! A client layer that adds the tenant to outbound requests.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::uri::Authority;
use http::{HeaderName, HeaderValue, Request, Uri};
use tenancy::{TENANT_HEADER, TenantContext, TenantId};
use tower_layer::Layer;
use tower_service::Service;

/// A client layer that sets the header `X-Tenant-ID` to the current tenant, for listed hosts only.
///
/// The header is removed from requests to all other hosts, and from all requests if no tenant is set.
///
/// A client that follows redirects itself, inside this layer, sends the header to the new host: disable redirects there.
///
/// ```
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use tenancy_tower::PropagateTenantLayer;
/// use tower::ServiceBuilder;
///
/// let client = Client::builder(TokioExecutor::new()).build_http::<axum::body::Body>();
/// let client = ServiceBuilder::new()
///     .layer(PropagateTenantLayer::to(["agents.internal", "billing.internal:8443"]))
///     .service(client);
/// // Called in a tenant, it names it: `client.clone().oneshot(request).await`.
/// # let _ = client;
/// ```
#[derive(Clone, Debug)]
pub struct PropagateTenantLayer(Arc<Allowed>);

#[derive(Debug, Default)]
struct Allowed {
    hosts: Vec<Host>,
    /// Whether requests without a host get the header.
    without_host: bool,
}

/// A host, and its port if only that port is listed.
#[derive(Debug)]
struct Host {
    name: String,
    port: Option<u16>,
}

impl Host {
    fn new(text: &str) -> Self {
        let authority: Authority = text.parse().expect("a host name");
        assert!(!authority.as_str().contains('@'), "a host without a user");
        Self { name: authority.host().to_owned(), port: port_of(&authority).expect("a port") }
    }
}

impl PropagateTenantLayer {
    /// Returns a layer for these hosts: `host`, which includes every port, or `host:port`.
    ///
    /// # Panics
    ///
    /// Panics if a host is invalid, contains a user, or has an invalid port.
    pub fn to<'h>(hosts: impl IntoIterator<Item = &'h str>) -> Self {
        let hosts = hosts.into_iter().map(Host::new).collect();
        Self(Arc::new(Allowed { hosts, without_host: false }))
    }

    /// Returns a layer for requests without a host: for a client that is connected to one server, such as a channel of
    /// tonic.
    pub fn to_connected() -> Self {
        Self(Arc::new(Allowed { hosts: Vec::new(), without_host: true }))
    }
}

impl Allowed {
    fn has(&self, uri: &Uri) -> bool {
        let Some(authority) = uri.authority() else { return self.without_host };
        // With an invalid port it is unknown where the client connects.
        let Ok(port) = port_of(authority) else { return false };
        let port = port.or(match uri.scheme_str() {
            Some("https") => Some(443),
            Some("http") => Some(80),
            _ => None,
        });
        self.hosts.iter().any(|host| {
            host.name.eq_ignore_ascii_case(authority.host()) && (host.port.is_none() || host.port == port)
        })
    }
}

/// The text after a host is not a port.
#[derive(Debug)]
struct InvalidPort;

/// Returns the port after a host, if there is one. `Authority::port_u16` also returns `None` for an invalid port.
fn port_of(authority: &Authority) -> Result<Option<u16>, InvalidPort> {
    let after_user = authority.as_str().rsplit('@').next();
    if after_user == Some(authority.host()) {
        return Ok(None);
    }
    authority.port_u16().map(Some).ok_or(InvalidPort)
}

impl<S> Layer<S> for PropagateTenantLayer {
    type Service = PropagateTenant<S>;

    fn layer(&self, inner: S) -> PropagateTenant<S> {
        PropagateTenant { inner, allowed: Arc::clone(&self.0) }
    }
}

/// A client service that adds the current tenant to requests: see [`PropagateTenantLayer`].
#[derive(Clone)]
pub struct PropagateTenant<S> {
    inner: S,
    allowed: Arc<Allowed>,
}

impl<S, B> Service<Request<B>> for PropagateTenant<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let name = HeaderName::from_static(TENANT_HEADER);
        let tenant = if self.allowed.has(request.uri()) { TenantContext::get_optional() } else { None };
        match tenant.and_then(value) {
            Some(value) => _ = request.headers_mut().insert(name, value),
            None => _ = request.headers_mut().remove(name),
        }
        self.inner.call(request)
    }
}

/// Returns the value of the header. Hexadecimal digits and hyphens are always valid.
fn value(tenant: TenantId) -> Option<HeaderValue> {
    HeaderValue::from_str(tenant.encode(&mut [0; 36])).ok()
}

impl<S: fmt::Debug> fmt::Debug for PropagateTenant<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PropagateTenant").field("inner", &self.inner).finish_non_exhaustive()
    }
}
