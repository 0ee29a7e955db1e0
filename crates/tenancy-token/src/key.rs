//! Keys that sign and verify.

use core::fmt;

#[cfg(feature = "ed25519")]
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use hmac::digest::{CtOutput, Output};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

#[cfg(feature = "ed25519")]
use crate::cbor::Writer;
#[cfg(feature = "ed25519")]
use crate::cose::MAX_TOKEN;
use crate::cose::{Algorithm, Covered, MAX_KID};
use crate::error::{TokenError, TokenErrorKind};

/// A key with its id and its algorithm.
///
/// The id selects the key when a token is verified. It is not secret. The algorithm belongs to the key: a token that
/// names another one is rejected before any cryptography.
///
/// Keys cannot be read, and `Debug` does not show them. On hosts they are cleared from memory when they are dropped.
///
/// ```
/// use tenancy_token::TokenKey;
///
/// // Use 32 random bytes from a secret store.
/// # let secret = [7; 32];
/// let key = TokenKey::hmac(b"2026-12", &secret)?;
/// # Ok::<(), tenancy_token::TokenError>(())
/// ```
#[derive(Clone)]
pub struct TokenKey {
    kid: [u8; MAX_KID],
    kid_length: u8,
    secret: Secret,
}

#[derive(Clone)]
enum Secret {
    /// The state of the HMAC after its first block, so that the key is hashed once.
    Hmac(Hmac<Sha256>),
    #[cfg(feature = "ed25519")]
    Ed25519(SigningKey),
    #[cfg(feature = "ed25519")]
    Ed25519Public(VerifyingKey),
}

/// The signature of a token.
pub(crate) enum Signed {
    Hmac([u8; 32]),
    #[cfg(feature = "ed25519")]
    Ed25519([u8; 64]),
}

impl Signed {
    pub(crate) const fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Hmac(bytes) => bytes,
            #[cfg(feature = "ed25519")]
            Self::Ed25519(bytes) => bytes,
        }
    }
}

impl TokenKey {
    /// Creates a key for HMAC 256/256 (RFC 9053, section 3.1).
    ///
    /// Minting and verifying need the same secret: each verifier can also mint tokens. Use Ed25519 if verifiers must
    /// not be able to.
    ///
    /// # Errors
    ///
    /// [`TokenErrorKind::Key`] if the id is not 1 to 16 bytes long or the secret is not 32 to 64 bytes long.
    pub fn hmac(kid: &[u8], secret: &[u8]) -> Result<Self, TokenError> {
        if !(32..=64).contains(&secret.len()) {
            return Err(TokenErrorKind::Key.into());
        }
        let state = Hmac::new_from_slice(secret).map_err(|_| TokenErrorKind::Key)?;
        Self::new(kid, Secret::Hmac(state))
    }

    /// Creates a key that signs and verifies with Ed25519 (RFC 9053, section 2.2), from the 32 bytes of its seed.
    ///
    /// # Errors
    ///
    /// [`TokenErrorKind::Key`] if the id is not 1 to 16 bytes long.
    #[cfg(feature = "ed25519")]
    #[cfg_attr(docsrs, doc(cfg(feature = "ed25519")))]
    pub fn ed25519(kid: &[u8], seed: &[u8; 32]) -> Result<Self, TokenError> {
        Self::new(kid, Secret::Ed25519(SigningKey::from_bytes(seed)))
    }

    /// Creates a key that only verifies with Ed25519, from the 32 bytes of the public key (RFC 8032, section 5.1.5).
    ///
    /// # Errors
    ///
    /// [`TokenErrorKind::Key`] if the id is not 1 to 16 bytes long, or if the bytes are not a point on the curve or
    /// are a point of small order, with which anybody could sign.
    #[cfg(feature = "ed25519")]
    #[cfg_attr(docsrs, doc(cfg(feature = "ed25519")))]
    pub fn ed25519_public(kid: &[u8], key: &[u8; 32]) -> Result<Self, TokenError> {
        let key = VerifyingKey::from_bytes(key).map_err(|_| TokenErrorKind::Key)?;
        if key.is_weak() {
            return Err(TokenErrorKind::Key.into());
        }
        Self::new(kid, Secret::Ed25519Public(key))
    }

    fn new(kid: &[u8], secret: Secret) -> Result<Self, TokenError> {
        let mut padded = [0; MAX_KID];
        let place = padded.get_mut(..kid.len()).filter(|place| !place.is_empty());
        let place = place.ok_or(TokenErrorKind::Key)?;
        place.iter_mut().zip(kid).for_each(|(place, byte)| *place = *byte);
        let kid_length = u8::try_from(kid.len()).map_err(|_| TokenErrorKind::Key)?;
        Ok(Self { kid: padded, kid_length, secret })
    }

    pub(crate) fn kid(&self) -> &[u8] {
        self.kid.get(..usize::from(self.kid_length)).unwrap_or_default()
    }

    pub(crate) const fn algorithm(&self) -> Algorithm {
        match self.secret {
            Secret::Hmac(_) => Algorithm::Hmac256,
            #[cfg(feature = "ed25519")]
            Secret::Ed25519(_) | Secret::Ed25519Public(_) => Algorithm::EdDsa,
        }
    }

    /// Signs what a token covers. A public key cannot sign.
    #[cfg_attr(
        not(feature = "ed25519"),
        allow(clippy::unnecessary_wraps, reason = "public keys cannot sign")
    )]
    pub(crate) fn sign(&self, covered: &Covered<'_>) -> Result<Signed, TokenErrorKind> {
        match &self.secret {
            Secret::Hmac(state) => Ok(Signed::Hmac(code(state, covered).into_bytes().into())),
            #[cfg(feature = "ed25519")]
            Secret::Ed25519(key) => {
                let mut buffer = [0; MAX_SIGNED];
                let signature = key.try_sign(contiguous(covered, &mut buffer)?);
                Ok(Signed::Ed25519(signature.map_err(|_| TokenErrorKind::Key)?.to_bytes()))
            }
            #[cfg(feature = "ed25519")]
            Secret::Ed25519Public(_) => Err(TokenErrorKind::Key),
        }
    }

    /// Checks a signature.
    pub(crate) fn verify(&self, covered: &Covered<'_>, signature: &[u8]) -> Result<(), TokenErrorKind> {
        match &self.secret {
            Secret::Hmac(state) => {
                // A shorter code is not accepted. The comparison takes constant time.
                let found =
                    Output::<Hmac<Sha256>>::try_from(signature).map_err(|_| TokenErrorKind::Signature)?;
                let is_equal = code(state, covered) == CtOutput::new(found);
                if is_equal { Ok(()) } else { Err(TokenErrorKind::Signature) }
            }
            #[cfg(feature = "ed25519")]
            Secret::Ed25519(key) => verify_ed25519(&key.verifying_key(), covered, signature),
            #[cfg(feature = "ed25519")]
            Secret::Ed25519Public(key) => verify_ed25519(key, covered, signature),
        }
    }
}

/// Computes the code of a token. One copy of it serves both directions, because flash is scarce.
#[inline(never)]
fn code(state: &Hmac<Sha256>, covered: &Covered<'_>) -> CtOutput<Hmac<Sha256>> {
    let mut mac = state.clone();
    for part in covered.parts(Algorithm::Hmac256) {
        mac.update(part);
    }
    mac.finalize()
}

/// The longest covered structure: what it adds is at most 13 bytes.
#[cfg(feature = "ed25519")]
const MAX_SIGNED: usize = MAX_TOKEN + 13;

/// Ed25519 reads the message twice, so it needs it in one piece.
#[cfg(feature = "ed25519")]
fn contiguous<'b>(covered: &Covered<'_>, buffer: &'b mut [u8]) -> Result<&'b [u8], TokenErrorKind> {
    let mut writer = Writer::new(buffer);
    for part in covered.parts(Algorithm::EdDsa) {
        writer.raw(part);
    }
    writer.finish()
}

/// Rejects signatures that other implementations disagree about: non-canonical ones, and points of small order.
#[cfg(feature = "ed25519")]
fn verify_ed25519(key: &VerifyingKey, covered: &Covered<'_>, signature: &[u8]) -> Result<(), TokenErrorKind> {
    let mut buffer = [0; MAX_SIGNED];
    let message = contiguous(covered, &mut buffer)?;
    let signature = Signature::from_slice(signature).map_err(|_| TokenErrorKind::Signature)?;
    key.verify_strict(message, &signature).map_err(|_| TokenErrorKind::Signature)
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey").field("algorithm", &self.algorithm()).finish_non_exhaustive()
    }
}
