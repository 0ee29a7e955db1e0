//! Each token once.

use core::fmt;

use tenancy::TenantId;

use crate::error::{TokenError, TokenErrorKind};
use crate::time::UnixSeconds;
use crate::verifier::Verified;

/// Accepts each token once: remembers up to `N` token ids until their tokens expire.
///
/// A token is identified by its tenant and its id, so tenants do not affect each other's ids. If the guard is full, it
/// rejects all tokens that it does not know. An entry takes 48 bytes.
///
/// Use one guard for one verifier, and give both the same time. A program that restarts forgets the ids: keep them in
/// a database if that matters. The time of a check grows with the number of
/// entries.
///
/// ```
/// use tenancy::TenantId;
/// use tenancy_token::{Claims, MAX_TOKEN, ReplayGuard, TokenErrorKind, TokenKey, UnixSeconds, Verifier};
///
/// let now = UnixSeconds(1_796_083_200);
/// let key = TokenKey::hmac(b"1", &[7; 32])?;
/// let mut buffer = [0; MAX_TOKEN];
/// let claims = Claims::new(TenantId::PLATFORM, "jobs", now.after(300)).id(b"8 bytes!");
/// let token = key.mint(&claims, &mut buffer)?;
///
/// let verifier = Verifier::<1>::new("jobs").key(key)?;
/// let mut guard = ReplayGuard::<16>::new();
/// let verified = verifier.verify(token, now)?;
/// guard.accept(&verified, now)?;
/// assert_eq!(guard.accept(&verified, now).unwrap_err().kind(), TokenErrorKind::Replayed);
/// # Ok::<(), tenancy_token::TokenError>(())
/// ```
#[derive(Clone)]
pub struct ReplayGuard<const N: usize> {
    entries: [Option<Entry>; N],
    /// The newest time so far. What had expired then was forgotten, and must not be accepted if the clock goes back.
    newest: UnixSeconds,
}

#[derive(Clone, Copy)]
struct Entry {
    token: Identity,
    valid_until: UnixSeconds,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity {
    tenant: TenantId,
    id: [u8; 16],
    id_length: u8,
}

impl Identity {
    fn of(verified: &Verified<'_>) -> Option<Self> {
        let id = verified.id()?;
        let mut padded = [0; 16];
        padded.iter_mut().zip(id).for_each(|(place, byte)| *place = *byte);
        Some(Self { tenant: verified.tenant(), id: padded, id_length: u8::try_from(id.len()).ok()? })
    }
}

impl<const N: usize> ReplayGuard<N> {
    /// Creates a guard that remembers nothing.
    pub const fn new() -> Self {
        Self { entries: [None; N], newest: UnixSeconds(0) }
    }

    /// Accepts a token that this guard has not accepted before.
    ///
    /// # Errors
    ///
    /// - [`TokenErrorKind::Replayed`] if the token was accepted before, or has no id.
    /// - [`TokenErrorKind::Expired`] if the token has expired at `now`, or at a later time that an earlier call named.
    /// - [`TokenErrorKind::Full`] if `N` accepted tokens have not expired yet.
    pub fn accept(&mut self, verified: &Verified<'_>, now: UnixSeconds) -> Result<(), TokenError> {
        let token = Identity::of(verified).ok_or(TokenErrorKind::Replayed)?;
        let now = self.newest.max(now);
        self.newest = now;
        if now >= verified.valid_until() {
            return Err(TokenErrorKind::Expired.into());
        }
        let mut free = None;
        for entry in &mut self.entries {
            match entry {
                Some(known) if known.token == token => return Err(TokenErrorKind::Replayed.into()),
                Some(known) if known.valid_until > now => {}
                _ => free = Some(entry),
            }
        }
        let free = free.ok_or(TokenErrorKind::Full)?;
        *free = Some(Entry { token, valid_until: verified.valid_until() });
        Ok(())
    }
}

impl<const N: usize> Default for ReplayGuard<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Debug for ReplayGuard<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let live = self.entries.iter().flatten().filter(|entry| entry.valid_until > self.newest);
        f.debug_struct("ReplayGuard").field("live", &live.count()).field("capacity", &N).finish()
    }
}
