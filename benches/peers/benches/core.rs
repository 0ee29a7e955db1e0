//! The figures `id/…` and `context/…`: `cargo xtask bench id context`.

use std::cell::Cell;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bench_harness::{Table, peer, subject};
use opentelemetry::Context as Baggage;
use prax_query::tenant as prax;
use tenancy::{TenantContext, TenantFutureExt, TenantId};
use uuid::Uuid;
use uuid_simd::{AsOut, AsciiCase, UuidExt};

const IDS: usize = 1024;

std::thread_local! {
    static PLAIN: Cell<Option<[u8; 16]>> = const { Cell::new(None) };
}

tokio::task_local! {
    static TASK: TenantId;
}

/// A tenant in OpenTelemetry's context.
struct Tenant(TenantId);

fn main() {
    let table = Table::from_args();
    if cfg!(feature = "tokio-owner") {
        contexts(&table, "no-task");
        in_a_task(move || contexts(&table, "tokio"));
    } else {
        parse(&table);
        bad_input(&table);
        format(&table);
        contexts(&table, "std");
    }
}

/// A task has an id, which each access to the context looks up and compares.
fn in_a_task(body: impl FnOnce() + Send + 'static) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime without I/O");
    runtime.block_on(runtime.spawn(async { body() })).expect("the task does not panic");
}

/// `owner` is the last part of the figures' names.
fn contexts(table: &Table, owner: &str) {
    get(table, owner);
    scope(table, owner);
    poll(table, owner);
}

fn target(owner: &str, std: f64, tokio: f64) -> Option<f64> {
    match owner {
        "std" => Some(std),
        "tokio" => Some(tokio),
        _ => None,
    }
}

/// Numbers without a pattern that a branch predictor could learn. They are the same in each run.
fn random() -> impl FnMut() -> [u8; 16] {
    let mut state = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835_u128;
    move || {
        state = state.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645).wrapping_add(1);
        (state ^ state >> 64).to_be_bytes()
    }
}

fn ids() -> [Uuid; IDS] {
    let mut random = random();
    std::array::from_fn(|_| Uuid::from_bytes(random()))
}

fn tenants() -> [TenantId; IDS] {
    ids().map(|id| TenantId::try_from(id).expect("neither nil nor max"))
}

type Texts = Vec<&'static str>;

/// Creates a text of each id. The texts are adjacent, so that they fit into the first cache, and are never freed.
fn texts(of: impl FnMut(Uuid) -> String) -> Texts {
    let texts = ids().map(of);
    let mut rest: &str = texts.concat().leak();
    let mut first = |length| {
        let (text, after) = rest.split_at(length);
        rest = after;
        text
    };
    texts.iter().map(|text| first(text.len())).collect()
}

fn text(texts: &Texts, at: usize) -> &str {
    black_box(texts[at % IDS])
}

fn bytes(texts: &Texts, at: usize) -> &[u8] {
    text(texts, at).as_bytes()
}

fn from_str(texts: &Texts, at: usize) {
    _ = black_box(text(texts, at).parse::<TenantId>());
}

fn parse(table: &Table) {
    let hyphenated = &texts(|id| id.to_string());
    let uuid = || peer("uuid", |at| _ = black_box(Uuid::try_parse_ascii(bytes(hyphenated, at))));
    let simd = || peer("uuid-simd", |at| _ = black_box(<Uuid as UuidExt>::parse(bytes(hyphenated, at))));
    table.row("id/parse/hyphenated", subject(|at| from_str(hyphenated, at)), [uuid().target(0.35), simd()]);
    table.row(
        "id/parse/const",
        subject(|at| _ = black_box(TenantId::parse_ascii(bytes(hyphenated, at)))),
        [uuid().target(0.42), simd()],
    );
    let simple = &texts(|id| id.simple().to_string());
    table.row(
        "id/parse/simple",
        subject(|at| from_str(simple, at)),
        [
            peer("uuid", |at| _ = black_box(Uuid::try_parse_ascii(bytes(simple, at)))).target(0.7),
            peer("uuid-simd", |at| _ = black_box(<Uuid as UuidExt>::parse(bytes(simple, at)))),
        ],
    );
    // uuid-simd parses neither of these.
    let braced = texts(|id| id.braced().to_string());
    let urns = texts(|id| id.urn().to_string());
    for (name, texts) in [("id/parse/braced", &braced), ("id/parse/urn", &urns)] {
        table.row(
            name,
            subject(|at| from_str(texts, at)),
            [peer("uuid", |at| _ = black_box(Uuid::try_parse_ascii(bytes(texts, at))))],
        );
    }
}

type Fault = fn(&mut String, usize);

/// Faults of a hyphenated text; the number selects the position.
const FAULTS: [(&str, Fault); 4] = [
    ("letter", |text, at| {
        // A hyphen's position stands for the last digit of the group before it.
        let at = at % 36;
        let at = if matches!(at, 8 | 13 | 18 | 23) { at - 1 } else { at };
        text.replace_range(at..=at, "x");
    }),
    ("extra-hyphen", |text, at| text.replace_range(at % 8..=at % 8, "-")),
    ("missing-hyphen", |text, at| {
        let at = 8 + at % 4 * 5;
        text.replace_range(at..=at, "0");
    }),
    ("short", |text, at| text.truncate(at % 32)),
];

fn bad_input(table: &Table) {
    bad_row(table, "id/parse/bad", |at| FAULTS[at % FAULTS.len()].1);
    for (name, fault) in FAULTS {
        bad_row(table, &format!("id/parse/bad/{name}"), |_| fault);
    }
}

fn bad_row(table: &Table, name: &str, fault: impl Fn(usize) -> Fault) {
    let good = &texts(|id| id.to_string());
    let mut random = random();
    let bad = &texts(|id| {
        let mut text = id.to_string();
        let [kind, place, ..] = random().map(usize::from);
        fault(kind)(&mut text, place);
        text
    });
    table.row(
        name,
        subject(|at| from_str(bad, at)),
        [
            peer("`tenancy`, valid input", |at| from_str(good, at)).target(1.0),
            peer("uuid", |at| _ = black_box(Uuid::parse_str(text(bad, at)))),
        ],
    );
}

fn format(table: &Table) {
    let ids = &ids();
    let tenants = &tenants();
    let buffer = || black_box([0; 36]);
    table.row(
        "id/format",
        subject(|at| _ = black_box(black_box(&tenants[at % IDS]).encode(&mut buffer()))),
        [
            peer("uuid", |at| {
                _ = black_box(black_box(&ids[at % IDS]).hyphenated().encode_lower(&mut buffer()));
            })
            .target(0.7),
            peer("uuid-simd", |at| {
                let id = black_box(&ids[at % IDS]).as_bytes();
                _ = black_box(uuid_simd::format_hyphenated(id, buffer().as_out(), AsciiCase::Lower));
            }),
        ],
    );
}

/// Each context is set as its program would set it: in a scope, if it has scopes.
fn get(table: &Table, owner: &str) {
    let target = target(owner, 1.05, 3.0);
    let tenant = TenantId::PLATFORM;
    PLAIN.set(Some(*tenant.as_bytes()));
    let _baggage = Baggage::current_with_value(Tenant(tenant)).attach();
    let measured = || {
        table.row(
            &format!("context/get/{owner}"),
            subject(|_| _ = black_box(TenantContext::get())),
            [
                peer("`thread_local!` `Cell`", |_| _ = black_box(PLAIN.get())).target(target),
                peer("tokio `task_local!`", |_| _ = black_box(TASK.try_with(|tenant| *tenant))),
                peer("OpenTelemetry", |_| {
                    black_box(Baggage::current().get::<Tenant>().map(|tenant| tenant.0));
                }),
                peer("prax-query", |_| _ = black_box(prax::current_tenant_id())),
            ],
        );
    };
    let in_tenant = || TenantContext::scope(tenant, || TASK.sync_scope(tenant, measured));
    poll_once(pin!(prax::with_tenant(tenant.to_text().as_str(), async { in_tenant() })));
}

fn scope(table: &Table, owner: &str) {
    let tenants = &tenants();
    let tenant = |at: usize| *black_box(&tenants[at % IDS]);
    table.row(
        &format!("context/scope/{owner}"),
        subject(|at| TenantContext::scope(tenant(at), || black_box(()))),
        [
            peer("tokio `task_local!`", |at| TASK.sync_scope(tenant(at), || black_box(())))
                .target(target(owner, 1.3, 1.3)),
            peer("`thread_local!` `Cell`", |at| {
                let before = PLAIN.replace(Some(*tenant(at).as_bytes()));
                black_box(());
                PLAIN.set(before);
            }),
            peer("OpenTelemetry", |at| {
                _ = black_box(Baggage::current_with_value(Tenant(tenant(at))).attach());
            }),
        ],
    );
}

/// A future that is always pending.
struct Idle;

impl Future for Idle {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<()> {
        black_box(Poll::Pending)
    }
}

fn poll_once(mut future: Pin<&mut impl Future>) {
    _ = black_box(future.as_mut().poll(&mut Context::from_waker(Waker::noop())));
}

fn poll(table: &Table, owner: &str) {
    use opentelemetry::context::FutureExt;

    let target = target(owner, 0.4, 0.77);
    let tenant = TenantId::PLATFORM;
    let mut bare = pin!(Idle);
    let mut ours = pin!(Idle.in_tenant(tenant));
    let mut tokio = pin!(TASK.scope(tenant, Idle));
    let mut baggage = pin!(Idle.with_context(Baggage::current_with_value(Tenant(tenant))));
    table.added_row(
        &format!("context/poll/{owner}"),
        peer("bare", |_| poll_once(bare.as_mut())),
        subject(|_| poll_once(ours.as_mut())),
        [
            peer("tokio `task_local!`", |_| poll_once(tokio.as_mut())).target(target),
            peer("OpenTelemetry", |_| poll_once(baggage.as_mut())),
        ],
    );
}
