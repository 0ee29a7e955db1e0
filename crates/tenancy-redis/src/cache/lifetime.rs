//! How long an entry is kept.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use crate::policy::milliseconds;

/// A time to live, and the fraction of it that chance may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lifetime {
    pub(super) ttl: Duration,
    pub(super) jitter: f64,
}

impl Lifetime {
    pub(super) fn new(ttl: Duration) -> Self {
        Self { ttl, jitter: 0.0 }
    }

    pub(super) fn milliseconds(self) -> u64 {
        // A longer one would overflow in the product.
        let ttl = Duration::from_millis(milliseconds(self.ttl));
        milliseconds(ttl.mul_f64(1.0 - self.jitter * random()))
    }
}

/// From 0 to 1. Every `RandomState` has other keys.
fn random() -> f64 {
    let word = RandomState::new().build_hasher().finish();
    f64::from((word >> 32) as u32) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_takes_its_fraction_and_no_more() {
        let lifetime = Lifetime { ttl: Duration::from_secs(100), jitter: 0.25 };
        let drawn: Vec<_> = (0..1000).map(|_| lifetime.milliseconds()).collect();
        let (least, most) = (drawn.iter().min().expect("some"), drawn.iter().max().expect("some"));
        // A tenth of the range at either end is missed by 1000 draws once in 10^45.
        assert!((75_000..77_500).contains(least), "{least}");
        assert!((97_500..=100_000).contains(most), "{most}");
    }

    #[test]
    fn without_chance_it_is_what_was_asked_for_within_what_the_server_takes() {
        for (ttl, milliseconds) in [
            (Duration::ZERO, 1),
            (Duration::from_nanos(1), 1),
            (Duration::from_millis(1), 1),
            (Duration::from_millis(1999), 1999),
            (Duration::from_mins(5), 300_000),
            (Duration::MAX, 3_162_240_000_000),
        ] {
            assert_eq!(Lifetime::new(ttl).milliseconds(), milliseconds);
        }
        let all = Lifetime { ttl: Duration::from_nanos(1), jitter: 1.0 };
        assert_eq!(all.milliseconds(), 1);
    }
}
