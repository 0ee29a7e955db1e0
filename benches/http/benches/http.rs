//! The HTTP rows of the README: `cargo xtask bench http`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::hint::black_box;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use axum::body::HttpBody;
use axum::extract::Request;
use axum::response::Response;
use bench_harness::{Contender, Table, contender, subject};
use bench_http::{hand_written, layer, request, router, tenant, tenants, validate};
use heapless::index_map::FnvIndexMap;
use tenancy::{FixedDirectory, TenantId, TenantRecord, TenantSlug, TenantStatus};
use tenancy_tower::{Cached, Directory, Snapshot};
use tower::{Layer, Service};
use tower_http::request_id::{MakeRequestUuid, SetRequestIdLayer};
use tower_http::validate_request::ValidateRequestHeaderLayer;

const TENANTS: usize = 1_000;

fn main() {
    let table = Table::from_args();
    requests(&table);
    refusals(&table);
    fixed(&table);
    for count in [1_000, 10_000, 100_000, 1_000_000] {
        directories(&table, count);
    }
}

/// From the call to the last frame of the body; the handler is ready at once, and all around it.
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
            // As hyper does: it asks for no frame behind the last one.
            while !body.is_end_stream() {
                _ = black_box(body.as_mut().poll_frame(&mut context));
            }
            return;
        }
    }
}

/// Requests of many tenants, one after the other.
fn served<'a, S, B>(name: &'static str, mut service: S, values: &'a [String]) -> Contender<'a>
where
    S: Service<Request, Response = Response<B>, Error = Infallible> + 'a,
    B: HttpBody,
{
    contender(name, move |at| serve(&mut service, request(&values[at % values.len()])))
}

fn requests(table: &Table) {
    let values: Vec<_> = (0..TENANTS).map(|number| tenant(number).to_string()).collect();
    let values = &values[..];
    let ours = || served("", layer(TENANTS).layer(router()), values);
    table.row(
        "a request around a router",
        ours(),
        [
            served("bare router", router(), values).target(1.15),
            served("hand-written middleware", hand_written(TENANTS), values),
            served(
                "ValidateRequestHeader",
                around(ValidateRequestHeaderLayer::custom(validate(TENANTS))),
                values,
            ),
            served("SetRequestId", around(SetRequestIdLayer::x_request_id(MakeRequestUuid)), values),
        ],
    );
    let peers = || {
        [
            served("hand-written middleware", hand_written(TENANTS), values).target(0.15),
            served(
                "ValidateRequestHeader",
                around(ValidateRequestHeaderLayer::custom(validate(TENANTS))),
                values,
            ),
            served("SetRequestId", around(SetRequestIdLayer::x_request_id(MakeRequestUuid)), values),
        ]
    };
    table.added_row("a request, added", served("", router(), values), ours(), peers());
    table.added_row(
        "a request by Router::layer, added",
        served("", router(), values),
        served("", router().layer(layer(TENANTS)), values),
        peers().map(Contender::without_target),
    );
}

/// A layer around the router, as ours is.
fn around<L: Layer<axum::Router>>(layer: L) -> L::Service {
    layer.layer(router())
}

fn refusals(table: &Table) {
    for (name, value) in [("malformed", "acme".to_owned()), ("unknown", tenant(TENANTS).to_string())] {
        let values = &[value][..];
        table.row(
            &format!("a refusal, {name}"),
            served("", layer(TENANTS).layer(router()), values),
            [
                served("a request to a bare router", router(), values).target(1.0),
                served("hand-written middleware", hand_written(TENANTS), values),
            ],
        );
    }
}

const PLACES: usize = 1_024;

/// Known and unknown ids in turn, at half of the capacity.
fn fixed(table: &Table) {
    let slug = TenantSlug::parse("acme").expect("a slug");
    let mut ours = Box::new(FixedDirectory::<PLACES>::new());
    let mut fnv = Box::new(FnvIndexMap::<TenantId, TenantRecord, PLACES>::new());
    let ids: Vec<_> = (0..PLACES).map(tenant).collect();
    for id in &ids[..PLACES / 2] {
        let record = TenantRecord::new(*id, slug, TenantStatus::Active);
        ours.insert(record).expect("room");
        fnv.insert(*id, record).expect("room");
    }
    table.row(
        "fixed directory, 512 of 1,024",
        subject(|at| _ = black_box(ours.get(ids[at * 7 % PLACES]))),
        [contender("heapless FnvIndexMap", |at| _ = black_box(fnv.get(&ids[at * 7 % PLACES]))).target(0.5)],
    );
}

/// A lookup by each of two threads: the second one does what the first one does, all the time.
struct Lookups<'a>(Vec<(&'static str, Lookup<'a>)>);

type Lookup<'a> = Box<dyn Fn(TenantId) + Sync + 'a>;

fn directories(table: &Table, count: usize) {
    let snapshot: Snapshot = tenants(count).collect();
    let map: HashMap<_, _> = tenants(count).collect();
    let locked = RwLock::new(map.clone());
    let warm = Cached::new(tenants(count).collect::<Snapshot>(), count * 2).ttl(Duration::from_hours(1));
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
        ("snapshot", Box::new(|id| _ = black_box(snapshot.get(id)))),
        ("std HashMap, no lock", Box::new(|id| _ = black_box(map.get(&id)))),
        (
            "RwLock of HashMap",
            Box::new(|id| {
                _ = black_box(locked.read().unwrap_or_else(PoisonError::into_inner).get(&id).copied());
            }),
        ),
        ("our Cached", Box::new(|id| _ = black_box(warm.status_now(id)))),
        ("moka", Box::new(|id| _ = black_box(moka.get(&id)))),
    ]);
    lookups.compare(table, &format!("directory of {count}, 2 threads"), count);
}

impl Lookups<'_> {
    fn compare(&self, table: &Table, name: &str, count: usize) {
        let ids: Vec<_> = (0..count.min(1 << 16)).map(|at| tenant(at * 15 % count)).collect();
        let (ids, turn, ended) = (&ids[..], &AtomicUsize::new(0), &AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(move || {
                let mut at = 0;
                while !ended.load(Ordering::Relaxed) {
                    let lookup = &self.0[turn.load(Ordering::Relaxed)].1;
                    for _ in 0..64 {
                        at += 1;
                        lookup(ids[at % ids.len()]);
                    }
                }
            });
            let contender = |which: usize| {
                let (name, lookup) = &self.0[which];
                contender(name, move |at| {
                    if at == 0 {
                        turn.store(which, Ordering::Relaxed);
                    }
                    lookup(ids[at * 7 % ids.len()]);
                })
            };
            let peers = [contender(1).target(1.0), contender(2), contender(3), contender(4)];
            table.row(name, contender(0), peers);
            ended.store(true, Ordering::Relaxed);
        });
    }
}
