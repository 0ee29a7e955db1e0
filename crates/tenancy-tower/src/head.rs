//! A request without its body.

use http::{Extensions, HeaderMap, Method, Request, Uri};
use tenancy::TenantId;

/// A request without its body, as sources and policies see it.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'r> {
    method: &'r Method,
    uri: &'r Uri,
    headers: &'r HeaderMap,
    extensions: &'r Extensions,
    token_tenant: Option<TenantId>,
}

impl<'r> RequestHead<'r> {
    /// Returns the method.
    pub fn method(&self) -> &'r Method {
        self.method
    }

    /// Returns the target. With HTTP/1.1 it usually consists of the path and the query alone.
    pub fn uri(&self) -> &'r Uri {
        self.uri
    }

    /// Returns the header fields.
    pub fn headers(&self) -> &'r HeaderMap {
        self.headers
    }

    /// Returns the extensions, where outer layers put the caller's identity or the claims of its token.
    pub fn extensions(&self) -> &'r Extensions {
        self.extensions
    }

    /// Returns the tenant of the request's token, if a source of the layer has verified one.
    ///
    /// `TenantSource::token` of the feature `token` verifies tokens. A policy sees the result, other sources do not.
    pub fn token_tenant(&self) -> Option<TenantId> {
        self.token_tenant
    }

    #[inline]
    pub(crate) fn with_token_tenant(self, token_tenant: Option<TenantId>) -> Self {
        Self { token_tenant, ..self }
    }
}

impl<'r, B> From<&'r Request<B>> for RequestHead<'r> {
    #[inline]
    fn from(request: &'r Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
            token_tenant: None,
        }
    }
}
