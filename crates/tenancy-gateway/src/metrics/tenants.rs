//! Numbers of the busiest tenants, in limited memory.

use std::collections::HashMap;

use tenancy::TenantId;

/// Numbers of requests of at most `maximum` tenants, and of all others together.
///
/// Numbers never decrease, as `OpenMetrics` requires of counters: the number of a tenant counts from the time at which it
/// gets a series, and earlier requests stay in the number of the others. A tenant that loses its series begins at 0 when
/// it gets one again.
#[derive(Debug)]
pub(super) struct TenantCounters {
    maximum: usize,
    series: HashMap<TenantId, Series>,
    others: u64,
    /// Estimated numbers of recent requests of tenants without a series, by the algorithm "Space-Saving".
    candidates: HashMap<TenantId, u64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Series {
    total: u64,
    recent: u64,
}

impl TenantCounters {
    pub(super) fn new(maximum: usize) -> Self {
        Self { maximum, series: HashMap::new(), others: 0, candidates: HashMap::new() }
    }

    pub(super) fn count(&mut self, tenant: TenantId) {
        if self.series.len() < self.maximum {
            self.series.entry(tenant).or_default();
        }
        if let Some(series) = self.series.get_mut(&tenant) {
            series.total += 1;
            series.recent += 1;
            return;
        }
        self.others += 1;
        if self.candidates.len() >= self.maximum && !self.candidates.contains_key(&tenant) {
            // The new candidate replaces the least one and inherits its number.
            let Some((least, number)) =
                self.candidates.iter().min_by_key(|(_, number)| **number).map(|(id, number)| (*id, *number))
            else {
                return;
            };
            self.candidates.remove(&least);
            self.candidates.insert(tenant, number);
        }
        *self.candidates.entry(tenant).or_default() += 1;
    }

    /// Gives the series of quiet tenants to busier ones. Called each time when the numbers are read.
    pub(super) fn select(&mut self) {
        let mut candidates: Vec<_> = self.candidates.drain().collect();
        candidates.sort_unstable_by_key(|(id, number)| (std::cmp::Reverse(*number), *id));
        for (tenant, number) in candidates {
            let least = self.series.iter().min_by_key(|(id, series)| (series.recent, **id));
            let Some((least, recent)) = least.map(|(id, series)| (*id, series.recent)) else { break };
            if number <= recent {
                break;
            }
            self.series.remove(&least);
            // Not the least one in the next round.
            self.series.insert(tenant, Series { total: 0, recent: number });
        }
        for series in self.series.values_mut() {
            series.recent = 0;
        }
    }

    /// Returns the tenants with a series, sorted by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = (TenantId, u64)> {
        let mut all: Vec<_> = self.series.iter().map(|(id, series)| (*id, series.total)).collect();
        all.sort_unstable();
        all.into_iter()
    }

    pub(super) fn others(&self) -> u64 {
        self.others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(number: u128) -> TenantId {
        TenantId::try_from(uuid::Uuid::from_u128(0x550e_8400_e29b_41d4_a716_0000_0000_0000 + number)).unwrap()
    }

    fn numbers(counters: &TenantCounters) -> Vec<(TenantId, u64)> {
        counters.iter().collect()
    }

    #[test]
    fn a_million_tenants_have_two_series_and_little_memory() {
        let mut counters = TenantCounters::new(2);
        for number in 0..1_000_000 {
            counters.count(tenant(number));
        }
        assert_eq!(numbers(&counters), [(tenant(0), 1), (tenant(1), 1)]);
        assert_eq!(counters.others(), 999_998);
        assert!(counters.candidates.len() <= 2 && counters.series.len() == 2);
    }

    #[test]
    fn a_busy_tenant_replaces_a_quiet_one_and_no_number_decreases() {
        let mut counters = TenantCounters::new(2);
        for number in [0, 0, 0, 1, 2, 2] {
            counters.count(tenant(number));
        }
        assert_eq!(counters.others(), 2);
        counters.select();
        assert_eq!(numbers(&counters), [(tenant(0), 3), (tenant(2), 0)]);
        counters.count(tenant(2));
        counters.count(tenant(0));
        counters.count(tenant(1));
        assert_eq!((numbers(&counters), counters.others()), (vec![(tenant(0), 4), (tenant(2), 1)], 3));
        counters.select();
        assert_eq!(numbers(&counters), [(tenant(0), 4), (tenant(2), 1)], "equal numbers change nothing");
    }

    #[test]
    fn without_series_all_tenants_are_others() {
        let mut counters = TenantCounters::new(0);
        counters.count(tenant(1));
        counters.select();
        assert_eq!((numbers(&counters), counters.others()), (vec![], 1));
    }
}
