//! A client layer that adds the tenant to outbound requests.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::uri::Authority;
use http::{HeaderName, HeaderValue, Request, Uri};
use tenancy::{TENANT_HEADER, TenantContext, TenantId};
use tower_layer::Layer;
use tower_service::Service;
#[cfg(feature = "token")]
use {crate::rejection::is_grpc, crate::signer::Signer, std::time::Duration, tenancy_token::TokenKey};

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
///
/// With the feature `token`, `signed` adds a signed token, which the receiver can verify.
#[derive(Clone, Debug)]
pub struct PropagateTenantLayer {
    allowed: Arc<Allowed>,
    #[cfg(feature = "token")]
    signer: Option<Arc<Signer>>,
}

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
        Self::new(Allowed { hosts, without_host: false })
    }

    /// Returns a layer for requests without a host: for a client that is connected to one server, such as a channel of
    /// tonic.
    pub fn to_connected() -> Self {
        Self::new(Allowed { hosts: Vec::new(), without_host: true })
    }

    fn new(allowed: Allowed) -> Self {
        Self {
            allowed: Arc::new(allowed),
            #[cfg(feature = "token")]
            signer: None,
        }
    }

    /// Adds a token of the current tenant to each request that gets the header `X-Tenant-ID`.
    ///
    /// The token is in `Authorization: Bearer`, and replaces a credential that the request already has. In a gRPC
    /// request it is the binary metadata `tenant-token-bin`. Each token has an id of its own, is for `audience`, and
    /// expires after `lifetime`. All other requests lose the tokens that they have, for example because they are
    /// forwarded; credentials of another kind stay.
    ///
    /// The layer adds no token while the system's clock is before 1970.
    ///
    /// # Panics
    ///
    /// Panics if the key only verifies, the audience is empty or too long, or the lifetime is less than a second.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tenancy_token::TokenKey;
    /// use tenancy_tower::PropagateTenantLayer;
    ///
    /// # let secret = [7; 32];
    /// let key = TokenKey::hmac(b"2026-12", &secret)?;
    /// let layer = PropagateTenantLayer::to(["agents.internal"]).signed(key, "agents", Duration::from_secs(60));
    /// # let _ = layer;
    /// # Ok::<(), tenancy_token::TokenError>(())
    /// ```
    #[cfg(feature = "token")]
    #[cfg_attr(docsrs, doc(cfg(feature = "token")))]
    #[must_use]
    pub fn signed(self, key: TokenKey, audience: &str, lifetime: Duration) -> Self {
        Self { signer: Some(Arc::new(Signer::new(key, audience, lifetime, None))), ..self }
    }

    /// Adds a token as [`signed`](Self::signed) does, in a header of this name, so that `Authorization` stays as it is.
    ///
    /// # Panics
    ///
    /// Panics as [`signed`](Self::signed) does.
    #[cfg(feature = "token")]
    #[cfg_attr(docsrs, doc(cfg(feature = "token")))]
    #[must_use]
    pub fn signed_in(self, header: HeaderName, key: TokenKey, audience: &str, lifetime: Duration) -> Self {
        Self { signer: Some(Arc::new(Signer::new(key, audience, lifetime, Some(header)))), ..self }
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
        PropagateTenant { inner, layer: self.clone() }
    }
}

/// A client service that adds the current tenant to requests: see [`PropagateTenantLayer`].
#[derive(Clone)]
pub struct PropagateTenant<S> {
    inner: S,
    layer: PropagateTenantLayer,
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
        let tenant = if self.layer.allowed.has(request.uri()) { TenantContext::get_optional() } else { None };
        #[cfg(feature = "token")]
        if let Some(signer) = &self.layer.signer {
            let is_grpc = is_grpc(&request);
            signer.sign(request.headers_mut(), is_grpc, tenant);
        }
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
