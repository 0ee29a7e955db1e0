//! Where a request names its tenant.

mod host;
mod path;

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::LazyLock;

use http::{Extensions, HeaderName};
use tenancy::{ResolveTenantError, TENANT_HEADER, TenantClaims, TenantId, TenantSlug};

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

/// The tenant of a name that no tenant has: an id that nobody can guess, and no directory knows. So such a name is
/// answered like the name of a tenant for which the caller may not act, by the same steps.
fn nobody() -> TenantId {
    static NOBODY: LazyLock<TenantId> = LazyLock::new(|| {
        // Keyed by the system's randomness, which the standard library offers in no other way.
        let half = || u128::from(RandomState::new().build_hasher().finish());
        loop {
            // Fails for nil and all ones, so hardly ever.
            if let Ok(tenant) = TenantId::from_bytes((half() << 64 | half()).to_be_bytes()) {
                break tenant;
            }
        }
    });
    *NOBODY
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
    /// in `/v1/agents` there is none. Another part in braces, as in `/{region}/{tenant}`, is any part.
    ///
    /// Parts are compared as they are sent: an id that is percent-encoded is malformed.
    ///
    /// It is the path that the layer sees. Within a nested router of axum the prefix is gone, so a template with it
    /// matches nothing, and another source that names a tenant has nothing to agree with: put the layer around
    /// the whole router.
    ///
    /// # Panics
    ///
    /// If the template does not begin with `/`, has not one part that is `{tenant}`, or has a brace or a `*`
    /// elsewhere.
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
    /// If the base domain is not a name of letters, digits, hyphens and dots: it has no scheme and no port.
    pub fn subdomain(base_domain: &str) -> Self {
        Self(Kind::Subdomain(BaseDomain::new(base_domain)))
    }

    /// Like [`subdomain`](Self::subdomain), but the label is a tenant's name: `acme.example.com`. The caller
    /// looks it up, in lower case, in memory. A name that nobody has is answered like a tenant for which the
    /// caller may not act.
    ///
    /// # Panics
    ///
    /// If the base domain is not a name of letters, digits, hyphens and dots: it has no scheme and no port.
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

    /// Adds what this source names, if anything.
    #[inline]
    fn add_to(&self, claims: &mut TenantClaims, request: &RequestHead<'_>) -> Result<(), ResolveTenantError> {
        match &self.0 {
            Kind::Header(name) => {
                // A request has about ten fields: to compare their names costs less than to hash this one.
                let fields = request.headers().iter().filter(|(field, _)| *field == name);
                claims.header(fields.map(|(_, value)| value.as_bytes()))
            }
            Kind::Path(template) => match template.tenant_in(request.uri().path()) {
                Some(part) => claims.text(part.as_bytes()),
                None => Ok(()),
            },
            Kind::Subdomain(base) => match base.label_of(request)? {
                Some(label) => claims.text(label.as_bytes()),
                None => Ok(()),
            },
            Kind::Slug(base, tenant_of) => match base.label_of(request)? {
                Some(label) => claims.tenant(by_name(label, tenant_of).unwrap_or_else(nobody)),
                None => Ok(()),
            },
            Kind::Claim(tenant_of) => match tenant_of(request.extensions()) {
                Some(tenant) => claims.tenant(tenant),
                None => Ok(()),
            },
        }
    }
}

/// The tenant of a label, in lower case. No slug is longer than a label may be.
fn by_name(label: &str, tenant_of: &TenantOf<str>) -> Option<TenantId> {
    let mut lower = [0; TenantSlug::MAX_LEN];
    let lower = lower.get_mut(..label.len())?;
    lower.copy_from_slice(label.as_bytes());
    lower.make_ascii_lowercase();
    tenant_of(str::from_utf8(lower).ok()?)
}

/// What all sources together name. All of them are read: which of their faults is told depends on none of them
/// being a name that a tenant has.
#[inline]
pub(crate) fn resolve(sources: &[Source], request: &RequestHead<'_>) -> Result<TenantId, ResolveTenantError> {
    let mut claims = TenantClaims::new();
    let mut conflict = false;
    for source in sources {
        match source.add_to(&mut claims, request) {
            Err(ResolveTenantError::Conflict) => conflict = true,
            added => added?,
        }
    }
    if conflict { Err(ResolveTenantError::Conflict) } else { claims.resolve() }
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
