//! The table of the README: `cargo xtask bench`.

use std::cell::Cell;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bench_harness::{Table, contender, subject};
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

/// What a program would put into OpenTelemetry's context.
struct Tenant(TenantId);

fn main() {
    let by_task = cfg!(feature = "tokio-owner");
    println!("tenancy with {}.\n", if by_task { "`tokio`: tasks own contexts" } else { "`std` alone" });
    let table = Table::from_args();
    parse(&table);
    bad_input(&table);
    format(&table);
    contexts(&table, "");
    if by_task {
        in_a_task(move || contexts(&table, ", in a task"));
    }
}

/// A task has a number, which is the owner that is looked up and compared.
fn in_a_task(body: impl FnOnce() + Send + 'static) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("no I/O, nothing to fail");
    runtime.block_on(runtime.spawn(async { body() })).expect("a table");
}

fn contexts(table: &Table, place: &str) {
    get(table, &format!("get{place}"));
    scope(table, &format!("scope{place}"));
    poll(table, &format!("poll of a wrapped future, added{place}"));
}

/// Numbers without a pattern that a branch could learn by heart; the same in each run.
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
    ids().map(|id| TenantId::try_from(id).expect("neither nil nor all ones"))
}

type Texts = Vec<&'static str>;

/// One behind the other, so that they fit into the first cache; kept until the program ends.
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

fn parse(table: &Table) {
    let hyphenated = &texts(|id| id.to_string());
    table.row(
        "parse, hyphenated",
        subject(|at| _ = black_box(TenantId::parse_ascii(bytes(hyphenated, at)))),
        [
            contender("uuid", |at| _ = black_box(Uuid::try_parse_ascii(bytes(hyphenated, at)))).target(0.45),
            contender("uuid-simd", |at| _ = black_box(<Uuid as UuidExt>::parse(bytes(hyphenated, at)))),
        ],
    );
    let simple = &texts(|id| id.simple().to_string());
    table.row(
        "parse, simple",
        subject(|at| _ = black_box(TenantId::parse_ascii(bytes(simple, at)))),
        [
            contender("uuid", |at| _ = black_box(Uuid::try_parse_ascii(bytes(simple, at)))),
            contender("uuid-simd", |at| _ = black_box(<Uuid as UuidExt>::parse(bytes(simple, at)))),
        ],
    );
    // uuid-simd reads neither of these.
    let braced = texts(|id| id.braced().to_string());
    let urns = texts(|id| id.urn().to_string());
    for (name, texts) in [("parse, braced", &braced), ("parse, URN", &urns)] {
        table.row(
            name,
            subject(|at| _ = black_box(TenantId::parse_ascii(bytes(texts, at)))),
            [contender("uuid", |at| _ = black_box(Uuid::try_parse_ascii(bytes(texts, at))))],
        );
    }
}

type Fault = fn(&mut String, usize);

/// What can be wrong with a hyphenated text; the number says where.
const FAULTS: [(&str, Fault); 4] = [
    ("a letter", |text, at| {
        // A group's last byte stands for the hyphen behind it.
        let at = at % 36;
        let at = if matches!(at, 8 | 13 | 18 | 23) { at - 1 } else { at };
        text.replace_range(at..=at, "x");
    }),
    ("a hyphen too many", |text, at| text.replace_range(at % 8..=at % 8, "-")),
    ("no hyphen", |text, at| {
        let at = 8 + at % 4 * 5;
        text.replace_range(at..=at, "0");
    }),
    ("too short", |text, at| text.truncate(at % 32)),
];

fn bad_input(table: &Table) {
    for (name, fault) in FAULTS {
        bad_row(table, name, |_| fault);
    }
    bad_row(table, "any of these", |at| FAULTS[at % FAULTS.len()].1);
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
        &format!("parse, bad input: {name}"),
        subject(|at| _ = black_box(TenantId::parse(text(bad, at)))),
        [
            contender("good input", |at| _ = black_box(TenantId::parse(text(good, at)))).target(1.0),
            contender("uuid", |at| _ = black_box(Uuid::parse_str(text(bad, at)))),
        ],
    );
}

fn format(table: &Table) {
    let ids = &ids();
    let tenants = &tenants();
    let buffer = || black_box([0; 36]);
    table.row(
        "format, hyphenated",
        subject(|at| _ = black_box(black_box(&tenants[at % IDS]).encode(&mut buffer()))),
        [
            contender("uuid", |at| {
                _ = black_box(black_box(&ids[at % IDS]).hyphenated().encode_lower(&mut buffer()));
            }),
            contender("uuid-simd", |at| {
                let id = black_box(&ids[at % IDS]).as_bytes();
                _ = black_box(uuid_simd::format_hyphenated(id, buffer().as_out(), AsciiCase::Lower));
            }),
        ],
    );
}

/// Each one where its program would have set it: in a scope, where it has scopes.
fn get(table: &Table, name: &str) {
    let tenant = TenantId::PLATFORM;
    PLAIN.set(Some(*tenant.as_bytes()));
    let _baggage = Baggage::current_with_value(Tenant(tenant)).attach();
    let measured = || {
        table.row(
            name,
            subject(|_| _ = black_box(TenantContext::get())),
            [
                contender("thread_local Cell", |_| _ = black_box(PLAIN.get())).target(1.2),
                contender("tokio task_local", |_| _ = black_box(TASK.try_with(|tenant| *tenant))),
                contender("OpenTelemetry", |_| {
                    black_box(Baggage::current().get::<Tenant>().map(|tenant| tenant.0));
                }),
                contender("prax-query", |_| _ = black_box(prax::current_tenant_id())),
            ],
        );
    };
    let in_tenant = || TenantContext::scope(tenant, || TASK.sync_scope(tenant, measured));
    polled(pin!(prax::with_tenant(tenant.to_text().as_str(), async { in_tenant() })));
}

fn scope(table: &Table, name: &str) {
    let tenants = &tenants();
    let tenant = |at: usize| *black_box(&tenants[at % IDS]);
    table.row(
        name,
        subject(|at| TenantContext::scope(tenant(at), || black_box(()))),
        [
            contender("thread_local Cell", |at| {
                let before = PLAIN.replace(Some(*tenant(at).as_bytes()));
                black_box(());
                PLAIN.set(before);
            }),
            contender("tokio task_local", |at| TASK.sync_scope(tenant(at), || black_box(()))),
            contender("OpenTelemetry", |at| {
                _ = black_box(Baggage::current_with_value(Tenant(tenant(at))).attach());
            }),
        ],
    );
}

/// Pending for ever.
struct Idle;

impl Future for Idle {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<()> {
        black_box(Poll::Pending)
    }
}

fn polled(mut future: Pin<&mut impl Future>) {
    _ = black_box(future.as_mut().poll(&mut Context::from_waker(Waker::noop())));
}

fn poll(table: &Table, name: &str) {
    use opentelemetry::context::FutureExt;

    let tenant = TenantId::PLATFORM;
    let mut bare = pin!(Idle);
    let mut ours = pin!(Idle.in_tenant(tenant));
    let mut tokio = pin!(TASK.scope(tenant, Idle));
    let mut baggage = pin!(Idle.with_context(Baggage::current_with_value(Tenant(tenant))));
    table.added_row(
        name,
        contender("bare", |_| polled(bare.as_mut())),
        subject(|_| polled(ours.as_mut())),
        [
            contender("tokio task_local", |_| polled(tokio.as_mut())).target(0.5),
            contender("OpenTelemetry", |_| polled(baggage.as_mut())),
        ],
    );
}
