//! A label of the host's name.

use http::header::HOST;
use tenancy::{ResolveTenantError, TenantClaims};

use crate::RequestHead;

/// In lower case, without a dot at either end.
#[derive(Debug)]
pub(super) struct BaseDomain(String);

impl BaseDomain {
    pub(super) fn new(domain: &str) -> Self {
        let domain = domain.trim_matches('.');
        assert!(!domain.is_empty(), "a base domain is not empty");
        Self(domain.to_ascii_lowercase())
    }

    /// The one label before the base domain, in the request's host; `None` where there is none.
    pub(super) fn label_of<'r>(
        &self,
        request: &RequestHead<'r>,
    ) -> Result<Option<&'r str>, ResolveTenantError> {
        let Some(host) = host(request)? else { return Ok(None) };
        let host = host.strip_suffix('.').unwrap_or(host);
        let Some((label, rest)) =
            host.len().checked_sub(self.0.len()).and_then(|at| host.split_at_checked(at))
        else {
            return Ok(None);
        };
        match label.strip_suffix('.') {
            Some(label) if rest.eq_ignore_ascii_case(&self.0) => {
                if label.contains('.') || label.is_empty() {
                    return Err(malformed());
                }
                Ok(Some(label))
            }
            _ => Ok(None),
        }
    }
}

/// The error of a text that is no id.
fn malformed() -> ResolveTenantError {
    match TenantClaims::new().text(b"") {
        Err(error) => error,
        Ok(()) => ResolveTenantError::Missing,
    }
}

/// The request's host, without its port: of the target, of the field `Host`, or of both if they agree.
fn host<'r>(request: &RequestHead<'r>) -> Result<Option<&'r str>, ResolveTenantError> {
    let mut fields = request.headers().get_all(HOST).iter();
    let field = match (fields.next(), fields.next()) {
        (_, Some(_)) => return Err(ResolveTenantError::Duplicate),
        (Some(field), None) => Some(without_port(field.to_str().map_err(|_| malformed())?)),
        (None, None) => None,
    };
    match (request.uri().host(), field) {
        (Some(target), Some(field)) if !target.eq_ignore_ascii_case(field) => {
            Err(ResolveTenantError::Conflict)
        }
        (target, field) => Ok(target.or(field)),
    }
}

/// A name has no colon in it, and an address is no name of a tenant.
fn without_port(host: &str) -> &str {
    host.split_once(':').map_or(host, |(name, _)| name)
}
