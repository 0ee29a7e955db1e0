//! A hash index of slots in fixed memory.

/// The places of slots, by the hash of their key. Slots with the same head are linked to a chain.
///
/// A place is stored as its number plus 1; 0 ends a chain. All bytes of an empty index are 0.
pub(super) struct Index<const N: usize> {
    heads: [u16; N],
    links: [u16; N],
}

impl<const N: usize> Index<N> {
    /// The largest number of slots.
    pub(super) const LIMIT: usize = u16::MAX as usize - 1;

    pub(super) const fn new() -> Self {
        Self { heads: [0; N], links: [0; N] }
    }

    /// Returns the places of the slots whose key may have this hash.
    pub(super) fn places(&self, hash: u32) -> impl Iterator<Item = usize> {
        let mut next = self.heads.get(Self::head(hash)).copied().unwrap_or(0);
        core::iter::from_fn(move || {
            let place = usize::from(next).checked_sub(1)?;
            next = self.links.get(place).copied().unwrap_or(0);
            Some(place)
        })
    }

    /// Adds a place that is not in the index.
    pub(super) fn insert(&mut self, hash: u32, place: usize) {
        let Ok(number) = u16::try_from(place + 1) else { return };
        if let (Some(head), Some(link)) = (self.heads.get_mut(Self::head(hash)), self.links.get_mut(place)) {
            *link = core::mem::replace(head, number);
        }
    }

    /// Removes a place that was added with this hash.
    pub(super) fn remove(&mut self, hash: u32, place: usize) {
        let before = self.places(hash).take_while(|other| *other != place).last();
        let after = self.links.get(place).copied().unwrap_or(0);
        let link = match before {
            Some(before) => self.links.get_mut(before),
            None => self.heads.get_mut(Self::head(hash)),
        };
        if let Some(link) = link {
            *link = after;
        }
    }

    /// Maps a hash to a head without a division: its highest bits count most.
    fn head(hash: u32) -> usize {
        ((u64::from(hash) * N as u64) >> 32) as usize
    }
}

/// Returns the hash of a key that consists of a tenant's bytes and others.
///
/// It is fast and not secret. A tenant can choose names with the same hash, and makes only its own lookups slower by
/// that: at worst they look at as many agents as its quota allows.
pub(super) fn hash(tenant: &[u8; 16], key: &[u8]) -> u32 {
    const FACTOR: u32 = 0x9e37_79b1;
    let mix = |hash: u32, word: u32| (hash.rotate_left(5) ^ word).wrapping_mul(FACTOR);
    let words = |hash: u32, bytes: &[u8]| {
        let (words, rest) = bytes.as_chunks::<4>();
        let hash = words.iter().fold(hash, |hash, word| mix(hash, u32::from_le_bytes(*word)));
        rest.iter().fold(hash, |hash, byte| mix(hash, u32::from(*byte)))
    };
    let hash = words(words(0, tenant), key);
    (hash ^ hash >> 15).wrapping_mul(FACTOR)
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use std::collections::BTreeMap;
    use std::vec::Vec;

    use super::*;

    /// Returns the next number below `end` of a linear congruential generator.
    fn random(state: &mut u64, end: u16) -> u16 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((*state >> 48) % u64::from(end)) as u16
    }

    #[test]
    fn finds_what_a_map_finds() {
        let (mut index, mut map, mut state) = (Index::<50>::new(), BTreeMap::<usize, u32>::new(), 7);
        for _ in 0..20_000 {
            let place = usize::from(random(&mut state, 50));
            let hash = u32::from(random(&mut state, 40)) * 0x0600_0000;
            if let Some(hash) = map.remove(&place) {
                index.remove(hash, place);
            } else {
                index.insert(hash, place);
                map.insert(place, hash);
            }
            let mut found: Vec<_> = index.places(hash).collect();
            found.sort_unstable();
            let head = Index::<50>::head(hash);
            let same_head =
                |(place, hash): (&usize, &u32)| (Index::<50>::head(*hash) == head).then_some(*place);
            assert_eq!(found, map.iter().filter_map(same_head).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_index_without_slots_is_empty() {
        let mut index = Index::<0>::new();
        index.insert(1, 0);
        index.remove(1, 0);
        assert_eq!(index.places(1).count(), 0);
    }

    /// A lookup takes as long in a large store as in a small one.
    #[test]
    fn chains_are_as_short_in_a_large_store_as_in_a_small_one() {
        /// Returns the number of steps of the lookups of 100 slots, on average.
        fn steps<const N: usize>() -> usize {
            let mut index = std::boxed::Box::new(Index::<N>::new());
            // Ids of one tenant that were created in the same second, as a device creates them.
            let key = |number: usize| {
                let time = 0x0192_5d50_7a00_u128 + number as u128 / 4;
                (time << 80 | 0x7000_8000_0000_0000_0000_0000_u128 | number as u128).to_be_bytes()
            };
            for place in 0..N {
                index.insert(hash(&[7; 16], &key(place)), place);
            }
            let steps = |place: usize| {
                let hash = hash(&[7; 16], &key(place));
                1 + index.places(hash).position(|other| other == place).expect("it was added")
            };
            (0..N).map(steps).sum::<usize>() * 100 / N
        }
        for (slots, steps) in [(64, steps::<64>()), (1024, steps::<1024>()), (8192, steps::<8192>())] {
            assert!(steps < 170, "{slots} slots: {steps} steps for 100 lookups");
        }
    }
}
