//! The number of open files, as `/proc` shows it. Files of other folders do not count.

use std::fs;
use std::thread;

use tenancy::TenantId;

use crate::support::{Place, count};

const MAX: usize = 5;

/// Returns the tenants' files in the folder that the process has open.
fn open(place: &Place) -> Vec<String> {
    let folder = place.folder().canonicalize().unwrap();
    let links =
        fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    let mut names: Vec<_> = links
        .filter(|path| path.starts_with(&folder))
        .filter_map(|path| path.to_str().map(str::to_owned))
        .filter(|path| path.ends_with(".sqlite"))
        .collect();
    names.sort();
    names
}

fn tenant(number: u8) -> TenantId {
    TenantId::from_bytes([number; 16]).unwrap()
}

#[test]
fn open_files_are_limited_and_the_least_recently_used_is_closed() {
    let place = Place::with(|config| config.max_open(count(MAX)));
    for number in 1..=60 {
        place.add(tenant(number), "x").unwrap();
        assert!(open(&place).len() <= MAX, "{:?}", open(&place));
    }
    let path = |number| place.file(tenant(number)).canonicalize().unwrap().to_str().unwrap().to_owned();
    assert_eq!(open(&place), (56..=60).map(path).collect::<Vec<_>>());
    // 56 is used again, so 57 is closed.
    place.notes(tenant(56)).unwrap();
    place.notes(tenant(1)).unwrap();
    assert_eq!(open(&place), [1, 56, 58, 59, 60].map(path));
    // Tenants without a file have no open file.
    (100..200).for_each(|number| assert!(place.notes(tenant(number)).unwrap().is_empty()));
    assert!(open(&place).len() <= MAX);
    thread::scope(|scope| {
        for worker in 0..8_u8 {
            let place = &place;
            scope.spawn(move || {
                for step in 0..40_u8 {
                    place.add(tenant(1 + (worker * 7 + step) % 60), &format!("{worker} {step}")).unwrap();
                    // A file that is closed while the list is read may be in it together with its successor.
                    // A real excess would be in every list.
                    assert!((0..50).any(|_| open(place).len() <= MAX));
                }
            });
        }
    });
    let place_was = place.folder();
    let Place { scratch, files } = place;
    drop(files);
    let left =
        fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    assert_eq!(left.filter(|path| path.starts_with(&place_was)).count(), 0);
    // The last connection of a file removes its log.
    assert!(fs::read_dir(place_was).unwrap().all(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.ends_with(".sqlite") || name == "tenants.lock"
    }));
    drop(scratch);
}
