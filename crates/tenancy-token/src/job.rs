//! Jobs of a queue or messages of a broker: each runs in the tenant of its token.

use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::Poll;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tenancy::TenantFutureExt;

use crate::error::{TokenError, TokenErrorKind};
use crate::time::UnixSeconds;
use crate::verifier::{Verified, Verifier};

/// A verifier with the system's clock, for workers. For this verifier the time does not go back.
///
/// ```
/// use std::time::Duration;
/// use tenancy::TenantId;
/// use tenancy_token::{Issuer, JobVerifier, MAX_TOKEN, TokenKey, Verifier};
///
/// let key = TokenKey::hmac(b"2026-12", &[7; 32])?;
/// let issuer = Issuer::new(key.clone(), "jobs", Duration::from_secs(300))?;
/// let mut buffer = [0; MAX_TOKEN];
/// let token = issuer.seal(TenantId::PLATFORM, b"a job", &mut buffer)?;
///
/// let verifier = JobVerifier::new(Verifier::<1>::new("jobs").key(key)?);
/// let verified = verifier.open(token, b"a job")?;
/// assert!(verifier.retention(&verified) <= Duration::from_secs(300 + 3600));
/// # Ok::<(), tenancy_token::TokenError>(())
/// ```
#[derive(Debug)]
#[cfg_attr(docsrs, doc(cfg(feature = "std")))]
pub struct JobVerifier<const KEYS: usize> {
    verifier: Verifier<KEYS>,
    /// The newest time so far. If the system's clock is set back, expired tokens stay expired.
    newest: Mutex<UnixSeconds>,
}

impl<const KEYS: usize> JobVerifier<KEYS> {
    /// By how much [`retention`](Self::retention) exceeds the time for which a token is accepted.
    pub const MARGIN: Duration = Duration::from_secs(3600);

    /// Creates a verifier with the keys, the audience and the leeway of `verifier`.
    pub const fn new(verifier: Verifier<KEYS>) -> Self {
        Self { verifier, newest: Mutex::new(UnixSeconds(0)) }
    }

    /// Verifies a token that seals this payload, now.
    ///
    /// # Errors
    ///
    /// As [`Verifier::open`], and [`TokenErrorKind::Replayed`] if the token has no id, because a worker could not
    /// detect a second use. [`TokenErrorKind::Time`] if the system's clock is before 1970.
    pub fn open<'t>(&self, token: &'t [u8], payload: &[u8]) -> Result<Verified<'t>, TokenError> {
        self.open_at(token, payload, self.now()?)
    }

    /// Returns the system's time, or the newest time so far if the clock was set back.
    ///
    /// # Errors
    ///
    /// [`TokenErrorKind::Time`] if the system's clock is before 1970.
    pub fn now(&self) -> Result<UnixSeconds, TokenError> {
        Ok(self.not_before_newest(UnixSeconds::now().ok_or(TokenErrorKind::Time)?))
    }

    fn open_at<'t>(
        &self,
        token: &'t [u8],
        payload: &[u8],
        now: UnixSeconds,
    ) -> Result<Verified<'t>, TokenError> {
        let verified = self.verifier.open(token, payload, now)?;
        if verified.id().is_some() { Ok(verified) } else { Err(TokenErrorKind::Replayed.into()) }
    }

    /// Returns for how long workers have to remember a token's id to detect a second use.
    ///
    /// This is the time for which the verifier still accepts the token, and an hour more. During this hour, a worker that
    /// restarts with a clock that was set back detects a second use.
    pub fn retention(&self, verified: &Verified<'_>) -> Duration {
        let now = *self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        Duration::from_secs(verified.valid_until().0.saturating_sub(now.0)).saturating_add(Self::MARGIN)
    }

    fn not_before_newest(&self, clock: UnixSeconds) -> UnixSeconds {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        *newest = newest.max(clock);
        *newest
    }
}

/// How a worker ended a job. `E` is the error of its handler.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
#[cfg_attr(docsrs, doc(cfg(feature = "std")))]
pub enum JobOutcome<E> {
    /// The handler succeeded, and the job was removed from the queue.
    Completed,
    /// The handler failed. The job runs again, until it has failed too often.
    Failed(E),
    /// The handler panicked. The job runs again, until it has failed too often.
    Panicked,
    /// The job has no valid token. Its handler did not run, and never will.
    Rejected(TokenError),
    /// The handler succeeded, but its transaction was rolled back: a statement had failed, or another worker had started
    /// the job meanwhile. The job runs again, until it has failed too often.
    RolledBack,
    /// The job was started as often as it may be. Its handler did not run, and never will.
    Exhausted,
}

/// The error of a job that panicked.
///
/// It does not contain the panic's message, which belongs to a tenant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(docsrs, doc(cfg(feature = "std")))]
pub struct JobPanicked(());

impl fmt::Display for JobPanicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the job panicked")
    }
}

impl core::error::Error for JobPanicked {}

impl Verified<'_> {
    /// Runs a future in the token's tenant, and restores the previous context around each poll.
    ///
    /// A panic of the future ends the future and not the caller. If the caller is cancelled, the future is dropped in
    /// the tenant, and leaves no context behind.
    ///
    /// # Errors
    ///
    /// Returns an error if the future panicked.
    #[cfg_attr(docsrs, doc(cfg(feature = "std")))]
    pub async fn run<F: Future>(&self, job: F) -> Result<F::Output, JobPanicked> {
        let mut job = pin!(job.in_tenant(self.tenant()));
        poll_fn(|context| {
            let polled = catch_unwind(AssertUnwindSafe(|| job.as_mut().poll(context)));
            polled.map_or(Poll::Ready(Err(JobPanicked(()))), |output| output.map(Ok))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use tenancy::TenantId;

    use super::*;
    use crate::claims::Claims;
    use crate::cose::MAX_TOKEN;
    use crate::key::TokenKey;

    const NOW: UnixSeconds = UnixSeconds(1_796_083_200);

    #[test]
    fn expired_token_stays_expired_when_the_clock_is_set_back() {
        let key = TokenKey::hmac(b"1", &[7; 32]).unwrap();
        let claims = Claims::new(TenantId::PLATFORM, "jobs", NOW.after(10)).id(b"12345678").payload(b"");
        let mut buffer = [0; MAX_TOKEN];
        let token = key.mint(&claims, &mut buffer).unwrap();
        let verifier = JobVerifier::new(Verifier::<1>::new("jobs").key(key).unwrap().leeway(5));
        let open = |clock| verifier.open_at(token, b"", verifier.not_before_newest(clock));
        assert_eq!(verifier.retention(&open(NOW).unwrap()), Duration::from_secs(15 + 3600));
        assert!(open(NOW.after(14)).is_ok());
        assert_eq!(open(NOW.after(15)).unwrap_err().kind(), TokenErrorKind::Expired);
        assert_eq!(open(NOW).unwrap_err().kind(), TokenErrorKind::Expired);
    }

    #[test]
    fn rejects_a_token_without_an_id() {
        let key = TokenKey::hmac(b"1", &[7; 32]).unwrap();
        let claims = Claims::new(TenantId::PLATFORM, "jobs", UnixSeconds(u64::MAX)).payload(b"");
        let mut buffer = [0; MAX_TOKEN];
        let token = key.mint(&claims, &mut buffer).unwrap();
        let verifier = JobVerifier::new(Verifier::<1>::new("jobs").key(key).unwrap());
        assert_eq!(verifier.open(token, b"").unwrap_err().kind(), TokenErrorKind::Replayed);
    }
}
