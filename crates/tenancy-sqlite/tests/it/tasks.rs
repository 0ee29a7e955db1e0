//! Calls from tokio tasks.

use tenancy::{TenantContext, TenantFutureExt, TenantId};
use tenancy_sqlite::Error;
use tokio::task::{JoinSet, spawn_blocking};

use crate::support::{A, B, Place, add, notes};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bound_call_runs_in_its_tasks_tenant() {
    let place = Place::new();
    let work = |tenant: TenantId, note: String| {
        let files = place.files.clone();
        async move {
            let call = TenantContext::bind(move || files.write(|file| add(file, &note)));
            spawn_blocking(call).await.unwrap().unwrap();
            tokio::task::yield_now().await;
        }
        .in_tenant(tenant)
    };
    let mut tasks = JoinSet::new();
    for number in 0..40 {
        let tenant = if number % 2 == 0 { A } else { B };
        tasks.spawn(work(tenant, format!("{number} of {tenant}")));
    }
    tasks.join_all().await;
    for tenant in [A, B] {
        let notes = place.notes(tenant).unwrap();
        assert_eq!(notes.len(), 20);
        assert!(notes.iter().all(|note| note.ends_with(&tenant.to_string())));
    }
}

#[tokio::test]
async fn unbound_call_has_no_tenant() {
    let place = Place::new();
    place.add(A, "of a").unwrap();
    let files = place.files.clone();
    let read = async { spawn_blocking(move || files.read(notes)).await.unwrap() }.in_tenant(A).await;
    assert!(matches!(read, Err(Error::Tenant(_))));
}
