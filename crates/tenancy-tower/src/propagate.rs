//! The tenant of outbound requests.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::uri::Authority;
use http::{HeaderName, HeaderValue, Request, Uri};
use tenancy::{TENANT_HEADER, TenantContext, TenantId};
use tower_layer::Layer;
use tower_service::Service;

/// Names the current tenant to the services that are meant to hear of it: `X-Tenant-ID` is set on requests to
/// a list of hosts, and taken off all others, whoever has put it there.
///
/// Where no tenant is set, the header is taken off too: the other service refuses what has no tenant.
/// A client that follows redirects by itself, below this layer, takes its headers to the new host: turn that
/// off.
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
    /// Whether a request without a host is for a host that is meant.
    without_host: bool,
}

/// A host, and its port where only that one is meant.
#[derive(Debug)]
struct Host {
    name: String,
    port: Option<u16>,
}

impl Host {
    fn new(text: &str) -> Self {
        let authority: Authority = text.parse().expect("the name of a host");
        assert!(!authority.as_str().contains('@'), "a host without a user");
        Self { name: authority.host().to_owned(), port: port_of(&authority).expect("a port") }
    }
}

impl PropagateTenantLayer {
    /// Names the tenant to these hosts alone: `host`, at any port, or `host:port`.
    ///
    /// # Panics
    ///
    /// If one of them is no host, has a user in it, or a port that is none.
    pub fn to<'h>(hosts: impl IntoIterator<Item = &'h str>) -> Self {
        let hosts = hosts.into_iter().map(Host::new).collect();
        Self(Arc::new(Allowed { hosts, without_host: false }))
    }

    /// Names the tenant to requests without a host alone: for a client that is connected to one server, such as
    /// a channel of tonic.
    pub fn to_connected() -> Self {
        Self(Arc::new(Allowed { hosts: Vec::new(), without_host: true }))
    }
}

impl Allowed {
    fn has(&self, uri: &Uri) -> bool {
        let Some(authority) = uri.authority() else { return self.without_host };
        // A port that is none: where the client goes is not known.
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

/// What stands behind a host is no port.
#[derive(Debug)]
struct NoPort;

/// The port behind a host, if anything stands there: `Authority` says of a port that is none that there is none.
fn port_of(authority: &Authority) -> Result<Option<u16>, NoPort> {
    let behind_user = authority.as_str().rsplit('@').next();
    if behind_user == Some(authority.host()) {
        return Ok(None);
    }
    authority.port_u16().map(Some).ok_or(NoPort)
}

impl<S> Layer<S> for PropagateTenantLayer {
    type Service = PropagateTenant<S>;

    fn layer(&self, inner: S) -> PropagateTenant<S> {
        PropagateTenant { inner, allowed: Arc::clone(&self.0) }
    }
}

/// A client whose requests name the current tenant: see [`PropagateTenantLayer`].
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

/// Always there: hexadecimal digits and hyphens may stand in a field.
fn value(tenant: TenantId) -> Option<HeaderValue> {
    HeaderValue::from_str(tenant.encode(&mut [0; 36])).ok()
}

impl<S: fmt::Debug> fmt::Debug for PropagateTenant<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PropagateTenant").field("inner", &self.inner).finish_non_exhaustive()
    }
}
