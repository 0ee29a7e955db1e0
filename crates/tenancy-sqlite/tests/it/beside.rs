//! Calls of one tenant beside each other.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tenancy::TenantContext;
use tenancy_sqlite::{Error, TenantReader, TenantTx};

use crate::support::{A, B, Place, add, contents, count, notes};

#[test]
fn reads_run_beside_each_other_and_beside_a_write() {
    let place = Place::new();
    place.add(A, "before").unwrap();
    // Each body waits for the others.
    let all = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let read = |file: &TenantReader<'_>| {
                    let seen = notes(file)?;
                    all.wait();
                    assert_eq!(notes(file)?, seen);
                    Ok::<_, Error>(seen)
                };
                assert_eq!(TenantContext::scope(A, || place.files.read(read)).unwrap(), ["before"]);
            });
        }
        scope.spawn(|| {
            let write = |file: &TenantTx<'_>| {
                add(file, "after")?;
                all.wait();
                Ok::<_, Error>(())
            };
            TenantContext::scope(A, || place.files.write(write)).unwrap();
        });
    });
    assert_eq!(place.notes(A).unwrap(), ["before", "after"]);
}

#[test]
fn read_keeps_its_state_while_a_write_commits() {
    let place = Place::new();
    place.add(A, "one").unwrap();
    let read = |file: &TenantReader<'_>| {
        assert_eq!(notes(file)?, ["one"]);
        thread::scope(|scope| scope.spawn(|| place.add(A, "two")).join()).unwrap()?;
        notes(file)
    };
    assert_eq!(TenantContext::scope(A, || place.files.read(read)).unwrap(), ["one"]);
    assert_eq!(place.notes(A).unwrap(), ["one", "two"]);
}

#[test]
fn reads_of_a_tenant_are_limited() {
    let place = Place::with(|config| config.max_readers(count(2)));
    place.add(A, "x").unwrap();
    let (inside, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let read = |_: &TenantReader<'_>| {
        most.fetch_max(inside.fetch_add(1, SeqCst) + 1, SeqCst);
        thread::yield_now();
        inside.fetch_sub(1, SeqCst);
        Ok::<_, Error>(())
    };
    thread::scope(|scope| {
        for _ in 0..6 {
            scope
                .spawn(|| (0..200).for_each(|_| TenantContext::scope(A, || place.files.read(read)).unwrap()));
        }
    });
    assert!((1..=2).contains(&most.load(SeqCst)), "{most:?}");
}

/// With one connection for all, the readers would take it from the writer if it were not handed over in order.
#[test]
fn looping_readers_do_not_starve_a_writer() {
    for max_open in [1, 64] {
        let place = Place::with(|config| config.max_open(count(max_open)));
        place.add(A, "x").unwrap();
        let (is_done, reads) = (AtomicBool::new(false), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    while !is_done.load(SeqCst) {
                        place.notes(A).unwrap();
                        reads.fetch_add(1, SeqCst);
                    }
                });
            }
            while reads.load(SeqCst) < 8 {
                thread::yield_now();
            }
            let written = (0..20).try_for_each(|number| place.add(A, &number.to_string()));
            is_done.store(true, SeqCst);
            written.unwrap();
        });
        assert_eq!(place.notes(A).unwrap().len(), 21);
    }
}

#[test]
fn removal_waits_for_reads_and_goes_before_later_ones() {
    let place = Place::new();
    place.add(A, "x").unwrap();
    let (release, released) = mpsc::channel::<()>();
    let (begun, has_begun) = mpsc::channel();
    thread::scope(|scope| {
        let place = &place;
        scope.spawn(move || {
            let read = |file: &TenantReader<'_>| {
                begun.send(()).unwrap();
                released.recv().unwrap();
                notes(file)
            };
            assert_eq!(TenantContext::scope(A, || place.files.read(read)).unwrap(), ["x"]);
        });
        has_begun.recv().unwrap();
        let removed = scope.spawn(|| TenantContext::scope(A, || place.files.remove()));
        // No state shows that a thread waits. The test passes in any order.
        thread::sleep(Duration::from_millis(50));
        let later = scope.spawn(|| place.notes(A));
        thread::sleep(Duration::from_millis(50));
        assert!(!removed.is_finished() && place.file(A).exists());
        release.send(()).unwrap();
        assert!(removed.join().unwrap().unwrap());
        assert!(later.join().unwrap().unwrap().is_empty());
    });
}

#[test]
fn concurrent_first_calls_create_and_migrate_a_file_once() {
    for _ in 0..20 {
        let place = Place::new();
        let start = Barrier::new(6);
        thread::scope(|scope| {
            for number in 0..6 {
                let (place, start) = (&place, &start);
                scope.spawn(move || {
                    start.wait();
                    if number % 2 == 0 {
                        place.add(A, &number.to_string()).unwrap();
                    } else {
                        place.notes(A).unwrap();
                    }
                });
            }
        });
        assert_eq!(place.notes(A).unwrap().len(), 3);
    }
}

/// SQLite starts a log again only when no read uses it.
#[test]
fn log_is_bounded_although_there_is_always_a_read() {
    const MIB: u64 = 1 << 20;
    let place = Place::new();
    place.add(A, "x").unwrap();
    let is_done = AtomicBool::new(false);
    let read = |file: &TenantReader<'_>| {
        notes(file)?;
        thread::sleep(Duration::from_millis(3));
        Ok::<_, Error>(())
    };
    let mut largest = 0;
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_done.load(SeqCst) {
                    TenantContext::scope(A, || place.files.read(read)).unwrap();
                }
            });
        }
        for _ in 0..48 {
            let write = |file: &TenantTx<'_>| {
                file.execute("INSERT INTO notes (body) VALUES (hex(randomblob(524288)))", ())?;
                file.execute("DELETE FROM notes WHERE body <> 'x'", ())
            };
            TenantContext::scope(A, || place.files.write(write)).unwrap();
            let log = &contents_len(&place);
            largest = largest.max(*log);
        }
        is_done.store(true, SeqCst);
    });
    assert!((MIB..16 * MIB).contains(&largest), "{largest} bytes");
}

fn contents_len(place: &Place) -> u64 {
    std::fs::metadata(place.folder().join(format!("{A}.sqlite-wal"))).map_or(0, |log| log.len())
}

#[test]
fn reads_of_missing_files_do_not_close_open_ones() {
    let place = Place::with(|config| config.max_open(count(1)));
    place.add(A, "x").unwrap();
    // The log exists as long as the file is open.
    let is_open = || contents(&place.folder()).contains_key(&format!("{A}.sqlite-wal"));
    assert!(is_open());
    assert!(place.notes(B).unwrap().is_empty());
    assert!(is_open());
    place.add(B, "y").unwrap();
    assert!(!is_open());
}
