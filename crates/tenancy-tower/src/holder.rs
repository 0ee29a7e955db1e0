//! The policy for holders of a token.

use tenancy::TenantId;

use crate::{Access, Policy, RequestHead};

/// The policy that [`holder_of_token`] returns.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(docsrs, doc(cfg(feature = "token")))]
pub struct HolderOfToken(());

/// Returns a policy that grants access to the tenant of the request's token.
///
/// The token was verified by a [`TenantSource::token`](crate::TenantSource::token) of the same layer. Access is denied
/// if the request has no token.
///
/// ```
/// use tenancy_token::{TokenKey, Verifier};
/// use tenancy_tower::{SnapshotDirectory, TenantLayer, TenantSource, holder_of_token};
///
/// # let secret = [7; 32];
/// let verifier = Verifier::<2>::new("agents").key(TokenKey::hmac(b"2026-12", &secret)?)?;
/// let layer = TenantLayer::builder()
///     .directory(SnapshotDirectory::new())
///     .source(TenantSource::token(verifier))
///     .authorize(holder_of_token())
///     .build();
/// # let _ = layer;
/// # Ok::<(), tenancy_token::TokenError>(())
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "token")))]
pub fn holder_of_token() -> HolderOfToken {
    HolderOfToken(())
}

impl Policy for HolderOfToken {
    fn authorize(&self, request: &RequestHead<'_>, tenant: TenantId) -> Access {
        (request.token_tenant() == Some(tenant)).into()
    }
}
