//! A hash table of tenants in fixed memory: open addressing, linear probing, no tombstones.

use crate::TenantId;

/// An entry that belongs to a tenant.
pub(crate) trait Keyed {
    fn tenant(&self) -> TenantId;
}

/// A hash table of up to `N` entries. Several entries may have the same tenant, and are found in the order of insertion.
///
/// Each entry is between its home and the next free slot, because [`take`](Self::take) moves the entries after the removed
/// one forward. So a search ends at the first free slot.
#[derive(Clone)]
pub(crate) struct Table<T, const N: usize> {
    slots: [Option<T>; N],
    len: usize,
}

/// Hashes an id with two multiplications. The hash has no key: the operator chooses the ids of a table, and only they could
/// make ids collide. The high half is used, because its bits depend on all bits of the id.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "one word after the other")]
fn hash(tenant: TenantId) -> u32 {
    let whole = u128::from_le_bytes(*tenant.as_bytes());
    let first = (whole as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let second = (whole >> 64) as u64;
    ((first ^ first >> 32 ^ second).wrapping_mul(0xd6e8_feb8_6659_fd93) >> 32) as u32
}

impl<T: Keyed, const N: usize> Table<T, N> {
    pub(crate) const fn new() -> Self {
        Self { slots: [const { None }; N], len: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Returns the slot at which the search for a tenant starts: the hash, scaled to the table (Lemire 2019). So `N` does not
    /// have to be a power of two.
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "below N, which is a usize")]
    fn home(tenant: TenantId) -> usize {
        ((u64::from(hash(tenant)) * N as u64) >> 32) as usize
    }

    /// Returns all places, starting with the home.
    #[inline]
    fn places(tenant: TenantId) -> impl Iterator<Item = usize> {
        let home = Self::home(tenant);
        (home..N).chain(0..home)
    }

    /// Returns the used places from the tenant's home to the first free slot, and their entries.
    #[inline]
    fn taken(&self, tenant: TenantId) -> impl Iterator<Item = (usize, &T)> {
        Self::places(tenant).map_while(|place| Some((place, self.slots.get(place)?.as_ref()?)))
    }

    /// Returns the entries of a tenant, and their places.
    #[inline]
    pub(crate) fn entries(&self, tenant: TenantId) -> impl Iterator<Item = (usize, &T)> {
        self.taken(tenant).filter(move |(_, entry)| entry.tenant() == tenant)
    }

    /// Returns the first entry of a tenant.
    #[inline]
    pub(crate) fn get(&self, tenant: TenantId) -> Option<&T> {
        self.entries(tenant).next().map(|(_, entry)| entry)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, tenant: TenantId) -> Option<&mut T> {
        self.entries_mut(tenant).next()
    }

    #[inline]
    pub(crate) fn entries_mut(&mut self, tenant: TenantId) -> impl Iterator<Item = &mut T> {
        // The home is within the slots, unless there are no slots.
        let (before, after) = self.slots.split_at_mut_checked(Self::home(tenant)).unwrap_or_default();
        let taken = after.iter_mut().chain(before).map_while(Option::as_mut);
        taken.filter(move |entry| entry.tenant() == tenant)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flatten()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().flatten()
    }

    /// Inserts an entry, or returns it if the table is full.
    pub(crate) fn push(&mut self, entry: T) -> Result<&mut T, T> {
        let free = Self::places(entry.tenant()).find(|place| matches!(self.slots.get(*place), Some(None)));
        match free.and_then(|place| self.slots.get_mut(place)) {
            Some(slot) => {
                self.len += 1;
                Ok(slot.insert(entry))
            }
            None => Err(entry),
        }
    }

    /// Removes an entry, and moves the entries after it forward that a search would not find otherwise.
    pub(crate) fn take(&mut self, place: usize) -> Option<T> {
        let taken = self.slots.get_mut(place)?.take()?;
        self.len -= 1;
        let mut hole = place;
        for place in (place + 1..N).chain(0..place) {
            let Some(Some(entry)) = self.slots.get(place) else { break };
            if Self::distance(Self::home(entry.tenant()), place) >= Self::distance(hole, place) {
                self.slots.swap(hole, place);
                hole = place;
            }
        }
        Some(taken)
    }

    /// Returns the number of steps from one place to another.
    fn distance(from: usize, to: usize) -> usize {
        if to >= from { to - from } else { N - from + to }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: usize = 1024;

    struct Entry(TenantId);

    impl Keyed for Entry {
        fn tenant(&self) -> TenantId {
            self.0
        }
    }

    /// Returns a pseudo-random number by the step and the mixer of splitmix64.
    fn random(number: u64) -> u64 {
        let mut word = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    fn random_id(number: u64) -> u128 {
        u128::from(random(2 * number)) << 64 | u128::from(random(2 * number + 1))
    }

    /// Returns how many entries a search in a half-full table compares: on average in hundredths, and at most.
    #[allow(clippy::cast_possible_truncation, reason = "the tables are small")]
    fn probes(id: impl Fn(u64) -> u128) -> (usize, usize) {
        let ids =
            || (0..PLACES as u64 / 2).map(|number| TenantId::from_bytes(id(number).to_be_bytes()).unwrap());
        let mut table = Table::<Entry, PLACES>::new();
        for id in ids() {
            assert!(table.get(id).is_none(), "{id} came twice");
            assert!(table.push(Entry(id)).is_ok());
        }
        let lengths = || ids().map(|id| 1 + table.taken(id).position(|(_, entry)| entry.0 == id).unwrap());
        (lengths().sum::<usize>() * 100 / ids().count(), lengths().max().unwrap())
    }

    /// With a random hash, linear probing at half load compares 1.5 entries (Knuth, volume 3).
    #[test]
    fn no_usual_shape_of_ids_clusters() {
        const V4: u128 = 0xf000_c000_0000_0000_0000;
        let shapes: [(&str, &dyn Fn(u64) -> u128); 10] = [
            ("1, 2, 3", &|n| u128::from(n) + 1),
            ("the first bytes count", &|n| u128::from(n + 1) << 112),
            ("the first byte alone, and the last", &|n| {
                u128::from(n % 256) << 120 | u128::from(n / 256) | 0x10
            }),
            ("the ninth byte and the tenth count", &|n| u128::from(n) << 48 | 1),
            ("the eighth byte alone, and the sixteenth", &|n| {
                u128::from(n % 256) << 64 | u128::from(n / 256 + 1)
            }),
            ("every 4,096th", &|n| u128::from(n) << 12 | 7),
            ("both halves alike", &|n| u128::from(n + 1) << 64 | u128::from(n + 1)),
            ("random, version 4", &|n| random_id(n) & !V4 | 0x4000_8000_0000_0000_0000),
            ("a millisecond and random, version 7", &|n| {
                u128::from(0x0192_0000_0000 + n) << 80 | random_id(n) >> 48 & !(0xf << 76) | 7 << 76
            }),
            ("one millisecond, a counter and random, version 7", &|n| {
                0x0192_0000_0000 << 80
                    | 7 << 76
                    | u128::from(n) << 64
                    | 0b10 << 62
                    | u128::from(random(n) >> 2)
            }),
        ];
        for (shape, id) in shapes {
            let (average, longest) = probes(id);
            assert!(average <= 200 && longest <= 32, "{shape}: {average} hundredths, {longest} at most");
        }
    }

    #[test]
    fn every_place_is_searched_once_from_the_home_on() {
        for number in 1..1_000 {
            let tenant = TenantId::from_bytes(random_id(number).to_be_bytes()).unwrap();
            let mut seen = [false; 7];
            for (step, place) in Table::<Entry, 7>::places(tenant).enumerate() {
                let home = Table::<Entry, 7>::home(tenant);
                assert_eq!(Table::<Entry, 7>::distance(home, place), step);
                assert!(!core::mem::replace(&mut seen[place], true));
            }
            assert_eq!(seen, [true; 7]);
        }
    }
}
