//! A request without its body.

use http::{Extensions, HeaderMap, Method, Request, Uri};

/// What a source and a policy see of a request: all but its body, whose type they need not know.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'r> {
    method: &'r Method,
    uri: &'r Uri,
    headers: &'r HeaderMap,
    extensions: &'r Extensions,
}

impl<'r> RequestHead<'r> {
    /// The method.
    pub fn method(&self) -> &'r Method {
        self.method
    }

    /// The target: of HTTP/1.1 most often the path and query alone.
    pub fn uri(&self) -> &'r Uri {
        self.uri
    }

    /// The header fields.
    pub fn headers(&self) -> &'r HeaderMap {
        self.headers
    }

    /// What the layers outside of this one found out: the caller's identity, its token's claims.
    pub fn extensions(&self) -> &'r Extensions {
        self.extensions
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
        }
    }
}
