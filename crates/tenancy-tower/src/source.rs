//! Where a request names its tenant.

mod host;
mod path;

use std::fmt;

use http::{Extensions, HeaderName};
use tenancy::{ResolveTenantError, TENANT_HEADER, TenantClaims, TenantId};

use crate::RequestHead;
use host::BaseDomain;
use path::Template;

/// A place in a request that may name its tenant.
///
/// A layer has one or more; what none of them names is refused as missing, and all that name a tenant must
/// name the same. A tenant that is named is only claimed: the [policy](crate::Policy) comes after.
pub struct Source(Kind);

enum Kind {
    Header(HeaderName),
    Path(Template),
    Subdomain(BaseDomain),
    Slug(BaseDomain, TenantOf<str>),
    Claim(TenantOf<Extensions>),
}

type TenantOf<T> = Box<dyn Fn(&T) -> Option<TenantId> + Send + Sync>;

/// What the sources name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Claimed {
    Tenant(TenantId),
    /// A name that no tenant has.
    Nobody,
}

impl Source {
    /// The header `X-Tenant-ID`, the only source where no other is named. It must be there once, with an id
    /// in any of the forms that [`TenantId::parse`] reads.
    pub fn tenant_header() -> Self {
        Self::header(HeaderName::from_static(TENANT_HEADER))
    }

    /// A header of another name.
    pub fn header(name: HeaderName) -> Self {
        Self(Kind::Header(name))
    }

    /// The part of the path at `{tenant}`, in paths that begin like the template:
    /// `/v1/tenants/{tenant}` finds it in `/v1/tenants/550e8400-e29b-41d4-a716-446655440000/agents`, and
    /// in `/v1/agents` there is none. Parts are compared as they are sent: an id that is percent-encoded is
    /// malformed.
    ///
    /// # Panics
    ///
    /// If the template does not begin with `/`, or has not one part that is `{tenant}`.
    pub fn path(template: &str) -> Self {
        Self(Kind::Path(Template::new(template)))
    }

    /// The label before a base domain, which is an id: `550e8400-e29b-41d4-a716-446655440000.example.com`.
    ///
    /// The host is that of the target, and the field `Host`: where both are there they must agree. A host
    /// that does not end in the base domain, or is the base domain, names no tenant; more than one label
    /// before it is malformed.
    ///
    /// # Panics
    ///
    /// If the base domain is empty.
    pub fn subdomain(base_domain: &str) -> Self {
        Self(Kind::Subdomain(BaseDomain::new(base_domain)))
    }

    /// Like [`subdomain`](Self::subdomain), but the label is a tenant's name: `acme.example.com`. The caller
    /// looks it up, in lower case, in memory. A name that nobody has is answered like a tenant for which the
    /// caller may not act.
    ///
    /// # Panics
    ///
    /// If the base domain is empty.
    pub fn slug_subdomain(
        base_domain: &str,
        tenant_of: impl Fn(&str) -> Option<TenantId> + Send + Sync + 'static,
    ) -> Self {
        Self(Kind::Slug(BaseDomain::new(base_domain), Box::new(tenant_of)))
    }

    /// A claim of type `T` in the request's extensions: what a verified token says, where an earlier layer
    /// has put it.
    pub fn claim<T, F>(tenant_of: F) -> Self
    where
        T: Send + Sync + 'static,
        F: Fn(&T) -> Option<TenantId> + Send + Sync + 'static,
    {
        Self(Kind::Claim(Box::new(move |extensions| extensions.get::<T>().and_then(&tenant_of))))
    }

    /// Adds what this source names, if anything; whether that is a name of nobody.
    #[inline]
    fn add_to(
        &self,
        claims: &mut TenantClaims,
        request: &RequestHead<'_>,
    ) -> Result<bool, ResolveTenantError> {
        match &self.0 {
            Kind::Header(name) => {
                // A request has about ten fields: to compare their names costs less than to hash this one.
                let fields = request.headers().iter().filter(|(field, _)| *field == name);
                claims.header(fields.map(|(_, value)| value.as_bytes()))?;
            }
            Kind::Path(template) => {
                if let Some(part) = template.tenant_in(request.uri().path()) {
                    claims.text(part.as_bytes())?;
                }
            }
            Kind::Subdomain(base) => {
                if let Some(label) = base.label_of(request)? {
                    claims.text(label.as_bytes())?;
                }
            }
            Kind::Slug(base, tenant_of) => {
                if let Some(label) = base.label_of(request)? {
                    let Some(tenant) = tenant_of(&label.to_ascii_lowercase()) else { return Ok(true) };
                    claims.tenant(tenant)?;
                }
            }
            Kind::Claim(tenant_of) => {
                if let Some(tenant) = tenant_of(request.extensions()) {
                    claims.tenant(tenant)?;
                }
            }
        }
        Ok(false)
    }
}

/// What all sources together name.
#[inline]
pub(crate) fn resolve(sources: &[Source], request: &RequestHead<'_>) -> Result<Claimed, ResolveTenantError> {
    let mut claims = TenantClaims::new();
    let mut nobody = false;
    for source in sources {
        nobody |= source.add_to(&mut claims, request)?;
    }
    match (claims.resolve(), nobody) {
        (Ok(_), true) => Err(ResolveTenantError::Conflict),
        (Err(_), true) => Ok(Claimed::Nobody),
        (claimed, false) => claimed.map(Claimed::Tenant),
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Header(name) => f.debug_tuple("Header").field(name).finish(),
            Kind::Path(template) => f.debug_tuple("Path").field(template).finish(),
            Kind::Subdomain(base) => f.debug_tuple("Subdomain").field(base).finish(),
            Kind::Slug(base, _) => f.debug_tuple("SlugSubdomain").field(base).finish_non_exhaustive(),
            Kind::Claim(_) => f.debug_tuple("Claim").finish_non_exhaustive(),
        }
    }
}
