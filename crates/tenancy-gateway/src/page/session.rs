//! Who is signed in to this instance.

use std::collections::HashMap;
use std::fmt::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tenancy::TenantId;

use crate::principals::{Digest, Principal};
use crate::problem::Problem;

/// Of one principal. One more ends its oldest.
const MOST_OF_ONE: usize = 8;
/// Of all. One more is refused: nobody is thrown out by another.
const MOST: usize = 4096;

/// The sessions of this instance, by the digests of their ids: who reads its memory can't sign in by that.
///
/// They end after a while, whatever is done with them: the page asks by itself every few seconds, so that one that
/// lasts as long as it is used would last for good.
pub(super) struct Sessions {
    sessions: Mutex<HashMap<Digest, Session>>,
    lifetime: Duration,
}

/// Who signed in, and for which tenant. Whether it may act for it is asked at each request.
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

    /// The session of an id, if it has not ended.
    pub(super) fn get(&self, id: &str) -> Option<Session> {
        let sessions = self.lock();
        sessions.get(&Digest::of(id.as_bytes())).filter(|session| Instant::now() < session.end).cloned()
    }

    /// Begins a session, and gives its id: 256 random bits.
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

/// Makes room for one more of a principal.
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
        tracing::error!(%error, "no random bytes for a session");
        Problem::INTERNAL
    })?;
    Ok(bytes.iter().fold(String::with_capacity(64), |mut id, byte| {
        let _ = write!(id, "{byte:02x}");
        id
    }))
}

/// Shows how many there are.
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
    fn one_more_of_a_principal_ends_its_oldest_and_nobody_elses() {
        let sessions = Sessions::new(Duration::from_hours(1));
        let other = open(&sessions, "bob").unwrap();
        let ids: Vec<_> = (0..=MOST_OF_ONE).map(|_| open(&sessions, "alice").unwrap()).collect();
        assert!(sessions.get(&ids[0]).is_none());
        assert!(ids[1..].iter().chain([&other]).all(|id| sessions.get(id).is_some()));
    }

    #[test]
    fn one_more_of_all_is_refused_and_ends_nobody() {
        let sessions = Sessions::new(Duration::from_hours(1));
        let ids: Vec<_> = (0..MOST).map(|at| open(&sessions, &at.to_string()).unwrap()).collect();
        assert_eq!(open(&sessions, "late"), Err(Problem::SESSIONS_FULL));
        assert!(ids.iter().all(|id| sessions.get(id).is_some()));
        sessions.close(&ids[0]);
        assert!(sessions.get(&ids[0]).is_none() && open(&sessions, "late").is_ok());
    }

    #[test]
    fn what_has_ended_is_none_and_takes_no_room() {
        let sessions = Sessions::new(Duration::ZERO);
        let id = open(&sessions, "alice").unwrap();
        assert!(sessions.get(&id).is_none());
        let _ = open(&sessions, "bob").unwrap();
        assert_eq!(sessions.lock().len(), 1);
    }

    #[test]
    fn an_id_is_256_bits_and_not_kept() {
        let sessions = Sessions::new(Duration::from_hours(1));
        let (one, two) = (random_id().unwrap(), random_id().unwrap());
        assert!(one.len() == 64 && one != two && one.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(format!("{sessions:?}"), "Sessions { len: 0, .. }");
    }
}
