//! Directories that fail, hang and change, and a cache in front of them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tenancy::{FixedDirectory, TenantId, TenantRecord, TenantSlug, TenantStatus};
use tenancy_tower::{CachedDirectory, Directory, Rejection, SnapshotDirectory, TenantLayer};
use tower::{Layer, ServiceExt};

use crate::support::{directory, echo, get_of, seen, tenant, text};

async fn status_over<D: Directory>(directory: D) -> u16 {
    let layer = TenantLayer::builder().directory(directory).trust_header().build();
    layer.layer(echo()).oneshot(get_of(tenant(1))).await.unwrap().status().as_u16()
}

#[tokio::test(start_paused = true)]
async fn failing_or_hanging_directory_is_unavailable() {
    let fails = |_: TenantId| async { Err::<Option<TenantStatus>, _>("no route to host") };
    assert_eq!(status_over(fails).await, 503);
    let hangs = |_: TenantId| std::future::pending::<Result<Option<TenantStatus>, Infallible>>();
    let started = tokio::time::Instant::now();
    assert_eq!(status_over(hangs).await, 503);
    assert_eq!(started.elapsed().as_secs(), 1);

    let layer = TenantLayer::builder().directory(fails).trust_header().build();
    let response = layer.layer(echo()).oneshot(get_of(tenant(1))).await.unwrap();
    assert_eq!(response.headers()["retry-after"], "1");
    assert_eq!(text(response).await, Rejection::Unavailable.problem());
}

#[tokio::test]
async fn every_kind_of_directory_decides() {
    let record = TenantRecord::new(tenant(1), TenantSlug::parse("acme").unwrap(), TenantStatus::Active);
    let mut fixed = FixedDirectory::<4>::new();
    assert_eq!(status_over(fixed.clone()).await, 404);
    fixed.insert(record).unwrap();
    assert_eq!(status_over(fixed.clone()).await, 200);
    assert_eq!(status_over(Arc::new(fixed.clone())).await, 200);
    fixed.insert(record.with_status(TenantStatus::Suspended)).unwrap();
    assert_eq!(status_over(fixed).await, 403);
    assert_eq!(status_over(CachedDirectory::new(Arc::new(directory()), 10)).await, 200);
    assert_eq!(
        status_over(|_: TenantId| async { Ok::<_, Infallible>(Some(TenantStatus::Deleted)) }).await,
        404
    );
    assert_eq!(status_over(|_: TenantId| async { Ok::<_, Infallible>(None) }).await, 404);
}

#[tokio::test]
async fn next_request_sees_a_changed_snapshot() {
    let directory = Arc::new(SnapshotDirectory::new());
    assert_eq!(status_over(Arc::clone(&directory)).await, 404);
    directory.set(tenant(1), TenantStatus::Active);
    assert_eq!(status_over(Arc::clone(&directory)).await, 200);
    directory.update([(tenant(1), Some(TenantStatus::Suspended)), (tenant(2), Some(TenantStatus::Active))]);
    assert_eq!(status_over(Arc::clone(&directory)).await, 403);
    directory.remove(tenant(1));
    assert_eq!((status_over(Arc::clone(&directory)).await, directory.len()), (404, 1));
    directory.replace([(tenant(1), TenantStatus::Active)]);
    assert_eq!((status_over(Arc::clone(&directory)).await, directory.get(tenant(2))), (200, None));
    assert!(!format!("{directory:?}").contains("a5a5"));
}

#[test]
fn snapshot_keeps_changes_of_several_threads() {
    let directory = SnapshotDirectory::new();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let directory = &directory;
            scope.spawn(move || {
                for number in 0..100 {
                    directory.set(tenant(thread * 100 + number), TenantStatus::Active);
                }
            });
        }
    });
    assert_eq!(directory.len(), 400);
}

#[tokio::test(start_paused = true)]
async fn suspended_tenant_is_rejected_after_the_ttl() {
    let directory = Arc::new(directory());
    let layer = TenantLayer::builder()
        .directory(CachedDirectory::new(Arc::clone(&directory), 100).ttl(Duration::from_secs(5)))
        .trust_header()
        .build();
    let status = || async { layer.layer(echo()).oneshot(get_of(tenant(1))).await.unwrap().status().as_u16() };
    assert_eq!(status().await, 200);
    directory.set(tenant(1), TenantStatus::Suspended);
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(status().await, 403);
    directory.remove(tenant(1));
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(status().await, 404);
}

/// A request accepted before the suspension completes in its tenant.
#[tokio::test]
async fn request_in_flight_keeps_its_tenant_after_a_suspension() {
    let directory = Arc::new(directory());
    let layer = TenantLayer::builder().directory(Arc::clone(&directory)).trust_header().build();
    let suspend = Arc::clone(&directory);
    let service = tower::service_fn(move |_: http::Request<axum::body::Body>| {
        let suspend = Arc::clone(&suspend);
        async move {
            suspend.set(tenant(1), TenantStatus::Suspended);
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(http::Response::new(axum::body::Body::from(seen())))
        }
    });
    let response = layer.layer(service.clone()).oneshot(get_of(tenant(1))).await.unwrap();
    assert_eq!(text(response).await, tenant(1).to_string());
    assert_eq!(layer.layer(service).oneshot(get_of(tenant(1))).await.unwrap().status(), 403);
}
