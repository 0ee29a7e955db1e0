//! One load for all who ask for the same at the same time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tenancy::TenantId;
use tokio::sync::watch;

use super::entry::Bytes;
use super::error::Shared;

/// Whose key: what two tenants ask for is never one load.
pub(super) type Id = (TenantId, Arc<str>);

/// What a load came to.
pub(super) type Outcome = Result<Bytes, Shared>;

/// The loads that are under way.
#[derive(Default)]
pub(super) struct Flights(Mutex<Known>);

type Known = HashMap<Id, Watch>;

/// Another's load.
#[derive(Clone)]
pub(super) struct Watch {
    outcome: watch::Receiver<Option<Outcome>>,
    is_forgotten: bool,
}

/// The caller's own load. Its end is its drop: after it was stored, or where it was cancelled.
pub(super) struct Flight<'f> {
    flights: &'f Flights,
    id: Id,
    outcome: watch::Sender<Option<Outcome>>,
}

pub(super) enum Joined<'f> {
    /// The caller loads.
    First(Flight<'f>),
    /// Another loads, for the caller too.
    Waits(Watch),
    /// Another stores what is not for the caller. Until it has ended nobody is the first again.
    Forgotten(Watch),
}

impl Flights {
    pub(super) fn join(&self, id: &Id) -> Joined<'_> {
        match self.lock().entry(id.clone()) {
            Entry::Occupied(known) if known.get().is_forgotten => Joined::Forgotten(known.get().clone()),
            Entry::Occupied(known) => Joined::Waits(known.get().clone()),
            Entry::Vacant(place) => {
                let (sender, outcome) = watch::channel(None);
                place.insert(Watch { outcome, is_forgotten: false });
                Joined::First(Flight { flights: self, id: id.clone(), outcome: sender })
            }
        }
    }

    /// Nobody gets any more what is under way, and it is not stored; except where it is being stored already: then
    /// it is given back, to be waited for.
    pub(super) fn forget(&self, id: &Id) -> Option<Watch> {
        let mut known = self.lock();
        let watch = known.get_mut(id)?;
        if watch.has_landed() {
            // It stays, so that whoever else forgets it waits as well.
            watch.is_forgotten = true;
            return Some(watch.clone());
        }
        known.remove(id);
        None
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// What it came to; `None` where it ended without.
    pub(super) async fn outcome(&mut self) -> Option<Outcome> {
        self.outcome.wait_for(Option::is_some).await.ok()?.clone()
    }

    pub(super) async fn ended(&mut self) {
        while self.outcome.changed().await.is_ok() {}
    }

    fn has_landed(&self) -> bool {
        self.outcome.borrow().is_some()
    }
}

impl Flight<'_> {
    /// Tells those who wait, and says whether it may be stored. One step, so that who forgets it knows which it is.
    pub(super) fn land(&self, outcome: Outcome) -> bool {
        let known = self.flights.lock();
        self.outcome.send_replace(Some(outcome));
        self.is_in(&known)
    }

    /// Whether it is not forgotten: another may have its place.
    fn is_in(&self, known: &Known) -> bool {
        known.get(&self.id).is_some_and(|watch| self.outcome.subscribe().same_channel(&watch.outcome))
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let mut known = self.flights.lock();
        if self.is_in(&known) {
            known.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(key: &str) -> Id {
        (TenantId::PLATFORM, key.into())
    }

    fn first<'f>(flights: &'f Flights, id: &Id) -> Option<Flight<'f>> {
        match flights.join(id) {
            Joined::First(flight) => Some(flight),
            Joined::Waits(_) | Joined::Forgotten(_) => None,
        }
    }

    #[test]
    fn one_is_first_until_it_ends() {
        let flights = Flights::default();
        let flight = first(&flights, &id("k"));
        assert!(flight.is_some() && first(&flights, &id("k")).is_none());
        assert!(first(&flights, &id("other")).is_some());
        let other = TenantId::from_bytes([7; 16]).expect("an id");
        assert!(first(&flights, &(other, "k".into())).is_some());
        drop(flight);
        assert_eq!(flights.len(), 0);
        assert!(first(&flights, &id("k")).is_some());
    }

    #[test]
    fn what_is_forgotten_is_not_stored_and_takes_no_others_place() {
        let flights = Flights::default();
        let old = first(&flights, &id("k")).expect("first");
        assert!(flights.forget(&id("k")).is_none(), "nothing to wait for");
        let new = first(&flights, &id("k")).expect("first again");
        assert!(!old.land(Ok(Bytes::default())));
        drop(old);
        assert_eq!(flights.len(), 1);
        assert!(new.land(Ok(Bytes::default())));
    }

    #[test]
    fn what_is_being_stored_is_waited_for_by_all_who_forget_it() {
        let flights = Flights::default();
        let flight = first(&flights, &id("k")).expect("first");
        assert!(flight.land(Ok(Bytes::default())));
        assert!(matches!(flights.join(&id("k")), Joined::Waits(_)));
        assert!(flights.forget(&id("k")).is_some() && flights.forget(&id("k")).is_some());
        assert!(matches!(flights.join(&id("k")), Joined::Forgotten(_)));
        drop(flight);
        assert_eq!(flights.len(), 0);
    }
}
