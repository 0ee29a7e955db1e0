//! The figures `tower/…` and `directory/…`: `cargo xtask bench tower directory`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hint::black_box;
use std::pin::pin;
use std::slice;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use axum::body::HttpBody;
use axum::extract::Request;
use axum::response::Response;
use bench_harness::{Table, Timed, peer, subject};
use bench_http::{hand_written, layer, request, router, tenant, tenants, validate};
use heapless::index_map::FnvIndexMap;
use tenancy::{FixedDirectory, TenantId, TenantRecord, TenantSlug, TenantStatus};
use tenancy_tower::{CachedDirectory, Directory, SnapshotDirectory};
use tower::{Layer, Service};
use tower_http::request_id::{MakeRequestUuid, SetRequestIdLayer};
use tower_http::validate_request::ValidateRequestHeaderLayer;

const TENANTS: usize = 1_000;

fn main() {
    let table = Table::from_args();
    requests(&table);
    rejections(&table);
    fixed(&table);
    for (name, count) in [("1k", 1_000), ("10k", 10_000), ("100k", 100_000), ("1m", 1_000_000)] {
        directories(&table, &format!("directory/{name}"), count);
    }
}

/// Serves a request until the last frame of the response's body. The handler and its layers are ready at once.
fn serve<S, B>(service: &mut S, request: Request)
where
    S: Service<Request, Response = Response<B>, Error = Infallible>,
    B: HttpBody,
{
    let mut context = Context::from_waker(Waker::noop());
    _ = black_box(service.poll_ready(&mut context));
    let mut call = pin!(service.call(request));
    loop {
        if let Poll::Ready(Ok(response)) = call.as_mut().poll(&mut context) {
            let mut body = pin!(response.into_body());
            // hyper also polls no further once the body says that it has ended.
            while !body.is_end_stream() {
                _ = black_box(body.as_mut().poll_frame(&mut context));
            }
            return;
        }
    }
}

/// A service that receives requests with these header values in turn.
fn served<'a, S, B>(name: &'static str, mut service: S, values: &'a [String]) -> Timed<'a>
where
    S: Service<Request, Response = Response<B>, Error = Infallible> + 'a,
    B: HttpBody,
{
    peer(name, move |at| serve(&mut service, request(&values[at % values.len()])))
}

fn requests(table: &Table) {
    let values: Vec<_> = (0..TENANTS).map(|number| tenant(number).to_string()).collect();
    let values = &values[..];
    let bare = || served("bare router", router(), values);
    let ours = || served("", layer(TENANTS).layer(router()), values);
    let hand_written = || served("hand-written middleware", hand_written(TENANTS), values);
    let validate = || {
        let layer = ValidateRequestHeaderLayer::custom(validate(TENANTS));
        served("`ValidateRequestHeader`", layer.layer(router()), values)
    };
    let request_id = || {
        let layer = SetRequestIdLayer::x_request_id(MakeRequestUuid);
        served("`SetRequestId`", layer.layer(router()), values)
    };
    table.row("tower/whole", ours(), [bare().target(1.12), hand_written(), validate(), request_id()]);
    table.added_row("tower/added", bare(), ours(), [hand_written().target(0.15), validate(), request_id()]);
    table.added_row(
        "tower/added/router-layer",
        bare(),
        served("", router().layer(layer(TENANTS)), values),
        [hand_written(), validate(), request_id()],
    );
}

/// A rejection is compared with a served request: it should not cost more.
fn rejections(table: &Table) {
    let values = ["acme".to_owned(), tenant(TENANTS).to_string()];
    let [malformed, unknown] = &values;
    for (name, values) in [
        ("tower/rejection", &values[..]),
        ("tower/rejection/malformed", slice::from_ref(malformed)),
        ("tower/rejection/unknown", slice::from_ref(unknown)),
    ] {
        table.row(
            name,
            served("", layer(TENANTS).layer(router()), values),
            [
                served("request to a bare router", router(), values).target(1.0),
                served("hand-written middleware", hand_written(TENANTS), values),
            ],
        );
    }
}

const CAPACITY: usize = 1_024;

/// Looks up known and unknown ids in turn. Half of the capacity is used.
fn fixed(table: &Table) {
    let slug = TenantSlug::parse("acme").expect("a slug");
    let mut ours = Box::new(FixedDirectory::<CAPACITY>::new());
    let mut fnv = Box::new(FnvIndexMap::<TenantId, TenantRecord, CAPACITY>::new());
    let ids: Vec<_> = (0..CAPACITY).map(tenant).collect();
    for id in &ids[..CAPACITY / 2] {
        let record = TenantRecord::new(*id, slug, TenantStatus::Active);
        ours.insert(record).expect("room");
        fnv.insert(*id, record).expect("room");
    }
    table.row(
        "directory/fixed",
        subject(|at| _ = black_box(ours.get(ids[at * 7 % CAPACITY]))),
        [peer("heapless `FnvIndexMap`", |at| _ = black_box(fnv.get(&ids[at * 7 % CAPACITY]))).target(0.5)],
    );
}

/// Lookups by two threads at the same time: the second one always does what the first one does.
struct Lookups<'a>(Vec<(&'static str, Lookup<'a>)>);

type Lookup<'a> = Box<dyn Fn(TenantId) + Sync + 'a>;

fn directories(table: &Table, name: &str, count: usize) {
    if !table.wants_any(name) {
        return;
    }
    let snapshot: SnapshotDirectory = tenants(count).collect();
    let map: HashMap<_, _> = tenants(count).collect();
    let locked = RwLock::new(map.clone());
    let warm = CachedDirectory::new(tenants(count).collect::<SnapshotDirectory>(), count * 2)
        .ttl(Duration::from_hours(1));
    let moka = moka::sync::Cache::builder()
        .max_capacity(count as u64 * 2)
        .time_to_live(Duration::from_hours(1))
        .build();
    let mut context = Context::from_waker(Waker::noop());
    for (id, status) in tenants(count) {
        moka.insert(id, status);
        _ = black_box(pin!(warm.status(id)).poll(&mut context));
    }
    let lookups = Lookups(vec![
        ("", Box::new(|id| _ = black_box(snapshot.get(id)))),
        ("std `HashMap`, no lock", Box::new(|id| _ = black_box(map.get(&id)))),
        (
            "`RwLock` of a `HashMap`",
            Box::new(|id| {
                _ = black_box(locked.read().unwrap_or_else(PoisonError::into_inner).get(&id).copied());
            }),
        ),
        ("`CachedDirectory`, warm", Box::new(|id| _ = black_box(warm.status_now(id)))),
        ("moka", Box::new(|id| _ = black_box(moka.get(&id)))),
    ]);
    lookups.compare(table, name, count);
}

impl Lookups<'_> {
    fn compare(&self, table: &Table, name: &str, count: usize) {
        let ids: Vec<_> = (0..count.min(1 << 16)).map(|at| tenant(at * 15 % count)).collect();
        let (ids, turn, stop) = (&ids[..], &AtomicUsize::new(0), &AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(move || {
                let mut at = 0;
                while !stop.load(Ordering::Relaxed) {
                    let lookup = &self.0[turn.load(Ordering::Relaxed)].1;
                    for _ in 0..64 {
                        at += 1;
                        lookup(ids[at % ids.len()]);
                    }
                }
            });
            let timed = |which: usize| {
                let (name, lookup) = &self.0[which];
                peer(name, move |at| {
                    if at == 0 {
                        turn.store(which, Ordering::Relaxed);
                    }
                    lookup(ids[at * 7 % ids.len()]);
                })
            };
            table.row(name, timed(0), [timed(1).target(1.0), timed(2), timed(3), timed(4)]);
            stop.store(true, Ordering::Relaxed);
        });
    }
}
