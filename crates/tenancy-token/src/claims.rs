//! What a token says, as its sender writes it.

use core::fmt;

use sha2::{Digest, Sha256};
use tenancy::TenantId;

use crate::cbor::{Int, Writer};
use crate::error::TokenErrorKind::{self, Malformed};
use crate::time::UnixSeconds;

/// The labels of claims (RFC 8392, section 4).
pub(crate) const ISSUER: Int = Int::positive(1);
pub(crate) const SUBJECT: Int = Int::positive(2);
pub(crate) const AUDIENCE: Int = Int::positive(3);
pub(crate) const EXPIRES_AT: Int = Int::positive(4);
pub(crate) const NOT_BEFORE: Int = Int::positive(5);
pub(crate) const ISSUED_AT: Int = Int::positive(6);
pub(crate) const ID: Int = Int::positive(7);
/// -70001, for private use (RFC 8392, section 9.1).
pub(crate) const TENANT: Int = Int::negative(70_000);
/// -70002, for private use.
pub(crate) const PAYLOAD: Int = Int::negative(70_001);

/// Whether a token's id has an acceptable length: long enough to be unique, and short enough to remember.
pub(crate) const fn is_id(id: &[u8]) -> bool {
    matches!(id.len(), 8..=16)
}

/// Returns the SHA-256 digest of a payload.
pub(crate) fn digest(payload: &[u8]) -> [u8; 32] {
    Sha256::digest(payload).into()
}

/// The claims of a token: a tenant, an audience, and the time at which the token expires.
///
/// All other claims are optional.
///
/// ```
/// use tenancy::TenantId;
/// use tenancy_token::{Claims, UnixSeconds};
///
/// let now = UnixSeconds(1_796_083_200);
/// let claims = Claims::new(TenantId::PLATFORM, "jobs", now.after(300))
///     .issuer("billing")
///     .issued_at(now)
///     .id(b"8 to 16 bytes")
///     .payload(b"{\"invoice\":17}");
/// # let _ = claims;
/// ```
#[derive(Clone)]
#[must_use]
pub struct Claims<'a> {
    tenant: TenantId,
    audience: &'a str,
    expires_at: UnixSeconds,
    issuer: Option<&'a str>,
    subject: Option<&'a str>,
    id: Option<&'a [u8]>,
    issued_at: Option<UnixSeconds>,
    not_before: Option<UnixSeconds>,
    payload: Option<[u8; 32]>,
}

impl<'a> Claims<'a> {
    /// Creates claims with a tenant, an audience and an expiry. The token is invalid from the expiry on.
    ///
    /// The audience names the receiver, for example a queue or a service. A receiver rejects tokens for others.
    pub const fn new(tenant: TenantId, audience: &'a str, expires_at: UnixSeconds) -> Self {
        Self {
            tenant,
            audience,
            expires_at,
            issuer: None,
            subject: None,
            id: None,
            issued_at: None,
            not_before: None,
            payload: None,
        }
    }

    /// Sets the issuer: who mints the token.
    pub const fn issuer(self, issuer: &'a str) -> Self {
        Self { issuer: Some(issuer), ..self }
    }

    /// Sets the subject: who uses the token, for example a device or a user.
    pub const fn subject(self, subject: &'a str) -> Self {
        Self { subject: Some(subject), ..self }
    }

    /// Sets the token's id: 8 to 16 bytes that no other token of the tenant has, for example random ones.
    ///
    /// A [`ReplayGuard`](crate::ReplayGuard) needs it.
    pub const fn id(self, id: &'a [u8]) -> Self {
        Self { id: Some(id), ..self }
    }

    /// Sets the time of issue.
    ///
    /// A [`TimeFloor`](crate::TimeFloor) needs it. Use a clock that is known to be right.
    pub const fn issued_at(self, time: UnixSeconds) -> Self {
        Self { issued_at: Some(time), ..self }
    }

    /// Sets the time before which the token is not valid.
    pub const fn not_before(self, time: UnixSeconds) -> Self {
        Self { not_before: Some(time), ..self }
    }

    /// Seals a payload: the token is accepted only together with these bytes.
    ///
    /// The token contains the payload's SHA-256 digest, not the payload. Open it with
    /// [`Verifier::open`](crate::Verifier::open).
    pub fn payload(self, payload: &[u8]) -> Self {
        Self { payload: Some(digest(payload)), ..self }
    }

    /// Returns an error if a verifier would reject these claims because of their form.
    pub(crate) fn check(&self) -> Result<(), TokenErrorKind> {
        if self.audience.is_empty() {
            return Err(TokenErrorKind::Audience);
        }
        if self.id.is_none_or(is_id) { Ok(()) } else { Err(Malformed) }
    }

    /// Writes the map of claims, in the order of their encoded labels (RFC 8949, section 4.2.1).
    pub(crate) fn write(&self, writer: &mut Writer<'_>) {
        let optional = [
            self.issuer.is_some(),
            self.subject.is_some(),
            self.not_before.is_some(),
            self.issued_at.is_some(),
            self.id.is_some(),
            self.payload.is_some(),
        ];
        writer.map(optional.into_iter().fold(3, |count, is_set| count + u64::from(is_set)));
        for (label, text) in [(ISSUER, self.issuer), (SUBJECT, self.subject), (AUDIENCE, Some(self.audience))]
        {
            if let Some(text) = text {
                writer.integer(label);
                writer.text(text);
            }
        }
        for (label, time) in
            [(EXPIRES_AT, Some(self.expires_at)), (NOT_BEFORE, self.not_before), (ISSUED_AT, self.issued_at)]
        {
            if let Some(time) = time {
                writer.integer(label);
                writer.integer(Int::positive(time.0));
            }
        }
        for (label, bytes) in [
            (ID, self.id),
            (TENANT, Some(&self.tenant.as_bytes()[..])),
            (PAYLOAD, self.payload.as_ref().map(|digest| &digest[..])),
        ] {
            if let Some(bytes) = bytes {
                writer.integer(label);
                writer.bytes(bytes);
            }
        }
    }
}

impl fmt::Debug for Claims<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims")
            .field("tenant", &self.tenant)
            .field("audience", &self.audience)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
