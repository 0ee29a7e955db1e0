//! `FixedDirectory`, compared with a `HashMap`. It is small, so that the table wraps around and fills up.

use std::collections::HashMap;
use std::mem::size_of;

use tenancy::{
    FixedDirectory, TenantError, TenantId, TenantRecord, TenantSlug, TenantStatus, TenantValidationKind,
};

use crate::support::tenant;

const STATUSES: [TenantStatus; 3] = [TenantStatus::Active, TenantStatus::Suspended, TenantStatus::Deleted];

fn record(id: TenantId, name: usize, status: TenantStatus) -> TenantRecord {
    TenantRecord::new(id, TenantSlug::parse(&format!("tenant-{name}")).expect("a slug"), status)
}

fn id(whole: u128) -> TenantId {
    TenantId::from_bytes(whole.to_be_bytes()).expect("neither nil nor max")
}

/// Returns ids that resemble each other, or random ones.
fn ids(shape: usize, count: usize) -> Vec<TenantId> {
    let mut rng = fastrand::Rng::with_seed(7);
    let numbers = 1..=count as u64;
    match shape {
        0 => numbers.map(tenant).collect(),
        1 => numbers.map(|number| id(u128::from(number) << 120 | 1)).collect(),
        2 => numbers.map(|number| id(u128::from(number) << 64)).collect(),
        _ => numbers.map(|_| id(u128::from(rng.u64(..)) << 64 | u128::from(rng.u64(..)))).collect(),
    }
}

type Model = HashMap<TenantId, TenantRecord>;

/// Asserts that the directory and the model are equal.
fn compare<const N: usize>(directory: &FixedDirectory<N>, model: &Model, ids: &[TenantId]) {
    for id in ids {
        assert_eq!(directory.get(*id), model.get(id));
        let status = model.get(id).map(TenantRecord::status);
        assert_eq!(directory.verify(*id).map(drop), TenantStatus::verify_known(status, *id));
        assert!(directory.verify(*id).is_ok_and(|found| found == model[id]) || status != Some(STATUSES[0]));
    }
    assert_eq!((directory.len(), directory.is_empty()), (model.len(), model.is_empty()));
    assert_eq!(directory.capacity(), N);
    let found: Model = directory.iter().map(|record| (record.id(), *record)).collect();
    assert_eq!((directory.iter().count(), &found), (model.len(), model));
}

/// Applies a random step to the directory and the model; returns whether the directory was full.
fn step<const N: usize>(
    directory: &mut FixedDirectory<N>,
    model: &mut Model,
    id: TenantId,
    rng: &mut fastrand::Rng,
) -> bool {
    let status = STATUSES[rng.usize(..3)];
    match rng.usize(..5) {
        0..=1 => {
            let record = record(id, rng.usize(..100), status);
            let is_full = model.len() == N && !model.contains_key(&id);
            let expected = if is_full { Err(record) } else { Ok(model.insert(id, record)) };
            assert_eq!(directory.insert(record), expected);
            return is_full;
        }
        2..=3 => assert_eq!(directory.remove(id), model.remove(&id)),
        _ => {
            let before = directory.set_status(id, status);
            assert_eq!(before.ok(), model.get(&id).map(TenantRecord::status));
            model.entry(id).and_modify(|record| *record = record.with_status(status));
        }
    }
    false
}

/// Returns how often the directory was full.
fn run<const N: usize>(shape: usize) -> usize {
    let mut rng = fastrand::Rng::with_seed((N * 4 + shape) as u64);
    // A third more ids than places: the directory is often full, and often not.
    let ids = ids(shape, N + N / 3 + 1);
    let (mut directory, mut model) = (FixedDirectory::<N>::new(), Model::new());
    let mut full = 0;
    for _ in 0..4_000 {
        let id = ids[rng.usize(..ids.len())];
        full += usize::from(step(&mut directory, &mut model, id, &mut rng));
        compare(&directory, &model, &ids);
    }
    full
}

#[test]
fn directory_behaves_like_a_hash_map() {
    for shape in 0..4 {
        for full in [run::<0>(shape), run::<1>(shape), run::<2>(shape), run::<3>(shape), run::<7>(shape)] {
            assert!(full > 10, "full {full} times");
        }
        run::<8>(shape);
        run::<16>(shape);
    }
}

#[test]
fn full_directory_keeps_the_others_when_any_two_are_removed() {
    let ids = ids(0, 16);
    let mut full = FixedDirectory::<16>::default();
    let model: Model = ids.iter().map(|id| (*id, record(*id, 1, TenantStatus::Active))).collect();
    for record in model.values() {
        assert_eq!(full.insert(*record), Ok(None));
    }
    let other = record(tenant(99), 99, TenantStatus::Active);
    assert_eq!(full.insert(other), Err(other));
    compare(&full, &model, &ids);
    for first in &ids {
        for second in &ids {
            let (mut directory, mut model) = (full.clone(), model.clone());
            for id in [first, second] {
                assert_eq!(directory.remove(*id), model.remove(id));
                compare(&directory, &model, &ids);
            }
            assert_eq!(directory.insert(other), Ok(None));
            assert_eq!(directory.get(other.id()), Some(&other));
        }
    }
    compare(&full, &model, &ids);
}

#[test]
fn full_directory_replaces_a_record() {
    let mut directory = FixedDirectory::<1>::new();
    let [first, second] = [1, 2].map(|name| record(tenant(1), name, TenantStatus::Active));
    assert_eq!(directory.insert(first), Ok(None));
    assert_eq!(directory.insert(second), Ok(Some(first)));
    assert_eq!((directory.len(), directory.get(tenant(1))), (1, Some(&second)));
}

#[test]
fn verify_distinguishes_all_outcomes() {
    let mut directory = FixedDirectory::<8>::new();
    for (number, status) in (1..).zip(STATUSES) {
        directory.insert(record(tenant(number), 0, status)).expect("room for three");
    }
    assert_eq!(directory.verify(tenant(1)).map(|record| record.id()), Ok(tenant(1)));
    for (number, kind) in [(2, TenantValidationKind::Suspended), (3, TenantValidationKind::Deleted)] {
        match directory.verify(tenant(number)) {
            Err(TenantError::TenantValidation(error)) => {
                assert_eq!((error.tenant(), error.kind()), (tenant(number), kind));
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(
        matches!(directory.verify(tenant(4)), Err(TenantError::TenantNotFound(error)) if error.tenant() == tenant(4))
    );
    assert_eq!(directory.set_status(tenant(4), TenantStatus::Active).map_err(|e| e.tenant()), Err(tenant(4)));
}

#[test]
fn debug_shows_no_tenant() {
    let mut directory = FixedDirectory::<8>::new();
    directory.insert(record(tenant(1), 1, TenantStatus::Active)).expect("room");
    assert_eq!(format!("{directory:?}"), "FixedDirectory { len: 1, capacity: 8 }");
}

#[test]
fn sizes_are_as_documented() {
    const WORD: usize = size_of::<usize>();
    assert_eq!(size_of::<TenantRecord>(), 81);
    assert_eq!(size_of::<Option<TenantRecord>>(), 81);
    assert_eq!(size_of::<FixedDirectory<16>>(), 16 * 81 + WORD);
    assert_eq!(size_of::<FixedDirectory<0>>(), WORD);
}

#[test]
fn empty_directory_is_const() {
    static EMPTY: FixedDirectory<4> = FixedDirectory::new();
    assert!(EMPTY.is_empty() && EMPTY.get(TenantId::PLATFORM).is_none());
}

#[test]
fn slug_is_a_lower_case_label() {
    let longest = "a".repeat(63);
    for good in ["a", "0", "acme", "acme-eu", "a--b", "7eleven", "xn--bcher-kva", &longest] {
        let slug = TenantSlug::parse(good).expect(good);
        assert_eq!(
            (slug.as_str(), slug.to_string(), format!("{slug:?}")),
            (good, good.into(), format!("{good:?}"))
        );
    }
    let too_long = "a".repeat(64);
    let bad = [
        "", "-", "-a", "a-", "Acme", "a_b", "a.b", "a b", " a", "a\n", "a/b", "..", "ä", "a\0", "%61",
        &too_long,
    ];
    for bad in bad {
        assert!(TenantSlug::parse(bad).is_err(), "{bad:?}");
        assert!(bad.parse::<TenantSlug>().is_err(), "{bad:?}");
    }
}

/// If a place accepts an id or a slug, a slug that looks like an id would shadow the tenant with that id.
#[test]
fn no_slug_is_a_tenant_id() {
    let id = tenant(1);
    for text in [id.to_string(), id.simple().to_string()] {
        assert!(TenantSlug::parse(&text).is_err(), "{text}");
        let (short, long) = (&text[1..], format!("{text}0"));
        assert!(TenantSlug::parse(short).is_ok() && TenantSlug::parse(&long).is_ok(), "{text}");
    }
}

#[test]
fn status_name_round_trips() {
    for status in [TenantStatus::Active, TenantStatus::Suspended, TenantStatus::Deleted] {
        assert_eq!(TenantStatus::from_name(status.as_str()), Some(status));
    }
    for text in ["", "Active", "active ", "resumed"] {
        assert_eq!(TenantStatus::from_name(text), None, "{text}");
    }
}
