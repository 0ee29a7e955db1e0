//! The pool of open files: many tenants and threads, few files.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use tenancy::{TenantContext, TenantId};
use tenancy_sqlite::{Error, Migration, TenantReader, TenantTx};

use crate::support::{A, B, Place, add, count, notes};

fn tenant(number: usize) -> TenantId {
    TenantId::from_bytes([u8::try_from(number + 16).unwrap(); 16]).unwrap()
}

#[test]
fn eight_threads_and_eight_tenants_share_two_open_files() {
    const EACH: usize = 40;
    let place = Place::with(|config| config.max_open(count(2)));
    let start = Barrier::new(8);
    thread::scope(|scope| {
        for worker in 0..8 {
            let (place, start) = (&place, &start);
            scope.spawn(move || {
                start.wait();
                for step in 0..EACH {
                    let tenant = tenant((worker * 3 + step) % 8);
                    place.add(tenant, &format!("{worker} {step}")).unwrap();
                    let mine = format!("{worker} ");
                    assert!(place.notes(tenant).unwrap().iter().any(|note| note.starts_with(&mine)));
                }
            });
        }
    });
    let mut expected: BTreeMap<TenantId, Vec<String>> = BTreeMap::new();
    for (worker, step) in (0..8).flat_map(|worker| (0..EACH).map(move |step| (worker, step))) {
        expected.entry(tenant((worker * 3 + step) % 8)).or_default().push(format!("{worker} {step}"));
    }
    for (tenant, mut expected) in expected {
        let mut found = place.notes(tenant).unwrap();
        found.sort();
        expected.sort();
        assert_eq!(found, expected);
    }
}

#[test]
fn writes_of_one_tenant_are_serialized() {
    let place = Place::new();
    let make = "CREATE TABLE counter (value INTEGER); INSERT INTO counter VALUES (0)";
    TenantContext::scope(A, || place.files.write(|file| file.execute_batch(make))).unwrap();
    let inside = AtomicUsize::new(0);
    let increment = || {
        place.files.write(|file| {
            assert_eq!(inside.fetch_add(1, SeqCst), 0);
            let value: i64 = file.query_row("SELECT value FROM counter", (), |row| row.get(0))?;
            thread::yield_now();
            file.execute("UPDATE counter SET value = ?1", [value + 1])?;
            inside.fetch_sub(1, SeqCst);
            Ok::<_, Error>(())
        })
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..50).for_each(|_| TenantContext::scope(A, increment).unwrap()));
        }
    });
    let read = |file: &tenancy_sqlite::TenantReader<'_>| {
        file.query_row("SELECT value FROM counter", (), |row| row.get::<_, i64>(0))
    };
    assert_eq!(TenantContext::scope(A, || place.files.read(read)).unwrap(), 200);
}

#[test]
fn slow_body_does_not_block_other_tenants() {
    let place = Place::new();
    let (done, is_done) = mpsc::channel::<()>();
    let (begun, has_begun) = mpsc::channel();
    thread::scope(|scope| {
        let slow = scope.spawn(|| {
            TenantContext::scope(A, || {
                place.files.write(move |file| {
                    begun.send(()).unwrap();
                    is_done.recv().unwrap();
                    add(file, "slow")
                })
            })
        });
        has_begun.recv().unwrap();
        // If this waited for the slow body, it would never return.
        place.add(B, "quick").unwrap();
        assert_eq!(place.notes(B).unwrap(), ["quick"]);
        done.send(()).unwrap();
        slow.join().unwrap().unwrap();
    });
    assert_eq!(place.notes(A).unwrap(), ["slow"]);
}

/// Two threads wait for B and one for C. Two places become free at once: the second notification must reach the thread
/// that waits for C, not one that finds B in use again.
#[test]
fn freed_place_wakes_a_waiter_that_can_use_it() {
    let place = Place::with(|config| config.max_open(count(2)).busy_timeout(Duration::from_hours(1)));
    let (release, released) = mpsc::channel::<()>();
    let (c_is_done, is_c_done) = mpsc::channel();
    let (released, is_c_done) = (Mutex::new(released), Mutex::new(Some(is_c_done)));
    let full = Barrier::new(3);
    thread::scope(|scope| {
        for number in 0..2 {
            let (place, full, released) = (&place, &full, &released);
            scope.spawn(move || {
                let hold = |_: &TenantReader<'_>| {
                    full.wait();
                    released.lock().unwrap().recv().unwrap();
                    Ok::<_, Error>(())
                };
                TenantContext::scope(tenant(number), || place.files.read(hold)).unwrap();
            });
        }
        full.wait();
        for number in 0..2 {
            let (place, is_c_done) = (&place, &is_c_done);
            scope.spawn(move || {
                let first = |file: &TenantTx<'_>| {
                    if let Some(is_c_done) = is_c_done.lock().unwrap().take() {
                        let told = is_c_done.recv_timeout(Duration::from_secs(30));
                        told.expect("there is a place for C while B is written");
                    }
                    add(file, &number.to_string())
                };
                TenantContext::scope(B, || place.files.write(first)).unwrap();
            });
            // No state shows that a thread waits, so the order is chosen by time. The test passes in any order.
            thread::sleep(Duration::from_millis(50));
        }
        let (place, c_is_done) = (&place, c_is_done);
        scope.spawn(move || {
            place.add(tenant(9), "C").unwrap();
            c_is_done.send(()).unwrap();
        });
        thread::sleep(Duration::from_millis(50));
        release.send(()).unwrap();
        release.send(()).unwrap();
    });
}

#[test]
fn wait_ends_after_the_busy_timeout() {
    let place = Place::with(|config| config.max_open(count(1)).busy_timeout(Duration::from_millis(20)));
    TenantContext::scope(A, || {
        place.files.write(|file| {
            // The same tenant in another thread, and another tenant without room.
            thread::scope(|scope| {
                let same = scope.spawn(|| place.notes(A)).join().unwrap();
                assert!(matches!(same, Err(Error::Busy)));
                let other = scope.spawn(|| place.notes(B)).join().unwrap();
                assert!(matches!(other, Err(Error::Busy)));
            });
            add(file, "x")
        })
    })
    .unwrap();
    assert_eq!((place.notes(A).unwrap().len(), place.notes(B).unwrap().len()), (1, 0));
}

#[test]
fn nested_body_without_room_fails_at_once() {
    // Longer than any test takes.
    let place = Place::with(|config| config.max_open(count(2)).busy_timeout(Duration::from_hours(24)));
    let deepest = || place.files.read(notes);
    let deep = || place.files.read(|_| TenantContext::scope(tenant(1), deepest));
    TenantContext::scope(A, || {
        place.files.write(|file| {
            add(file, "x")?;
            assert!(matches!(TenantContext::scope(B, deep), Err(Error::Busy)));
            Ok::<_, Error>(())
        })
    })
    .unwrap();
}

#[test]
fn maximal_busy_timeout_is_accepted() {
    let place = Place::with(|config| config.busy_timeout(Duration::MAX));
    place.add(A, "x").unwrap();
    assert_eq!(place.notes(A).unwrap(), ["x"]);
}

#[test]
fn file_locked_by_another_program_is_busy() {
    let place = Place::with(|config| config.busy_timeout(Duration::from_millis(20)));
    place.add(A, "x").unwrap();
    let other = rusqlite::Connection::open(place.file(A)).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(matches!(place.add(A, "y"), Err(Error::Busy)));
    assert_eq!(place.notes(A).unwrap(), ["x"]);
    other.execute_batch("COMMIT").unwrap();
    place.add(A, "y").unwrap();
}

#[test]
fn crossed_waits_end() {
    let place = Place::with(|config| config.busy_timeout(Duration::from_millis(50)));
    let both = Barrier::new(2);
    let cross = |mine: TenantId, other: TenantId| {
        let (place, both) = (&place, &both);
        move || {
            TenantContext::scope(mine, || {
                place.files.write(|file| {
                    both.wait();
                    let crossed = place.add(other, "crossed");
                    add(file, "done")?;
                    Ok::<_, Error>(crossed.is_err())
                })
            })
        }
    };
    let failed = thread::scope(|scope| {
        let (one, two) = (scope.spawn(cross(A, B)), scope.spawn(cross(B, A)));
        [one.join().unwrap().unwrap(), two.join().unwrap().unwrap()]
    });
    assert!(failed.contains(&true));
    for tenant in [A, B] {
        assert!(place.notes(tenant).unwrap().contains(&"done".to_owned()));
    }
}

#[test]
fn failed_open_releases_its_place() {
    const WRONG: &[Migration] = &[Migration { version: 1, name: "wrong", sql: "CREATE TABLE" }];
    let place = Place::with(|config| config.max_open(count(1)).migrations(WRONG));
    for number in 0..4 {
        let error = place.add(tenant(number), "x").unwrap_err();
        assert!(matches!(error, Error::Migration { version: 1, .. }), "{error:?}");
    }
    assert_eq!(place.names(), ["tenants.lock"]);
}
