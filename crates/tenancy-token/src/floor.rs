//! A lower limit of the time.

use crate::time::UnixSeconds;
use crate::verifier::Verified;

/// A clock that does not go below the newest time of issue of a verified token.
///
/// A device whose clock is set back would accept expired tokens again. Persist the floor, and pass the clock's time
/// through [`now`](Self::now). The floor proves that this time has passed; it does not replace a clock.
///
/// ```
/// use tenancy_token::{TimeFloor, UnixSeconds};
///
/// // The value that was stored before the device restarted.
/// let floor = TimeFloor::from(UnixSeconds(1_796_083_200));
/// // The clock lost its battery.
/// assert_eq!(floor.now(UnixSeconds(0)), UnixSeconds(1_796_083_200));
/// assert_eq!(floor.now(UnixSeconds(1_796_083_201)), UnixSeconds(1_796_083_201));
/// ```
#[derive(Clone, Debug)]
pub struct TimeFloor {
    time: UnixSeconds,
}

impl TimeFloor {
    /// Creates a floor at the beginning of 1970.
    pub const fn new() -> Self {
        Self { time: UnixSeconds(0) }
    }

    /// Raises the floor to the token's time of issue, and returns whether the floor changed.
    ///
    /// A token without a time of issue changes nothing. Store [`time`](Self::time) if the floor changed.
    pub fn observe(&mut self, verified: &Verified<'_>) -> bool {
        match verified.issued_at() {
            Some(time) if time > self.time => {
                self.time = time;
                true
            }
            _ => false,
        }
    }

    /// Returns the clock's time, or the floor if the clock is below it.
    pub fn now(&self, clock: UnixSeconds) -> UnixSeconds {
        self.time.max(clock)
    }

    /// Returns the floor, to be stored.
    pub const fn time(&self) -> UnixSeconds {
        self.time
    }
}

impl Default for TimeFloor {
    fn default() -> Self {
        Self::new()
    }
}

impl From<UnixSeconds> for TimeFloor {
    /// Restores a floor that was stored.
    fn from(time: UnixSeconds) -> Self {
        Self { time }
    }
}
