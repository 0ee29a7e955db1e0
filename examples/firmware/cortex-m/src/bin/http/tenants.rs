//! The tenants of this device in fixed memory: the directory, the request counters and the rate limits.

use core::num::NonZeroU32;
use core::time::Duration;

use tenancy::{
    FixedDirectory, Quota, RateLimitedError, TenantContext, TenantError, TenantId, TenantLimiter, TenantMap,
    TenantNotFoundError, TenantRecord, TenantSlug, TenantStatus, tenant_id,
};
use tenancy_token::TimeFloor;

/// The size of the tables. One entry stays free, so that the search for an unknown tenant ends there.
const CAPACITY: usize = TENANTS.len() + 1;

pub(crate) const ACME: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
pub(crate) const GLOBEX: TenantId = tenant_id!("6ba7b810-9dad-41d1-80b4-00c04fd430c8");

const TENANTS: [TenantRecord; 3] = [
    record(ACME, "acme", TenantStatus::Active),
    record(GLOBEX, "globex", TenantStatus::Active),
    record(tenant_id!("7d444840-9dc0-41d1-b245-5ffdce74fad2"), "initech", TenantStatus::Suspended),
];

const fn record(id: TenantId, slug: &str, status: TenantStatus) -> TenantRecord {
    match TenantSlug::parse(slug) {
        Ok(slug) => TenantRecord::new(id, slug, status),
        // The panic is a compile error, since the function is only called for constants.
        Err(_) => panic!("invalid slug"),
    }
}

/// 10 requests per second, in bursts of up to 60.
const QUOTA: Quota =
    Quota::per_second(NonZeroU32::new(10).expect("not zero")).burst(NonZeroU32::new(60).expect("not zero"));

pub(crate) struct Tenants {
    directory: FixedDirectory<CAPACITY>,
    requests: TenantMap<u32, CAPACITY>,
    limiter: TenantLimiter<CAPACITY>,
    floor: TimeFloor,
}

impl Tenants {
    pub(crate) fn new() -> Self {
        let mut tenants = Self {
            directory: FixedDirectory::new(),
            requests: TenantMap::new(),
            limiter: TenantLimiter::new(QUOTA),
            floor: TimeFloor::new(),
        };
        for tenant in TENANTS {
            // The insertions cannot fail: the tables have room for all tenants.
            let _ = tenants.directory.insert(tenant);
            let _ = tenants.requests.insert(tenant.id(), 0);
        }
        tenants
    }

    /// Returns the newest verified time, which a device with storage keeps over a reset.
    pub(crate) fn time_floor(&mut self) -> &mut TimeFloor {
        &mut self.floor
    }

    /// Returns the tenant if it is known and active.
    pub(crate) fn verify(&self, id: TenantId) -> Result<TenantRecord, TenantError> {
        self.directory.verify(id)
    }

    /// Counts a request against the tenant's rate limit.
    pub(crate) fn limit(&mut self, tenant: &TenantRecord, now: Duration) -> Result<(), RateLimitedError> {
        self.limiter.take(tenant.id(), now)
    }

    /// Counts a request of the current tenant and returns the new count.
    pub(crate) fn count_request(&mut self) -> Result<u32, TenantError> {
        let id = TenantContext::get()?;
        let requests = self.requests.get_mut(id).ok_or(TenantNotFoundError::new(id))?;
        *requests = requests.wrapping_add(1);
        Ok(*requests)
    }
}
