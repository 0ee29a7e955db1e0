//! Tokens with a new id and the system's time, for senders.

use core::fmt;
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;
use std::boxed::Box;
use std::hash::{BuildHasher, RandomState};

use tenancy::TenantId;

use crate::claims::Claims;
use crate::cose::MAX_TOKEN;
use crate::error::{TokenError, TokenErrorKind};
use crate::key::TokenKey;
use crate::time::UnixSeconds;

/// Mints tokens for one audience: each with an id of its own, the time of issue, and an expiry.
///
/// A sender of jobs, messages or requests needs one issuer for each receiver. The id is unique among the tokens of all
/// issuers, so receivers can detect a token that is used twice. It is not secret.
///
/// ```
/// use std::time::Duration;
/// use tenancy::TenantId;
/// use tenancy_token::{Issuer, MAX_TOKEN, TokenKey, UnixSeconds, Verifier};
///
/// let key = TokenKey::hmac(b"2026-12", &[7; 32])?;
/// let issuer = Issuer::new(key.clone(), "jobs", Duration::from_secs(300))?;
/// let mut buffer = [0; MAX_TOKEN];
/// let token = issuer.seal(TenantId::PLATFORM, b"a job", &mut buffer)?;
///
/// let now = UnixSeconds::now().unwrap();
/// let verified = Verifier::<1>::new("jobs").key(key)?.open(token, b"a job", now)?;
/// assert_eq!(verified.tenant(), TenantId::PLATFORM);
/// # Ok::<(), tenancy_token::TokenError>(())
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "std")))]
pub struct Issuer {
    key: TokenKey,
    audience: Box<str>,
    lifetime: u64,
    /// Differs between issuers, also of different processes.
    random: u64,
    /// Differs between the tokens of one issuer that are minted in the same second.
    number: AtomicU32,
}

impl Issuer {
    /// Creates an issuer of tokens for this audience, which expire after `lifetime`. Fractions of a second are ignored.
    ///
    /// # Errors
    ///
    /// - [`TokenErrorKind::Key`] if the key only verifies.
    /// - [`TokenErrorKind::Audience`] if the audience is empty.
    /// - [`TokenErrorKind::Buffer`] if a token would be longer than [`MAX_TOKEN`].
    /// - [`TokenErrorKind::Expired`] if the lifetime is less than a second.
    pub fn new(key: TokenKey, audience: impl Into<Box<str>>, lifetime: Duration) -> Result<Self, TokenError> {
        let issuer = Self {
            key,
            audience: audience.into(),
            lifetime: lifetime.as_secs(),
            random: RandomState::new().hash_one(()),
            number: AtomicU32::new(0),
        };
        if issuer.lifetime == 0 {
            return Err(TokenErrorKind::Expired.into());
        }
        // The longest token that this issuer mints. All later ones succeed as this one does.
        issuer.mint_at(UnixSeconds(u64::MAX), TenantId::PLATFORM, Some(b""), &mut [0; MAX_TOKEN])?;
        Ok(issuer)
    }

    /// Mints a token that seals no payload.
    ///
    /// # Errors
    ///
    /// [`TokenErrorKind::Time`] if the system's clock is before 1970, and [`TokenErrorKind::Buffer`] if the buffer is
    /// too small. [`MAX_TOKEN`] bytes are enough.
    pub fn issue<'b>(&self, tenant: TenantId, buffer: &'b mut [u8]) -> Result<&'b [u8], TokenError> {
        self.mint_at(now()?, tenant, None, buffer)
    }

    /// Mints a token that seals a payload: it is accepted only together with these bytes.
    ///
    /// # Errors
    ///
    /// As [`issue`](Self::issue).
    pub fn seal<'b>(
        &self,
        tenant: TenantId,
        payload: &[u8],
        buffer: &'b mut [u8],
    ) -> Result<&'b [u8], TokenError> {
        self.mint_at(now()?, tenant, Some(payload), buffer)
    }

    fn mint_at<'b>(
        &self,
        now: UnixSeconds,
        tenant: TenantId,
        payload: Option<&[u8]>,
        buffer: &'b mut [u8],
    ) -> Result<&'b [u8], TokenError> {
        let id = self.next_id(now);
        let claims = Claims::new(tenant, &self.audience, now.after(self.lifetime)).issued_at(now).id(&id);
        match payload {
            Some(payload) => self.key.mint(&claims.payload(payload), buffer),
            None => self.key.mint(&claims, buffer),
        }
    }

    /// Returns an id that no other token has, unless this issuer mints more than 4 billion tokens in a second.
    fn next_id(&self, now: UnixSeconds) -> [u8; 16] {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let unique = (now.0 << 32) | u64::from(number);
        (u128::from(self.random) << 64 | u128::from(unique)).to_be_bytes()
    }
}

fn now() -> Result<UnixSeconds, TokenError> {
    UnixSeconds::now().ok_or(TokenErrorKind::Time.into())
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer")
            .field("audience", &self.audience)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}
