//! Four async tasks alternate on one executor: two in a tenant each, one that sets its tenant itself, and one without a
//! tenant.

#![no_std]
#![no_main]

use core::future::poll_fn;
use core::sync::atomic::{AtomicU32, Ordering::Relaxed};
use core::task::Poll;

use cortex_m as _;
use embassy_executor::{Executor, task};
use firmware_kit as _;
use tenancy::{TenantContext, TenantFutureExt, TenantId, tenant_id};

const ACME: TenantId = tenant_id!("aaaaaaaa-0000-4000-8000-000000000001");
const BOLT: TenantId = tenant_id!("bbbbbbbb-0000-4000-8000-000000000002");

const ROUNDS: u32 = 100;

static WRONG: AtomicU32 = AtomicU32::new(0);
static CHECKS: AtomicU32 = AtomicU32::new(0);
static DONE: AtomicU32 = AtomicU32::new(0);

fn add(counter: &AtomicU32, amount: u32) {
    counter.store(counter.load(Relaxed) + amount, Relaxed);
}

/// Lets each of the other tasks run once.
async fn yield_now() {
    let mut waited = false;
    poll_fn(|context| {
        if waited {
            return Poll::Ready(());
        }
        waited = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Compares the current tenant with the expected one, again and again while the other tasks run in between.
async fn watch(expected: Option<TenantId>) {
    for _ in 0..ROUNDS {
        add(&WRONG, u32::from(TenantContext::get_optional() != expected));
        add(&CHECKS, 1);
        yield_now().await;
    }
}

/// Waits for the other tasks, then ends the program with the result.
async fn finish(name: &str) {
    defmt::info!("{=str}: {}", name, TenantContext::get_optional());
    add(&DONE, 1);
    while DONE.load(Relaxed) < 4 {
        yield_now().await;
    }
    let wrong = WRONG.load(Relaxed);
    defmt::info!("{=u32} checks, {=u32} wrong", CHECKS.load(Relaxed), wrong);
    firmware_kit::exit(wrong);
}

#[task]
async fn acme() {
    async {
        watch(Some(ACME)).await;
        finish("acme").await;
    }
    .in_tenant(ACME)
    .await;
}

#[task]
async fn bolt() {
    async {
        watch(Some(BOLT)).await;
        finish("bolt").await;
    }
    .in_tenant(BOLT)
    .await;
}

/// Has a context of its own and sets its tenant itself.
#[task]
async fn own_context() {
    async {
        watch(None).await;
        TenantContext::set(TenantId::PLATFORM);
        watch(Some(TenantId::PLATFORM)).await;
        finish("own context").await;
    }
    .in_own_context()
    .await;
}

/// Does not set a tenant and must not see one.
#[task]
async fn bystander() {
    watch(None).await;
    finish("bystander").await;
}

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut EXECUTOR: Option<Executor> = None;

    let executor = EXECUTOR.insert(Executor::new());
    executor.run(|spawner| {
        let (Ok(acme), Ok(bolt), Ok(own_context), Ok(bystander)) =
            (acme(), bolt(), own_context(), bystander())
        else {
            firmware_kit::exit(1)
        };
        spawner.spawn(acme);
        spawner.spawn(bolt);
        spawner.spawn(own_context);
        spawner.spawn(bystander);
    })
}
