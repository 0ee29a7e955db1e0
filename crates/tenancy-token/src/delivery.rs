//! Each token for one delivery, also if the delivery is repeated.

use core::fmt;
use std::collections::HashMap;
use std::string::String;
use std::sync::{Mutex, PoisonError};
use std::vec::Vec;

use tenancy::TenantId;

use crate::error::{TokenError, TokenErrorKind};
use crate::time::UnixSeconds;
use crate::verifier::Verified;

/// Binds each token to the delivery that used it first, so that a retry is accepted and a copy is not.
///
/// A queue that delivers at least once delivers a job again, with the same token, after its worker failed. A
/// [`ReplayGuard`](crate::ReplayGuard) would reject it. This guard compares the name of the delivery, for example the
/// task's id, and remembers it until the token expires.
///
/// Use one guard for all workers of a process. A guard in memory forgets everything when the process ends: if that
/// matters, use a transport that stores the names, such as the ones for Redis, Postgres and NATS.
///
/// ```
/// use std::time::Duration;
/// use tenancy::TenantId;
/// use tenancy_token::{
///     DeliveryGuard, Issuer, JobVerifier, MAX_TOKEN, TokenErrorKind, TokenKey, UnixSeconds, Verifier,
/// };
///
/// let key = TokenKey::hmac(b"2026-12", &[7; 32])?;
/// let issuer = Issuer::new(key.clone(), "jobs", Duration::from_secs(300))?;
/// let mut buffer = [0; MAX_TOKEN];
/// let token = issuer.seal(TenantId::PLATFORM, b"a job", &mut buffer)?;
///
/// let verifier = JobVerifier::new(Verifier::<1>::new("jobs").key(key)?);
/// let guard = DeliveryGuard::new(100_000);
/// let verified = verifier.open(token, b"a job")?;
/// let now = UnixSeconds::now().unwrap();
/// guard.accept(&verified, "task 1", now)?;
/// guard.accept(&verified, "task 1", now)?;
/// assert_eq!(guard.accept(&verified, "task 2", now).unwrap_err().kind(), TokenErrorKind::Replayed);
/// # Ok::<(), tenancy_token::TokenError>(())
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "std")))]
pub struct DeliveryGuard {
    seen: Mutex<Seen>,
    capacity: usize,
}

struct Seen {
    deliveries: HashMap<(TenantId, Vec<u8>), Delivery>,
    /// The newest time so far. What had expired then was forgotten.
    newest: UnixSeconds,
}

struct Delivery {
    name: String,
    valid_until: UnixSeconds,
}

impl DeliveryGuard {
    /// Creates a guard that remembers up to `capacity` tokens.
    pub fn new(capacity: usize) -> Self {
        let seen = Seen { deliveries: HashMap::new(), newest: UnixSeconds(0) };
        Self { seen: Mutex::new(seen), capacity }
    }

    /// Accepts a token for a delivery.
    ///
    /// # Errors
    ///
    /// - [`TokenErrorKind::Replayed`] if another delivery used the token first, or the token has no id.
    /// - [`TokenErrorKind::Expired`] if the token has expired at `now`, or at a later time that an earlier call named.
    /// - [`TokenErrorKind::Full`] if the guard remembers `capacity` tokens that have not expired yet.
    pub fn accept(
        &self,
        verified: &Verified<'_>,
        delivery: &str,
        now: UnixSeconds,
    ) -> Result<(), TokenError> {
        let id = verified.id().ok_or(TokenErrorKind::Replayed)?;
        let seen = &mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = seen.newest.max(now);
        seen.newest = now;
        if now >= verified.valid_until() {
            return Err(TokenErrorKind::Expired.into());
        }
        let token = (verified.tenant(), id.to_vec());
        if let Some(first) = seen.deliveries.get(&token) {
            return if first.name == delivery { Ok(()) } else { Err(TokenErrorKind::Replayed.into()) };
        }
        if seen.deliveries.len() >= self.capacity {
            seen.deliveries.retain(|_, delivery| delivery.valid_until > now);
            if seen.deliveries.len() >= self.capacity {
                return Err(TokenErrorKind::Full.into());
            }
        }
        let first = Delivery { name: delivery.into(), valid_until: verified.valid_until() };
        seen.deliveries.insert(token, first);
        Ok(())
    }
}

impl fmt::Debug for DeliveryGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeliveryGuard").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}
