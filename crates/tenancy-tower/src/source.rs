//! The parts of a request that can name its tenant.

mod host;
mod path;
#[cfg(feature = "token")]
mod token;

use std::fmt;
use std::sync::LazyLock;

use http::{Extensions, HeaderName};
use tenancy::{ResolveTenantError, TENANT_HEADER, TenantClaims, TenantId, TenantSlug};

use crate::{Rejection, RequestHead};
use host::{BaseDomain, malformed};
use path::Template;

/// A part of a request that may name its tenant.
///
/// A layer has one or more sources. A request is rejected if no source names a tenant, or if two sources name different
/// tenants. A named tenant is only a claim: the [policy](crate::Policy) decides afterwards.
pub struct TenantSource(Kind);

enum Kind {
    Header(HeaderName),
    Path(Template),
    Subdomain(BaseDomain),
    SlugHeader(HeaderName, TenantOf<str>),
    SlugSubdomain(BaseDomain, TenantOf<str>),
    Claim(TenantOf<Extensions>),
    #[cfg(feature = "token")]
    Token(token::TokenSource),
}

type TenantOf<T> = Box<dyn Fn(&T) -> Option<TenantId> + Send + Sync>;

/// Returns a random id for unknown names, so that unknown and forbidden names take the same steps.
fn unknown_tenant() -> TenantId {
    static UNKNOWN: LazyLock<TenantId> = LazyLock::new(|| {
        let mut bytes = [0; 16];
        loop {
            // A caller who could guess the id could name a tenant that no policy expects.
            getrandom::fill(&mut bytes).expect("the random generator of the system works");
            // Fails only for the nil UUID and the max UUID.
            if let Ok(tenant) = TenantId::from_bytes(bytes) {
                break tenant;
            }
        }
    });
    *UNKNOWN
}

impl TenantSource {
    /// Returns the header `X-Tenant-ID`, which is the default if a layer has no other source.
    ///
    /// Its value is an id in any form that [`TenantId::parse`] accepts.
    pub fn tenant_header() -> Self {
        Self::header(HeaderName::from_static(TENANT_HEADER))
    }

    /// Returns a header of another name, whose value is an id.
    pub fn header(name: HeaderName) -> Self {
        Self(Kind::Header(name))
    }

    /// Returns a header whose value is a tenant's name instead of its id: `X-Tenant: acme`.
    ///
    /// `tenant_of` looks the name up in memory and gets it in lower case. A name that no tenant has is answered like a
    /// tenant for which the caller may not act. A value that is not a [slug](TenantSlug) is malformed.
    ///
    /// ```
    /// use http::HeaderName;
    /// use tenancy::{TenantId, tenant_id};
    /// use tenancy_tower::TenantSource;
    ///
    /// const ACME: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
    ///
    /// let source = TenantSource::slug_header(HeaderName::from_static("x-tenant"), |name| {
    ///     (name == "acme").then_some(ACME)
    /// });
    /// # let _ = source;
    /// ```
    pub fn slug_header(
        name: HeaderName,
        tenant_of: impl Fn(&str) -> Option<TenantId> + Send + Sync + 'static,
    ) -> Self {
        Self(Kind::SlugHeader(name, Box::new(tenant_of)))
    }

    /// Returns the segment `{tenant}` of paths that begin like the template.
    ///
    /// The template `/v1/tenants/{tenant}` finds the id in `/v1/tenants/550e8400-e29b-41d4-a716-446655440000/agents`
    /// and none in `/v1/agents`. Another segment in braces, as in `/{region}/{tenant}`, matches any text. Segments are
    /// compared as they are sent: a percent-encoded id is malformed.
    ///
    /// The template is matched against the path that the layer sees. Inside a nested router of axum the prefix is
    /// removed, so a template with the prefix never matches: put the layer around the whole router.
    ///
    /// # Panics
    ///
    /// Panics if the template does not begin with `/`, does not have exactly one segment `{tenant}`, or has a brace or
    /// a `*` elsewhere.
    pub fn path(template: &str) -> Self {
        Self(Kind::Path(Template::new(template)))
    }

    /// Returns the label before a base domain, which is an id: `550e8400-e29b-41d4-a716-446655440000.example.com`.
    ///
    /// The host is taken from the request's target and from the field `Host`, which must agree if both exist. The base
    /// domain itself and hosts of other domains name no tenant. More than one label before the base domain is malformed.
    ///
    /// # Panics
    ///
    /// Panics if the base domain has other characters than letters, digits, hyphens and dots. It has no scheme and no
    /// port.
    pub fn subdomain(base_domain: &str) -> Self {
        Self(Kind::Subdomain(BaseDomain::new(base_domain)))
    }

    /// Returns the label before a base domain, which is a tenant's name: `acme.example.com`.
    ///
    /// It is [`subdomain`](Self::subdomain) in all else. `tenant_of` looks the name up in memory and gets it in lower
    /// case. A name that no tenant has is answered like a tenant for which the caller may not act.
    ///
    /// # Panics
    ///
    /// Panics as [`subdomain`](Self::subdomain) does.
    pub fn slug_subdomain(
        base_domain: &str,
        tenant_of: impl Fn(&str) -> Option<TenantId> + Send + Sync + 'static,
    ) -> Self {
        Self(Kind::SlugSubdomain(BaseDomain::new(base_domain), Box::new(tenant_of)))
    }

    /// Returns a claim of type `T` in the request's extensions, where an outer layer has put it after it verified a
    /// token.
    pub fn claim<T, F>(tenant_of: F) -> Self
    where
        T: Send + Sync + 'static,
        F: Fn(&T) -> Option<TenantId> + Send + Sync + 'static,
    {
        Self(Kind::Claim(Box::new(move |extensions| extensions.get::<T>().and_then(&tenant_of))))
    }

    /// Returns the tenant of a signed token, which the verifier checks with the system's time.
    ///
    /// The token is in `Authorization: Bearer`, in the form of [`encode_text`](tenancy_token::encode_text). In gRPC it
    /// is the binary metadata `tenant-token-bin`; then `Authorization` is not read.
    ///
    /// If the request has a token, it must also be valid and agree with the header `X-Tenant-ID`, if there is one. A
    /// request without a token gets no tenant from this source, whatever the header says. Use
    /// [`holder_of_token`](crate::holder_of_token) as the policy if the token is the permission.
    ///
    /// A token can be sent again until it expires. Use TLS and short lifetimes.
    #[cfg(feature = "token")]
    #[cfg_attr(docsrs, doc(cfg(feature = "token")))]
    pub fn token<const KEYS: usize>(verifier: tenancy_token::Verifier<KEYS>) -> Self {
        Self(Kind::Token(token::TokenSource::new(None, verifier)))
    }

    /// Returns the tenant of a signed token in a header of this name. It is [`token`](Self::token) in all else.
    ///
    /// The value is the token's text, also after the scheme `Bearer`. If the name ends with `-bin`, the value is base64,
    /// as gRPC encodes binary metadata.
    #[cfg(feature = "token")]
    #[cfg_attr(docsrs, doc(cfg(feature = "token")))]
    pub fn token_header<const KEYS: usize>(
        name: HeaderName,
        verifier: tenancy_token::Verifier<KEYS>,
    ) -> Self {
        Self(Kind::Token(token::TokenSource::new(Some(name), verifier)))
    }

    /// Adds the tenant that this source names, if any.
    #[inline]
    fn add_to(&self, resolving: &mut Resolving, request: &RequestHead<'_>) -> Result<(), Rejection> {
        let claims = &mut resolving.claims;
        let added = match &self.0 {
            Kind::Header(name) => claims.header(values(request, name)),
            Kind::SlugHeader(name, tenant_of) => {
                let mut fields = request.headers().get_all(name).iter();
                match (fields.next(), fields.next()) {
                    (None, _) => Ok(()),
                    (Some(_), Some(_)) => Err(ResolveTenantError::Duplicate),
                    (Some(field), None) => match field.to_str().ok().filter(|slug| is_slug(slug)) {
                        Some(slug) => claims.tenant(by_name(slug, tenant_of).unwrap_or_else(unknown_tenant)),
                        None => Err(malformed()),
                    },
                }
            }
            Kind::Path(template) => match template.tenant_in(request.uri().path()) {
                Some(part) => claims.text(part.as_bytes()),
                None => Ok(()),
            },
            Kind::Subdomain(base) => match base.label_of(request)? {
                Some(label) => claims.text(label.as_bytes()),
                None => Ok(()),
            },
            Kind::SlugSubdomain(base, tenant_of) => match base.label_of(request)? {
                Some(label) => claims.tenant(by_name(label, tenant_of).unwrap_or_else(unknown_tenant)),
                None => Ok(()),
            },
            Kind::Claim(tenant_of) => match tenant_of(request.extensions()) {
                Some(tenant) => claims.tenant(tenant),
                None => Ok(()),
            },
            #[cfg(feature = "token")]
            Kind::Token(source) => match source.tenant(request.headers())? {
                Some(tenant) => {
                    resolving.token_tenant = Some(tenant);
                    let header = HeaderName::from_static(TENANT_HEADER);
                    claims.tenant(tenant).and_then(|()| claims.header(values(request, &header)))
                }
                None => Ok(()),
            },
        };
        Ok(added?)
    }
}

/// Returns the values of all fields with this name.
#[inline]
fn values<'r>(request: &RequestHead<'r>, name: &HeaderName) -> impl Iterator<Item = &'r [u8]> {
    // A request has about ten fields: comparing their names costs less than hashing this one.
    let fields = request.headers().iter().filter(move |(field, _)| *field == name);
    fields.map(|(_, value)| value.as_bytes())
}

/// Returns whether a name is a slug, in any case.
fn is_slug(name: &str) -> bool {
    let mut lower = [0; TenantSlug::MAX_LEN];
    lowercase(name, &mut lower).is_some_and(|name| TenantSlug::parse(name).is_ok())
}

/// Writes a name in lower case. Returns `None` if it is longer than a slug.
fn lowercase<'b>(name: &str, buffer: &'b mut [u8; TenantSlug::MAX_LEN]) -> Option<&'b str> {
    let lower = buffer.get_mut(..name.len())?;
    lower.copy_from_slice(name.as_bytes());
    lower.make_ascii_lowercase();
    str::from_utf8(lower).ok()
}

/// Returns the tenant of a name, in lower case.
fn by_name(label: &str, tenant_of: &TenantOf<str>) -> Option<TenantId> {
    let mut lower = [0; TenantSlug::MAX_LEN];
    tenant_of(lowercase(label, &mut lower)?)
}

/// The tenant that all sources name.
pub(crate) struct Resolved {
    pub(crate) tenant: TenantId,
    /// The tenant of a verified token, if the request has one.
    pub(crate) token_tenant: Option<TenantId>,
}

/// What the sources have named so far.
struct Resolving {
    claims: TenantClaims,
    token_tenant: Option<TenantId>,
}

/// Returns the tenant that all sources name.
///
/// All sources are read, so that the error does not depend on whether one of the names belongs to a tenant.
#[inline]
pub(crate) fn resolve(sources: &[TenantSource], request: &RequestHead<'_>) -> Result<Resolved, Rejection> {
    let mut resolving = Resolving { claims: TenantClaims::new(), token_tenant: None };
    let mut conflict = false;
    for source in sources {
        match source.add_to(&mut resolving, request) {
            Err(Rejection::Conflict) => conflict = true,
            added => added?,
        }
    }
    if conflict {
        return Err(Rejection::Conflict);
    }
    Ok(Resolved { tenant: resolving.claims.resolve()?, token_tenant: resolving.token_tenant })
}

impl fmt::Debug for TenantSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Header(name) => f.debug_tuple("Header").field(name).finish(),
            Kind::Path(template) => f.debug_tuple("Path").field(template).finish(),
            Kind::Subdomain(base) => f.debug_tuple("Subdomain").field(base).finish(),
            Kind::SlugHeader(name, _) => f.debug_tuple("SlugHeader").field(name).finish_non_exhaustive(),
            Kind::SlugSubdomain(base, _) => {
                f.debug_tuple("SlugSubdomain").field(base).finish_non_exhaustive()
            }
            Kind::Claim(_) => f.debug_tuple("Claim").finish_non_exhaustive(),
            #[cfg(feature = "token")]
            Kind::Token(source) => source.fmt(f),
        }
    }
}
