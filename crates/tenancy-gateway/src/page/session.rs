//! Sessions of the page, in this instance's memory.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tenancy::TenantId;

use crate::principals::{Digest, Principal};
use crate::problem::Problem;

/// The maximum number of sessions of a principal. Another one ends the oldest.
const MOST_OF_ONE: usize = 8;
/// The maximum number of sessions. Another one is rejected, so that no user can end the session of another.
const MOST: usize = 4096;

/// The sessions by the digests of their ids, so that reading the memory does not reveal the ids.
///
/// Using a session does not extend it: the page refreshes itself, so an open page would extend it forever.
pub(super) struct Sessions {
    sessions: Mutex<HashMap<Digest, Session>>,
    lifetime: Duration,
}

/// A signed-in principal and its tenant. Each request is authorized again.
#[derive(Clone)]
pub(super) struct Session {
    pub(super) principal: Principal,
    pub(super) tenant: TenantId,
    end: Instant,
}

impl Sessions {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self { sessions: Mutex::default(), lifetime }
    }

    pub(super) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Returns the session of an id, if it has not ended.
    pub(super) fn get(&self, id: &str) -> Option<Session> {
        let sessions = self.lock();
        sessions.get(&Digest::of(id.as_bytes())).filter(|session| Instant::now() < session.end).cloned()
    }

    /// Creates a session and returns its id: 256 random bits.
    pub(super) fn open(&self, principal: Principal, tenant: TenantId) -> Result<String, Problem> {
        let id = random_id()?;
        let now = Instant::now();
        let mut sessions = self.lock();
        sessions.retain(|_, session| now < session.end);
        end_oldest(&mut sessions, &principal);
        if sessions.len() >= MOST {
            return Err(Problem::SESSIONS_FULL);
        }
        let session = Session { principal, tenant, end: now + self.lifetime };
        sessions.insert(Digest::of(id.as_bytes()), session);
        Ok(id)
    }

    pub(super) fn close(&self, id: &str) {
        self.lock().remove(&Digest::of(id.as_bytes()));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Session>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the oldest session of a principal if it has the maximum number.
fn end_oldest(sessions: &mut HashMap<Digest, Session>, principal: &Principal) {
    let own = || sessions.iter().filter(|(_, session)| session.principal.name() == principal.name());
    if own().count() >= MOST_OF_ONE
        && let Some(oldest) = own().min_by_key(|(_, session)| session.end).map(|(id, _)| *id)
    {
        sessions.remove(&oldest);
    }
}

fn random_id() -> Result<String, Problem> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "cannot create a session id");
        Problem::INTERNAL
    })?;
    Ok(bytes.iter().fold(String::with_capacity(64), |mut id, byte| {
        let _ = write!(id, "{byte:02x}");
        id
    }))
}

/// Shows the number of sessions.
impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("len", &self.lock().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principals::Membership;

    fn principal(name: &str) -> Principal {
        Principal::new(name.to_owned(), Membership::All)
    }

    fn open(sessions: &Sessions, name: &str) -> Result<String, Problem> {
        sessions.open(principal(name), TenantId::PLATFORM)
    }

    #[test]
    fn another_session_of_a_principal_ends_its_oldest() {
        let sessions = Sessions::new(Duration::from_hours(1));
        let other = open(&sessions, "bob").unwrap();
        let ids: Vec<_> = (0..=MOST_OF_ONE).map(|_| open(&sessions, "alice").unwrap()).collect();
        assert!(sessions.get(&ids[0]).is_none());
        assert!(ids[1..].iter().chain([&other]).all(|id| sessions.get(id).is_some()));
    }

    #[test]
    fn rejects_sessions_over_the_maximum() {
        let sessions = Sessions::new(Duration::from_hours(1));
        let ids: Vec<_> = (0..MOST).map(|at| open(&sessions, &at.to_string()).unwrap()).collect();
        assert_eq!(open(&sessions, "late"), Err(Problem::SESSIONS_FULL));
        assert!(ids.iter().all(|id| sessions.get(id).is_some()));
        sessions.close(&ids[0]);
        assert!(sessions.get(&ids[0]).is_none() && open(&sessions, "late").is_ok());
    }

    #[test]
    fn removes_ended_sessions() {
        let sessions = Sessions::new(Duration::ZERO);
        let id = open(&sessions, "alice").unwrap();
        assert!(sessions.get(&id).is_none());
        let _ = open(&sessions, "bob").unwrap();
        assert_eq!(sessions.lock().len(), 1);
    }

    #[test]
    fn ids_have_256_bits_and_are_not_shown() {
        let sessions = Sessions::new(Duration::from_hours(1));
        let (one, two) = (random_id().unwrap(), random_id().unwrap());
        assert!(one.len() == 64 && one != two && one.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(format!("{sessions:?}"), "Sessions { len: 0, .. }");
    }
}
