//! Who may act for a tenant.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;

use tenancy::TenantId;

use crate::RequestHead;

/// Says whether the caller of a request may act for the tenant that the request names.
///
/// It is asked before the tenant is looked up, and what it denies gets the same answer whether or not the
/// tenant exists. That the tenant exists is no permission: bigcapitalhq/bigcapital#990
/// (GHSA-2g96-86rw-qmvg) is this middleware without this question.
///
/// Closures are policies: `|request: &RequestHead<'_>, tenant: TenantId| -> bool { … }`. Ready ones are
/// [`claim_equals`] and [`member_of`]. One that has to ask a database gives [`Access::later`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` says not whether a caller may act for a tenant",
    label = "not a policy",
    note = "choose by `.authorize(policy)`, or by `.trust_header()` behind a proxy that authorizes",
    note = "a closure needs its types: `|request: &RequestHead<'_>, tenant: TenantId| …`"
)]
pub trait Policy: Send + Sync + 'static {
    /// Whether the caller may act for the tenant. Who the caller is, an earlier layer has found out and left
    /// in the request's extensions.
    fn authorize(&self, request: &RequestHead<'_>, tenant: TenantId) -> Access;
}

/// A policy's answer.
pub enum Access {
    /// The caller may act for the tenant.
    Granted,
    /// It may not.
    Denied,
    /// It has to be asked elsewhere. An error, or a time-out of the layer, is a 503, and never a yes.
    Later(Asked),
}

/// What says so later.
pub(crate) type Asked = Pin<Box<dyn Future<Output = Result<bool, PolicyError>> + Send>>;

/// Why a policy can't say.
pub type PolicyError = Box<dyn std::error::Error + Send + Sync>;

impl Access {
    /// What a future says, which has what it needs: its own copy of the principal, and of the database's handle.
    ///
    /// ```
    /// use tenancy::TenantId;
    /// use tenancy_tower::{Access, member_of};
    ///
    /// #[derive(Clone)]
    /// struct Principal(String);
    ///
    /// async fn is_member(principal: &Principal, tenant: TenantId) -> Result<bool, std::io::Error> {
    ///     # let _ = tenant;
    ///     Ok(!principal.0.is_empty())
    /// }
    ///
    /// let policy = member_of(|principal: &Principal, tenant| {
    ///     let principal = principal.clone();
    ///     Access::later(async move { is_member(&principal, tenant).await })
    /// });
    /// # let _: &dyn tenancy_tower::Policy = &policy;
    /// ```
    pub fn later<F, E>(answer: F) -> Self
    where
        F: Future<Output = Result<bool, E>> + Send + 'static,
        E: Into<PolicyError>,
    {
        Self::Later(Box::pin(async { answer.await.map_err(Into::into) }))
    }
}

impl From<bool> for Access {
    fn from(granted: bool) -> Self {
        if granted { Self::Granted } else { Self::Denied }
    }
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Granted => "Granted",
            Self::Denied => "Denied",
            Self::Later(_) => "Later",
        })
    }
}

impl<F, A> Policy for F
where
    F: Fn(&RequestHead<'_>, TenantId) -> A + Send + Sync + 'static,
    A: Into<Access>,
{
    fn authorize(&self, request: &RequestHead<'_>, tenant: TenantId) -> Access {
        self(request, tenant).into()
    }
}

/// No policy: the header is believed. See
/// [`TenantLayerBuilder::trust_header`](crate::TenantLayerBuilder::trust_header).
#[derive(Debug)]
pub struct TrustHeader(pub(crate) ());

impl Policy for TrustHeader {
    fn authorize(&self, _request: &RequestHead<'_>, _tenant: TenantId) -> Access {
        Access::Granted
    }
}

/// See [`claim_equals`].
pub struct ClaimEquals<T, F>(F, PhantomData<fn(&T)>);

/// The tenant must be the one in a claim of type `T`: what a verified token says, which an earlier layer has
/// put into the request's extensions. Without a claim, or with one that names no tenant, access is denied.
///
/// ```
/// use tenancy::TenantId;
/// use tenancy_tower::claim_equals;
///
/// struct Claims {
///     tenant: TenantId,
/// }
///
/// let policy = claim_equals(|claims: &Claims| Some(claims.tenant));
/// # let _: &dyn tenancy_tower::Policy = &policy;
/// ```
pub fn claim_equals<T, F>(tenant_of: F) -> ClaimEquals<T, F>
where
    T: Send + Sync + 'static,
    F: Fn(&T) -> Option<TenantId> + Send + Sync + 'static,
{
    ClaimEquals(tenant_of, PhantomData)
}

impl<T, F> Policy for ClaimEquals<T, F>
where
    T: Send + Sync + 'static,
    F: Fn(&T) -> Option<TenantId> + Send + Sync + 'static,
{
    fn authorize(&self, request: &RequestHead<'_>, tenant: TenantId) -> Access {
        let claimed = request.extensions().get::<T>().and_then(&self.0);
        (claimed == Some(tenant)).into()
    }
}

impl<T, F> fmt::Debug for ClaimEquals<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaimEquals").finish_non_exhaustive()
    }
}

/// See [`member_of`].
pub struct MemberOf<P, F>(F, PhantomData<fn(&P)>);

/// The principal, which an earlier layer has authenticated and put into the request's extensions as a `P`,
/// must be a member of the tenant. Without a principal access is denied.
///
/// ```
/// use std::collections::HashSet;
/// use tenancy::TenantId;
/// use tenancy_tower::member_of;
///
/// struct Principal {
///     tenants: HashSet<TenantId>,
/// }
///
/// let policy = member_of(|principal: &Principal, tenant| principal.tenants.contains(&tenant));
/// # let _: &dyn tenancy_tower::Policy = &policy;
/// ```
pub fn member_of<P, F, A>(is_member: F) -> MemberOf<P, F>
where
    P: Send + Sync + 'static,
    F: Fn(&P, TenantId) -> A + Send + Sync + 'static,
    A: Into<Access>,
{
    MemberOf(is_member, PhantomData)
}

impl<P, F, A> Policy for MemberOf<P, F>
where
    P: Send + Sync + 'static,
    F: Fn(&P, TenantId) -> A + Send + Sync + 'static,
    A: Into<Access>,
{
    fn authorize(&self, request: &RequestHead<'_>, tenant: TenantId) -> Access {
        request.extensions().get::<P>().map_or(Access::Denied, |principal| (self.0)(principal, tenant).into())
    }
}

impl<P, F> fmt::Debug for MemberOf<P, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemberOf").finish_non_exhaustive()
    }
}
