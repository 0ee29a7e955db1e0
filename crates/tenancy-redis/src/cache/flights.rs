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
pub(super) struct Flights(Mutex<HashMap<Id, Watch>>);

/// Another's load.
#[derive(Clone)]
pub(super) struct Watch(watch::Receiver<Option<Outcome>>);

/// The caller's own load. Its end is its drop: after it was stored, or where it was cancelled.
pub(super) struct Flight<'f> {
    flights: &'f Flights,
    id: Id,
    outcome: watch::Sender<Option<Outcome>>,
}

pub(super) enum Joined<'f> {
    /// The caller loads.
    First(Flight<'f>),
    Waits(Watch),
}

impl Flights {
    pub(super) fn join(&self, id: &Id) -> Joined<'_> {
        match self.lock().entry(id.clone()) {
            Entry::Occupied(known) => Joined::Waits(known.get().clone()),
            Entry::Vacant(place) => {
                let (outcome, watch) = watch::channel(None);
                place.insert(Watch(watch));
                Joined::First(Flight { flights: self, id: id.clone(), outcome })
            }
        }
    }

    /// No one joins what is under way, and it is not stored; except where it is being stored already: then it is
    /// given back, to be waited for.
    pub(super) fn forget(&self, id: &Id) -> Option<Watch> {
        self.lock().remove(id).filter(Watch::has_landed)
    }

    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Id, Watch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// What it came to; `None` where it ended without.
    pub(super) async fn outcome(&mut self) -> Option<Outcome> {
        self.0.wait_for(Option::is_some).await.ok()?.clone()
    }

    pub(super) async fn ended(&mut self) {
        while self.0.changed().await.is_ok() {}
    }

    fn has_landed(&self) -> bool {
        self.0.borrow().is_some()
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
    fn is_in(&self, known: &HashMap<Id, Watch>) -> bool {
        known.get(&self.id).is_some_and(|watch| self.outcome.subscribe().same_channel(&watch.0))
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
            Joined::Waits(_) => None,
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
        assert!(flights.forget(&id("k")).is_some(), "it is being stored");
        assert_eq!(flights.len(), 0);
    }
}
