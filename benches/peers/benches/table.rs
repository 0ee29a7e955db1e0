//! The table of the README: `cargo xtask bench`.

use std::cell::Cell;
use std::env;
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use opentelemetry::Context as Baggage;
use peers::{contender, measure, quartiles, row};
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
    // cargo adds `--bench` of its own.
    let wanted: Vec<String> = env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let rows: [(&str, fn()); 7] = [
        ("parse", parse),
        ("other forms", other_forms),
        ("bad input", bad_input),
        ("format", format),
        ("get", get),
        ("scope", scope),
        ("poll", poll),
    ];
    let owner = if cfg!(feature = "tokio-owner") { "the tokio task" } else { "the thread" };
    println!("The context belongs to {owner}.\n");
    println!("| what | time | peer | its time | ratio (quartiles) | target |");
    println!("| --- | --- | --- | --- | --- | --- |");
    for (name, row) in rows {
        if wanted.is_empty() || wanted.iter().any(|wanted| name.contains(wanted.as_str())) {
            row();
        }
    }
}

/// Different ids, so that no branch learns one by heart.
fn ids() -> Vec<Uuid> {
    let mut state = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835_u128;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645).wrapping_add(1);
        Uuid::from_u128(state ^ state >> 64)
    })
    .take(IDS)
    .collect()
}

fn texts() -> Vec<[u8; 36]> {
    let text = |id: &Uuid| {
        let mut text = [0; 36];
        id.hyphenated().encode_lower(&mut text);
        text
    };
    ids().iter().map(text).collect()
}

fn parse() {
    let texts = texts();
    let text = |at: usize| black_box(&texts[at % IDS][..]);
    row(
        "parse, hyphenated",
        Some(0.45),
        &mut [
            contender("", |at| _ = black_box(TenantId::parse_ascii(text(at)))),
            contender("uuid", |at| _ = black_box(Uuid::try_parse_ascii(text(at)))),
            contender("uuid-simd", |at| _ = black_box(<Uuid as UuidExt>::parse(text(at)))),
        ],
    );
}

fn other_forms() {
    let ids = ids();
    let simple: Vec<String> = ids.iter().map(|id| id.simple().to_string()).collect();
    let braced: Vec<String> = ids.iter().map(|id| id.braced().to_string()).collect();
    let urns: Vec<String> = ids.iter().map(|id| id.urn().to_string()).collect();
    for (name, texts) in [("parse, simple", simple), ("parse, braced", braced), ("parse, URN", urns)] {
        let text = |at: usize| black_box(texts[at % IDS].as_bytes());
        row(
            name,
            None,
            &mut [
                contender("", |at| _ = black_box(TenantId::parse_ascii(text(at)))),
                contender("uuid", |at| _ = black_box(Uuid::try_parse_ascii(text(at)))),
            ],
        );
    }
}

/// A wrong byte anywhere, or a wrong length.
fn bad_input() {
    let good = texts();
    let bad: Vec<String> = good
        .iter()
        .enumerate()
        .map(|(at, text)| {
            let mut text = String::from_utf8_lossy(text).into_owned();
            match at % 4 {
                0 => text.truncate(at / 4 % 36),
                _ => text.replace_range(at * 7 % 36..=at * 7 % 36, "x"),
            }
            text
        })
        .collect();
    let text = |at: usize| black_box(bad[at % IDS].as_str());
    row(
        "parse, bad input",
        Some(1.0),
        &mut [
            contender("", |at| _ = black_box(TenantId::parse(text(at)))),
            contender("good input", |at| _ = black_box(TenantId::parse_ascii(black_box(&good[at % IDS])))),
            contender("uuid, bad input", |at| _ = black_box(Uuid::parse_str(text(at)))),
        ],
    );
}

fn format() {
    let ids = ids();
    let tenants: Vec<TenantId> = ids.iter().filter_map(|id| TenantId::try_from(*id).ok()).collect();
    row(
        "format, hyphenated",
        None,
        &mut [
            contender("", |at| _ = black_box(black_box(tenants[at % tenants.len()]).encode(&mut [0; 36]))),
            contender("uuid", |at| {
                _ = black_box(black_box(ids[at % IDS]).hyphenated().encode_lower(&mut [0; 36]));
            }),
            contender("uuid-simd", |at| {
                let mut text = [0; 36];
                let id = black_box(ids[at % IDS]);
                black_box(uuid_simd::format_hyphenated(id.as_bytes(), text.as_out(), AsciiCase::Lower));
            }),
        ],
    );
}

fn get() {
    let tenant = TenantId::PLATFORM;
    let _tenant = TenantContext::enter(tenant);
    PLAIN.set(Some(*tenant.as_bytes()));
    let _baggage = Baggage::current_with_value(Tenant(tenant)).attach();
    let _prax = prax::set_sync_tenant(tenant.to_text().as_str());
    let rows = || {
        row(
            "get",
            Some(1.2),
            &mut [
                contender("", |_| _ = black_box(TenantContext::get())),
                contender("thread_local Cell", |_| _ = black_box(PLAIN.get())),
                contender("tokio task_local", |_| _ = black_box(TASK.try_with(|tenant| *tenant))),
                contender("OpenTelemetry", |_| {
                    black_box(Baggage::current().get::<Tenant>().map(|tenant| tenant.0));
                }),
                contender("prax-query", |_| _ = black_box(prax::sync_tenant_id())),
            ],
        );
    };
    TASK.sync_scope(tenant, rows);
}

fn scope() {
    let tenant = black_box(TenantId::PLATFORM);
    row(
        "scope",
        None,
        &mut [
            contender("", |_| TenantContext::scope(tenant, || black_box(()))),
            contender("thread_local Cell", |_| {
                let before = PLAIN.replace(Some(*tenant.as_bytes()));
                black_box(());
                PLAIN.set(before);
            }),
            contender("tokio task_local", |_| TASK.sync_scope(tenant, || black_box(()))),
            contender("OpenTelemetry", |_| {
                _ = black_box(Baggage::current_with_value(Tenant(tenant)).attach());
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

/// What the wrapper adds to a poll: its time less that of the bare future, over the same of the peer.
fn poll() {
    use opentelemetry::context::FutureExt;

    let tenant = TenantId::PLATFORM;
    let mut bare = pin!(black_box(Idle));
    let mut ours = pin!(Idle.in_tenant(tenant));
    let mut tokio = pin!(TASK.scope(tenant, Idle));
    let mut baggage = pin!(Idle.with_context(Baggage::current_with_value(Tenant(tenant))));
    let times = measure(&mut [
        contender("bare", |_| polled(bare.as_mut())),
        contender("", |_| polled(ours.as_mut())),
        contender("tokio task_local", |_| polled(tokio.as_mut())),
        contender("OpenTelemetry", |_| polled(baggage.as_mut())),
    ]);
    let added = |at: usize| -> Vec<f64> {
        times[at].iter().zip(&times[0]).map(|(whole, bare)| whole - bare).collect()
    };
    let ours = added(1);
    for (at, peer, target) in [(2, "tokio task_local", Some(0.5)), (3, "OpenTelemetry", None)] {
        let peers = added(at);
        let ratio =
            quartiles(&mut ours.iter().zip(&peers).map(|(ours, peer)| ours / peer).collect::<Vec<_>>());
        let verdict = target.map_or(String::new(), |target: f64| {
            format!("{target:.2} {}", if ratio[1] <= target { "ok" } else { "MISSED" })
        });
        println!(
            "| poll of a wrapped future, added | {:.1} ns | {peer} | {:.1} ns | {:.2} ({:.2}-{:.2}) | {verdict} |",
            quartiles(&mut ours.clone())[1],
            quartiles(&mut peers.clone())[1],
            ratio[1],
            ratio[0],
            ratio[2],
        );
    }
}
