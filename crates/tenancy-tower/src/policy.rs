//! Policies, which decide whether a caller may act for a tenant.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;

use tenancy::TenantId;

use crate::RequestHead;

/// Decides whether the caller of a request may act for the tenant that the request names.
///
/// The policy runs before the tenant is looked up, so that a denied request gets the same response whether or not the
/// tenant exists. The existence of a tenant is not a permission: [GHSA-2g96-86rw-qmvg] is a vulnerability of a
/// middleware that had no policy.
///
/// Closures are policies: `|request: &RequestHead<'_>, tenant: TenantId| -> bool { … }`. [`claim_equals`] and
/// [`member_of`] are policies for common cases. A policy that needs a database returns [`Access::later`].
///
/// [GHSA-2g96-86rw-qmvg]: https://github.com/advisories/GHSA-2g96-86rw-qmvg
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot authorize callers",
    label = "not a policy",
    note = "call `.authorize(policy)`, or `.trust_header()` behind a proxy that authorizes callers",
    note = "declare the types of a closure's arguments: `|request: &RequestHead<'_>, tenant: TenantId| …`"
)]
pub trait Policy: Send + Sync + 'static {
    /// Decides whether the caller may act for the tenant.
    ///
    /// The caller's identity is usually in the request's extensions, where an outer layer has put it.
    fn authorize(&self, request: &RequestHead<'_>, tenant: TenantId) -> Access;
}

/// The decision of a policy.
#[non_exhaustive]
pub enum Access {
    /// The caller may act for the tenant.
    Granted,
    /// The caller may not act for the tenant.
    Denied,
    /// The decision is pending. An error or a timeout of the layer rejects the request with status 503.
    Later(PendingAccess),
}

/// A decision that a policy is still making: see [`Access::later`].
pub struct PendingAccess(Pin<Box<dyn Future<Output = Result<bool, PolicyError>> + Send>>);

impl PendingAccess {
    /// Waits for the decision.
    pub(crate) async fn decide(self) -> Result<bool, PolicyError> {
        self.0.await
    }
}

impl fmt::Debug for PendingAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingAccess").finish_non_exhaustive()
    }
}

/// Why a policy could not decide.
pub type PolicyError = Box<dyn std::error::Error + Send + Sync>;

impl Access {
    /// Defers the decision to a future, which owns what it needs: copies of the principal and of the database handle.
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
        Self::Later(PendingAccess(Box::pin(async { answer.await.map_err(Into::into) })))
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

/// The policy that grants access to every caller:
/// [`TenantLayerBuilder::trust_header`](crate::TenantLayerBuilder::trust_header).
#[derive(Debug)]
pub struct TrustHeader(pub(crate) ());

impl Policy for TrustHeader {
    fn authorize(&self, _request: &RequestHead<'_>, _tenant: TenantId) -> Access {
        Access::Granted
    }
}

/// The policy that [`claim_equals`] returns.
pub struct ClaimEquals<T, F>(F, PhantomData<fn(&T)>);

/// Returns a policy that grants access to the tenant that a claim of type `T` names.
///
/// The claim comes from a verified token: an outer layer has put it into the request's extensions. Access is denied if
/// there is no claim, or if the claim names no tenant.
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

/// The policy that [`member_of`] returns.
pub struct MemberOf<P, F>(F, PhantomData<fn(&P)>);

/// Returns a policy that grants access to members of the tenant.
///
/// The principal is a `P` in the request's extensions: an outer layer has authenticated it. Access is denied if there
/// is no principal.
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
