//! Verifying: a token becomes a tenant.

use core::fmt;

use tenancy::{TenantContext, TenantId};

use crate::claims::digest;
use crate::cose::Envelope;
use crate::error::{TokenError, TokenErrorKind};
use crate::key::TokenKey;
use crate::received::Received;
use crate::time::UnixSeconds;

/// Verifies tokens for one audience, with up to `KEYS` keys.
///
/// To rotate keys, add the new key to all verifiers, then mint with it, and remove the old key when its last token has
/// expired. The verifier selects the key by its id.
///
/// ```
/// use tenancy_token::{TokenKey, Verifier};
///
/// let verifier = Verifier::<2>::new("jobs")
///     .key(TokenKey::hmac(b"2026-11", &[7; 32])?)?
///     .key(TokenKey::hmac(b"2026-12", &[8; 32])?)?
///     .leeway(30);
/// # Ok::<(), tenancy_token::TokenError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Verifier<const KEYS: usize> {
    audience: &'static str,
    keys: [Option<TokenKey>; KEYS],
    leeway: u32,
}

impl<const KEYS: usize> Verifier<KEYS> {
    /// Creates a verifier without keys for this audience. It rejects all tokens.
    ///
    /// A verifier with an empty audience rejects all tokens, also if it has keys.
    pub const fn new(audience: &'static str) -> Self {
        Self { audience, keys: [const { None }; KEYS], leeway: 0 }
    }

    /// Adds a key.
    ///
    /// # Errors
    ///
    /// [`TokenErrorKind::Key`] if another key has the same id, and [`TokenErrorKind::Full`] if there are `KEYS` keys.
    pub fn key(mut self, key: TokenKey) -> Result<Self, TokenError> {
        if self.find(key.kid()).is_some() {
            return Err(TokenErrorKind::Key.into());
        }
        let free = self.keys.iter_mut().find(|place| place.is_none()).ok_or(TokenErrorKind::Full)?;
        *free = Some(key);
        Ok(self)
    }

    /// Sets by how many seconds the clocks of sender and receiver may differ. The default is 0.
    ///
    /// A token is accepted until this long after its expiry, and from this long before its first valid time.
    pub const fn leeway(mut self, seconds: u32) -> Self {
        self.leeway = seconds;
        self
    }

    /// Verifies a token that seals no payload.
    ///
    /// The token is valid if `now` is before its expiry, as in RFC 8392, section 3.1.4.
    ///
    /// # Errors
    ///
    /// The kind of the error is the first step that failed. The steps run in this order:
    /// [`Malformed`](TokenErrorKind::Malformed) for the envelope, [`Algorithm`](TokenErrorKind::Algorithm) if it is not
    /// supported, [`UnknownKey`](TokenErrorKind::UnknownKey), [`Algorithm`](TokenErrorKind::Algorithm) if it is not the
    /// key's, [`Signature`](TokenErrorKind::Signature), [`Malformed`](TokenErrorKind::Malformed) for the claims,
    /// [`Expired`](TokenErrorKind::Expired), [`NotYetValid`](TokenErrorKind::NotYetValid),
    /// [`Audience`](TokenErrorKind::Audience), [`Tenant`](TokenErrorKind::Tenant), and
    /// [`Payload`](TokenErrorKind::Payload) if the token seals a payload.
    pub fn verify<'t>(&self, token: &'t [u8], now: UnixSeconds) -> Result<Verified<'t>, TokenError> {
        self.check(token, None, now).map_err(TokenError::new)
    }

    /// Verifies a token that seals this payload.
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify), but [`TokenErrorKind::Payload`] if the token seals no payload or another one.
    pub fn open<'t>(
        &self,
        token: &'t [u8],
        payload: &[u8],
        now: UnixSeconds,
    ) -> Result<Verified<'t>, TokenError> {
        self.check(token, Some(payload), now).map_err(TokenError::new)
    }

    fn find(&self, kid: &[u8]) -> Option<&TokenKey> {
        self.keys.iter().flatten().find(|key| key.kid() == kid)
    }

    fn check<'t>(
        &self,
        token: &'t [u8],
        payload: Option<&[u8]>,
        now: UnixSeconds,
    ) -> Result<Verified<'t>, TokenErrorKind> {
        let envelope = Envelope::read(token)?;
        let key = self.find(envelope.kid).ok_or(TokenErrorKind::UnknownKey)?;
        if key.algorithm() != envelope.algorithm {
            return Err(TokenErrorKind::Algorithm);
        }
        key.verify(&envelope.covered, envelope.signature)?;
        // Nothing of the claims is read before this line.
        let claims = Received::read(envelope.claims)?;
        let valid_until = claims.expires_at.after(self.leeway.into());
        if now >= valid_until {
            return Err(TokenErrorKind::Expired);
        }
        if claims.not_before.is_some_and(|time| now.after(self.leeway.into()) < time) {
            return Err(TokenErrorKind::NotYetValid);
        }
        if self.audience.is_empty() || claims.audience != self.audience {
            return Err(TokenErrorKind::Audience);
        }
        let tenant = claims.tenant()?;
        if claims.payload.copied() != payload.map(digest) {
            return Err(TokenErrorKind::Payload);
        }
        Ok(Verified { claims, tenant, valid_until })
    }
}

impl<const KEYS: usize> fmt::Debug for Verifier<KEYS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("audience", &self.audience)
            .field("keys", &self.keys.iter().flatten().count())
            .field("leeway", &self.leeway)
            .finish()
    }
}

/// A token that was verified. Only a [`Verifier`] creates it.
///
/// ```compile_fail,E0451
/// let verified = tenancy_token::Verified { claims: todo!(), tenant: todo!(), valid_until: todo!() };
/// ```
#[derive(Clone, Copy)]
pub struct Verified<'t> {
    claims: Received<'t>,
    tenant: TenantId,
    /// The expiry, plus the verifier's leeway.
    valid_until: UnixSeconds,
}

impl<'t> Verified<'t> {
    /// Returns the tenant.
    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// Returns who uses the token.
    pub const fn subject(&self) -> Option<&'t str> {
        self.claims.subject
    }

    /// Returns who minted the token, as the minting program names itself.
    ///
    /// Each holder of a key can write any name. Use keys of their own for issuers that do not trust each other.
    pub const fn issuer(&self) -> Option<&'t str> {
        self.claims.issuer
    }

    /// Returns the token's id.
    pub const fn id(&self) -> Option<&'t [u8]> {
        self.claims.id
    }

    /// Returns the time of issue.
    pub const fn issued_at(&self) -> Option<UnixSeconds> {
        self.claims.issued_at
    }

    /// Returns the expiry of the token, without the verifier's leeway. The token is invalid from this time on.
    pub const fn expires_at(&self) -> UnixSeconds {
        self.claims.expires_at
    }

    /// Runs `body` in the token's tenant, and restores the previous context when it returns or panics.
    ///
    /// For a future, use `in_tenant` of `tenancy::TenantFutureExt` with [`tenant`](Self::tenant).
    pub fn scope<R>(&self, body: impl FnOnce() -> R) -> R {
        TenantContext::scope(self.tenant, body)
    }

    pub(crate) const fn valid_until(&self) -> UnixSeconds {
        self.valid_until
    }
}

impl fmt::Debug for Verified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("tenant", &self.tenant)
            .field("expires_at", &self.claims.expires_at)
            .finish_non_exhaustive()
    }
}
