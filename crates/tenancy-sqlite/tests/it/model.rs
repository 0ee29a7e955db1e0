//! Random calls, compared with a map of lists.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rusqlite::Connection;
use tenancy::{TenantContext, TenantId};
use tenancy_sqlite::Error;

use crate::support::{A, B, Place, add, count, notes};

#[derive(Clone, Debug)]
enum Op {
    Add(String),
    AddAndFail(String),
    AddAndPassOver(String),
    DeleteAll,
    Read,
    Remove,
    Backup,
    List,
    /// Reads another tenant within a write, and copies its notes.
    Copy(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let note = "[a-z']{1,6}";
    prop_oneof![
        4 => note.prop_map(Op::Add),
        1 => note.prop_map(Op::AddAndFail),
        1 => note.prop_map(Op::AddAndPassOver),
        1 => Just(Op::DeleteAll),
        4 => Just(Op::Read),
        1 => Just(Op::Remove),
        1 => Just(Op::Backup),
        1 => Just(Op::List),
        2 => (0..TENANTS).prop_map(Op::Copy),
    ]
}

const TENANTS: usize = 4;

fn tenant(number: usize) -> TenantId {
    [TenantId::PLATFORM, A, B, tenancy::tenant_id!("cccccccc-cccc-4ccc-8ccc-cccccccccccc")][number]
}

type Model = BTreeMap<TenantId, Vec<String>>;

/// Applies an operation to a tenant's file and to the model.
fn step(place: &Place, model: &mut Model, tenant: TenantId, op: &Op, number: usize) {
    let has = |model: &Model, note: &String| model.get(&tenant).is_some_and(|notes| notes.contains(note));
    match op {
        Op::Add(note) => {
            let is_new = !has(model, note);
            assert_eq!(place.add(tenant, note).is_ok(), is_new);
            let notes = model.entry(tenant).or_default();
            notes.extend(is_new.then(|| note.clone()));
        }
        Op::AddAndFail(note) => {
            let body = |file: &tenancy_sqlite::TenantTx<'_>| add(file, note).and(Err::<(), _>(Error::Busy));
            TenantContext::scope(tenant, || place.files.write(body)).unwrap_err();
            model.entry(tenant).or_default();
        }
        Op::AddAndPassOver(note) => {
            let body = |file: &tenancy_sqlite::TenantTx<'_>| {
                let _ = add(file, note).and_then(|()| file.execute_batch("ROLLBACK"));
                Ok::<_, Error>(())
            };
            let is_new = !has(model, note);
            assert_eq!(TenantContext::scope(tenant, || place.files.write(body)).is_err(), is_new);
            model.entry(tenant).or_default();
        }
        Op::DeleteAll => {
            let body = |file: &tenancy_sqlite::TenantTx<'_>| file.execute("DELETE FROM notes", ());
            let deleted = TenantContext::scope(tenant, || place.files.write(body)).unwrap();
            assert_eq!(deleted, std::mem::take(model.entry(tenant).or_default()).len());
        }
        Op::Read => assert_eq!(place.notes(tenant).unwrap(), model.get(&tenant).cloned().unwrap_or_default()),
        Op::Remove => {
            let removed = TenantContext::scope(tenant, || place.files.remove()).unwrap();
            assert_eq!(removed, model.remove(&tenant).is_some());
        }
        Op::Backup => backup(place, model, tenant, number),
        Op::List => {
            let listed = TenantContext::scope(TenantId::PLATFORM, || place.files.tenants()).unwrap();
            assert!(listed.iter().eq(model.keys()));
        }
        Op::Copy(other) => copy(place, model, tenant, self::tenant(*other)),
    }
}

fn backup(place: &Place, model: &Model, tenant: TenantId, number: usize) {
    let path = place.scratch.path().join(number.to_string());
    let copied = TenantContext::scope(tenant, || place.files.backup(&path));
    let Some(notes) = model.get(&tenant) else { return assert!(copied.is_err() && !path.exists()) };
    copied.unwrap();
    let copy = Connection::open(path).unwrap();
    let mut select = copy.prepare("SELECT body FROM notes ORDER BY id").unwrap();
    let found: Vec<String> = select.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(found, *notes);
}

fn copy(place: &Place, model: &mut Model, tenant: TenantId, other: TenantId) {
    let copied = TenantContext::scope(tenant, || {
        place.files.write(|file| {
            let theirs = TenantContext::scope(other, || place.files.read(notes))?;
            theirs.iter().try_for_each(|note| {
                file.execute("INSERT OR IGNORE INTO notes (body) VALUES (?1)", [note]).map(drop)
            })
        })
    });
    model.entry(tenant).or_default();
    if tenant == other {
        return assert!(matches!(copied, Err(Error::Nested)));
    }
    copied.unwrap();
    let theirs = model.get(&other).cloned().unwrap_or_default();
    let own = model.entry(tenant).or_default();
    let new: Vec<_> = theirs.into_iter().filter(|note| !own.contains(note)).collect();
    own.extend(new);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn calls_of_several_tenants_match_a_map(
        max_open in 2..5_usize,
        ops in prop::collection::vec((0..TENANTS, op()), 1..60),
    ) {
        let place = Place::with(|config| config.max_open(count(max_open)));
        let mut model = Model::new();
        for (number, (who, op)) in ops.iter().enumerate() {
            step(&place, &mut model, tenant(*who), op, number);
        }
        for who in 0..TENANTS {
            step(&place, &mut model, tenant(who), &Op::Read, 0);
        }
    }
}
