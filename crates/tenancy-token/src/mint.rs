//! Minting: claims become a token.

use crate::cbor::Writer;
use crate::claims::Claims;
use crate::cose::{Covered, MAX_TOKEN, write_headers};
use crate::error::TokenError;
use crate::key::TokenKey;

impl TokenKey {
    /// Mints a token into a buffer, and returns the token.
    ///
    /// A buffer of [`MAX_TOKEN`] bytes is always large enough. A token without optional claims has about 85 bytes plus
    /// the length of its audience and of its key id. Ed25519 adds 32 bytes.
    ///
    /// # Errors
    ///
    /// - [`Malformed`](crate::TokenErrorKind::Malformed) if the token's id is not 8 to 16 bytes long.
    /// - [`Audience`](crate::TokenErrorKind::Audience) if the audience is empty.
    /// - [`Buffer`](crate::TokenErrorKind::Buffer) if the buffer is too small, or the token is longer than
    ///   [`MAX_TOKEN`].
    /// - [`Key`](crate::TokenErrorKind::Key) if the key is a public key.
    ///
    /// ```
    /// use tenancy::TenantId;
    /// use tenancy_token::{Claims, MAX_TOKEN, TokenKey, UnixSeconds};
    ///
    /// let key = TokenKey::hmac(b"1", &[7; 32])?;
    /// let claims = Claims::new(TenantId::PLATFORM, "jobs", UnixSeconds(1_796_083_500)).id(b"8 bytes!");
    /// let mut buffer = [0; MAX_TOKEN];
    /// assert_eq!(key.mint(&claims, &mut buffer)?.len(), 91);
    /// # Ok::<(), tenancy_token::TokenError>(())
    /// ```
    pub fn mint<'b>(&self, claims: &Claims<'_>, buffer: &'b mut [u8]) -> Result<&'b [u8], TokenError> {
        claims.check()?;
        let mut counter = Writer::new(&mut []);
        claims.write(&mut counter);
        let size = buffer.len().min(MAX_TOKEN);
        let mut writer = Writer::new(buffer.get_mut(..size).unwrap_or_default());
        let protected = write_headers(&mut writer, self.algorithm(), self.kid());
        let start = writer.length();
        writer.bytes_head(counter.length());
        claims.write(&mut writer);
        let signed = {
            let covered = Covered {
                protected: writer.since(protected.start)?.get(..protected.len()).unwrap_or_default(),
                payload: writer.since(start)?,
            };
            self.sign(&covered)?
        };
        writer.bytes(signed.as_bytes());
        Ok(writer.finish()?)
    }
}
