//! Calls from tokio tasks.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::task::Poll;
use std::thread::{self, ThreadId};
use std::time::Duration;

use tenancy::{TenantContext, TenantError, TenantFutureExt, TenantId};
use tenancy_sqlite::{AsyncTenantFiles, Error, TenantReader, TenantTx};
use tokio::runtime::Builder;
use tokio::task::{JoinSet, spawn_blocking};

use crate::support::{A, B, Place, add, count, notes};

fn handle(place: &Place) -> AsyncTenantFiles {
    AsyncTenantFiles::new(place.files.clone())
}

/// Polls a future once; it must wait.
async fn begin<F: Future>(mut future: Pin<&mut F>) {
    let polled = poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_pending())).await;
    assert!(polled, "the call does not wait");
}

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn async_calls_use_the_tenant_of_their_task() {
    let place = Place::new();
    let mut tasks = JoinSet::new();
    for number in 0..60 {
        let files = handle(&place);
        let tenant = if number % 2 == 0 { A } else { B };
        let work = async move {
            let note = format!("{number} of {tenant}");
            let written = note.clone();
            let inside = files.write(move |file| add(file, &written).map(|()| TenantContext::get())).await;
            assert_eq!(inside.unwrap().unwrap(), tenant);
            let read = |file: &TenantReader<'_>| {
                assert_eq!(TenantContext::get(), Ok(file.tenant()));
                notes(file)
            };
            assert!(files.read(read).await.unwrap().contains(&note));
        };
        tasks.spawn(work.in_tenant(tenant));
    }
    tasks.join_all().await;
    for tenant in [A, B] {
        let notes = place.notes(tenant).unwrap();
        assert_eq!(notes.len(), 30);
        assert!(notes.iter().all(|note| note.ends_with(&tenant.to_string())));
    }
}

#[tokio::test]
async fn async_calls_without_a_tenant_run_nothing() {
    let place = Place::new();
    let files = handle(&place);
    let is_unset = |error: &Error| matches!(error, Error::Tenant(TenantError::TenantContextNotSet(_)));
    assert!(is_unset(&files.read(|_| -> Result<(), Error> { panic!("it runs") }).await.unwrap_err()));
    assert!(is_unset(&files.write(|_| -> Result<(), Error> { panic!("it runs") }).await.unwrap_err()));
    assert!(is_unset(&files.exists().await.unwrap_err()));
    assert!(is_unset(&files.backup(place.scratch.path().join("copy")).await.unwrap_err()));
    assert!(is_unset(&files.remove().await.unwrap_err()));
    assert!(is_unset(&files.tenants().await.unwrap_err()));
    assert_eq!(place.names(), ["tenants.lock"]);
}

#[tokio::test]
async fn async_handle_has_the_other_calls() {
    let place = Place::new();
    let files = handle(&place);
    let copy = place.scratch.path().join("copy");
    async {
        assert!(!files.exists().await.unwrap());
        files.write(|file| add(file, "x")).await.unwrap();
        assert!(files.exists().await.unwrap());
        files.backup(&copy).await.unwrap();
        assert_eq!(files.blocking().read(notes).unwrap(), ["x"]);
        assert_eq!(files.tenants().in_tenant(TenantId::PLATFORM).await.unwrap(), [A]);
        assert!(files.remove().await.unwrap());
        assert!(!files.exists().await.unwrap() && copy.exists());
    }
    .in_tenant(A)
    .await;
}

/// Returns the threads on which a body runs.
fn threads(
    log: &Arc<Mutex<Vec<ThreadId>>>,
    sql: &'static str,
) -> impl Fn(&TenantReader<'_>) -> Result<i64, Error> + use<> {
    let log = Arc::clone(log);
    move |file| {
        log.lock().unwrap().push(thread::current().id());
        file.query_row(sql, (), |row| row.get(0))
    }
}

#[tokio::test]
async fn short_read_of_an_open_file_stays_on_its_thread() {
    let place = Place::new();
    let files = handle(&place);
    let log = Arc::default();
    let read = async || files.read(threads(&log, "SELECT count(*) FROM notes")).in_tenant(A).await.unwrap();
    place.add(A, "x").unwrap();
    // This one opens a connection for reads, which can take long.
    assert_eq!(read().await, 1);
    let here = thread::current().id();
    assert!(log.lock().unwrap().drain(..).all(|thread| thread != here));
    // The instructions of earlier calls do not count.
    for _ in 0..3000 {
        assert_eq!(read().await, 1);
    }
    assert_eq!(*log.lock().unwrap(), vec![here; 3000]);
}

#[tokio::test]
async fn long_read_is_started_again_on_another_thread() {
    const SQL: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT count(*) FROM n";
    let place = Place::new();
    let files = handle(&place);
    place.add(A, "x").unwrap();
    place.notes(A).unwrap();
    let log = Arc::default();
    assert_eq!(files.read(threads(&log, SQL)).in_tenant(A).await.unwrap(), 10_000);
    let log = std::mem::take(&mut *log.lock().unwrap());
    assert!(
        matches!(log[..], [first, second] if first == thread::current().id() && second != first),
        "{log:?}"
    );
    // A body that ignores the interruption is started again too.
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let read = move |file: &TenantReader<'_>| {
        counted.fetch_add(1, SeqCst);
        Ok::<_, Error>(file.query(SQL, (), |row| row.get::<_, i64>(0)).unwrap_or_default())
    };
    assert_eq!(files.read(read).in_tenant(A).await.unwrap(), [10_000]);
    assert_eq!(calls.load(SeqCst), 2);
}

/// With one connection, the order in which the bodies run is the order in which the calls got it.
#[tokio::test]
async fn calls_of_a_tenant_are_served_in_order_of_arrival() {
    let place = Place::with(|config| config.max_open(count(1)));
    let files = handle(&place);
    place.add(A, "x").unwrap();
    let (order, expected) = (Arc::new(Mutex::new(Vec::new())), 0..12);
    let (release, released) = mpsc::channel::<()>();
    let (begun, has_begun) = mpsc::channel();
    let hold = move |_: &TenantTx<'_>| {
        begun.send(()).unwrap();
        released.recv().unwrap();
        Ok::<_, Error>(())
    };
    let holder = tokio::spawn({
        let files = files.clone();
        async move { files.write(hold).await.unwrap() }.in_tenant(A)
    });
    while has_begun.try_recv().is_err() {
        tokio::task::yield_now().await;
    }
    let mut calls = Vec::new();
    for number in expected.clone() {
        let (files, order) = (files.clone(), Arc::clone(&order));
        let note = move || order.lock().unwrap().push(number);
        let call = async move {
            if number % 3 == 0 {
                files
                    .write(move |_| {
                        note();
                        Ok::<_, Error>(())
                    })
                    .await
            } else {
                files
                    .read(move |_| {
                        note();
                        Ok::<_, Error>(())
                    })
                    .await
            }
        };
        let mut call = Box::pin(call.in_tenant(A));
        begin(call.as_mut()).await;
        calls.push(call);
    }
    // One that stops waiting does not stop the ones behind it.
    drop(calls.remove(5));
    release.send(()).unwrap();
    holder.await.unwrap();
    let mut tasks = JoinSet::new();
    // The order in which the calls are polled does not matter.
    calls.into_iter().rev().for_each(|call| _ = tasks.spawn(call));
    tasks.join_all().await.into_iter().for_each(Result::unwrap);
    let expected: Vec<_> = expected.filter(|number| *number != 5).collect();
    assert_eq!(*order.lock().unwrap(), expected);
}

/// Calls that wait for a tenant's connection do not take the threads of other tenants.
#[test]
fn waiting_calls_hold_no_threads() {
    let runtime = Builder::new_multi_thread().worker_threads(1).max_blocking_threads(2).enable_all().build();
    let place = Place::new();
    let files = handle(&place);
    runtime.unwrap().block_on(async {
        let (release, released) = mpsc::channel::<()>();
        let mut waiting = JoinSet::new();
        let hold = move |file: &TenantTx<'_>| {
            released.recv().unwrap();
            add(file, "first")
        };
        let holder = files.clone();
        waiting.spawn(async move { holder.write(hold).await.unwrap() }.in_tenant(A));
        for number in 0..50 {
            let files = files.clone();
            let note = number.to_string();
            waiting
                .spawn(async move { files.write(move |file| add(file, &note)).await.unwrap() }.in_tenant(A));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        // If this waited for a thread, it would never return.
        files.write(|file| add(file, "y")).in_tenant(B).await.unwrap();
        release.send(()).unwrap();
        waiting.join_all().await;
    });
    assert_eq!(place.notes(A).unwrap().len(), 51);
}

#[tokio::test]
async fn async_wait_ends_after_the_busy_timeout() {
    let place = Place::with(|config| config.busy_timeout(Duration::from_millis(20)));
    let files = handle(&place);
    let (release, released) = mpsc::channel::<()>();
    let holding = tokio::spawn({
        let files = files.clone();
        let hold = move |_: &TenantTx<'_>| {
            released.recv().unwrap();
            Ok::<_, Error>(())
        };
        async move { files.write(hold).await.unwrap() }.in_tenant(A)
    });
    tokio::task::yield_now().await;
    let second = files.write(|file| add(file, "x")).in_tenant(A).await;
    assert!(matches!(second, Err(Error::Busy)), "{second:?}");
    release.send(()).unwrap();
    holding.await.unwrap();
    files.write(|file| add(file, "x")).in_tenant(A).await.unwrap();
}

#[tokio::test]
async fn panic_of_a_body_reaches_the_caller_and_rolls_back() {
    let place = Place::new();
    place.add(A, "kept").unwrap();
    place.notes(A).unwrap();
    let files = handle(&place);
    let write = tokio::spawn({
        let files = files.clone();
        let body = |file: &TenantTx<'_>| -> Result<(), Error> {
            add(file, "lost")?;
            panic!("in a body")
        };
        async move { files.write(body).await }.in_tenant(A)
    });
    assert!(write.await.unwrap_err().is_panic());
    let read = tokio::spawn({
        let files = files.clone();
        async move { files.read(|_| -> Result<(), Error> { panic!("in a body") }).await }.in_tenant(A)
    });
    assert!(read.await.unwrap_err().is_panic());
    files.write(|file| add(file, "after")).in_tenant(A).await.unwrap();
    assert_eq!(files.read(notes).in_tenant(A).await.unwrap(), ["kept", "after"]);
}

#[tokio::test]
async fn dropped_write_completes_if_it_has_begun() {
    let place = Place::new();
    let files = handle(&place);
    let (release, released) = mpsc::channel::<()>();
    let (begun, has_begun) = mpsc::channel();
    let body = move |file: &TenantTx<'_>| {
        begun.send(()).unwrap();
        released.recv().unwrap();
        add(file, "x")
    };
    {
        let mut write = pin!(files.write(body).in_tenant(A));
        begin(write.as_mut()).await;
        has_begun.recv().unwrap();
    }
    release.send(()).unwrap();
    // Waits for the write.
    files.write(|file| add(file, "y")).in_tenant(A).await.unwrap();
    assert_eq!(place.notes(A).unwrap(), ["x", "y"]);
}

#[tokio::test]
async fn futures_are_send() {
    fn is_send<T: Send>(_: &T) {}
    let place = Place::new();
    let files = handle(&place);
    is_send(&files.read(notes));
    is_send(&files.write(|file| add(file, "x")));
    is_send(&files.remove());
}
