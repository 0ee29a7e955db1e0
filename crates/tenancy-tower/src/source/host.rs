//! The label before a base domain.

use http::header::HOST;
use tenancy::{ResolveTenantError, TenantClaims};

use crate::RequestHead;

/// A base domain in lower case.
#[derive(Debug)]
pub(super) struct BaseDomain(String);

impl BaseDomain {
    pub(super) fn new(domain: &str) -> Self {
        let mut bytes = domain.bytes();
        let is_name = bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
        let has_labels = domain.split('.').all(|label| !label.is_empty());
        assert!(is_name && has_labels, "a base domain is a domain name, for example `example.com`");
        Self(domain.to_ascii_lowercase())
    }

    /// Returns the label before the base domain in the request's host, if there is one.
    pub(super) fn label_of<'r>(
        &self,
        request: &RequestHead<'r>,
    ) -> Result<Option<&'r str>, ResolveTenantError> {
        let Some(host) = host(request)? else { return Ok(None) };
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

/// Returns the error for a text that is not an id.
pub(super) fn malformed() -> ResolveTenantError {
    match TenantClaims::new().text(b"") {
        Err(error) => error,
        Ok(()) => ResolveTenantError::Missing,
    }
}

/// Returns the request's host without its port, from the target, the field `Host`, or both if they agree.
fn host<'r>(request: &RequestHead<'r>) -> Result<Option<&'r str>, ResolveTenantError> {
    let mut fields = request.headers().get_all(HOST).iter();
    let field = match (fields.next(), fields.next()) {
        (_, Some(_)) => return Err(ResolveTenantError::Duplicate),
        (Some(field), None) => {
            let name = field.to_str().ok().and_then(without_port).ok_or_else(malformed)?;
            Some(without_root(name))
        }
        (None, None) => None,
    };
    match (request.uri().host().map(without_root), field) {
        (Some(target), Some(field)) if !target.eq_ignore_ascii_case(field) => {
            Err(ResolveTenantError::Conflict)
        }
        (target, field) => Ok(target.or(field)),
    }
}

/// Returns the name or the bracketed address of a field `Host` (RFC 9110, section 7.2), if the field is valid.
fn without_port(host: &str) -> Option<&str> {
    let end = if host.starts_with('[') { host.find(']')? + 1 } else { host.find(':').unwrap_or(host.len()) };
    let (name, port) = host.split_at_checked(end)?;
    let is_port = match port.strip_prefix(':') {
        Some(port) => port.is_empty() || port.parse::<u16>().is_ok(),
        None => port.is_empty(),
    };
    (is_port && !name.contains('@')).then_some(name)
}

/// Removes the dot of the root domain, which belongs to no label.
fn without_root(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}
