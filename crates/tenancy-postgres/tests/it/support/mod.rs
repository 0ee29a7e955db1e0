//! Helpers that several modules use.

pub(crate) mod database;
pub(crate) mod drops;
pub(crate) mod faults;
pub(crate) mod leavings;
pub(crate) mod notes;
pub(crate) mod orders;
pub(crate) mod pooler;
pub(crate) mod proxy;

use std::time::{Duration, Instant};

use tenancy::{TenantId, tenant_id};
use tenancy_postgres::SigningKey;
use tokio::time::sleep;

pub(crate) const A: TenantId = tenant_id!("aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa");
pub(crate) const B: TenantId = tenant_id!("bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb");

/// The secret of key 1.
pub(crate) const SECRET: &[u8; 32] = b"the tests' own secret: 32 bytes.";

/// 2100-01-01, an expiry that no test reaches.
pub(crate) const LATER: i64 = 4_102_444_800;

/// How long a test waits for something that takes milliseconds on an idle machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) fn key() -> SigningKey {
    SigningKey::new(1, SECRET).expect("a key")
}

/// Waits until a condition holds, and panics if it does not within `limit`.
#[track_caller]
pub(crate) fn eventually(
    what: &str,
    limit: Duration,
    mut condition: impl AsyncFnMut() -> bool,
) -> impl Future<Output = ()> {
    let caller = std::panic::Location::caller();
    async move {
        let end = Instant::now() + limit;
        while !condition().await {
            assert!(Instant::now() < end, "{caller}: not within {limit:?}: {what}");
            sleep(Duration::from_millis(1)).await;
        }
    }
}
