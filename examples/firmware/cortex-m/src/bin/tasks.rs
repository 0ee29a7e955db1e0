//! Five async tasks alternate on one executor: two in a tenant each, one that sets its tenant in a context of its own, and
//! two that are not wrapped.
//!
//! The tasks of one executor are one owner. So the two unwrapped tasks share a context: when one of them sets its tenant,
//! the other one sees it. The wrapped tasks do not.

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

/// Set by a task without a wrapper.
const SHARED: TenantId = tenant_id!("cccccccc-0000-4000-8000-000000000003");

const TASKS: u32 = 5;
const ROUNDS: u32 = 100;

static WRONG: AtomicU32 = AtomicU32::new(0);
static CHECKS: AtomicU32 = AtomicU32::new(0);
/// The tasks that are ready for the unwrapped task to set its tenant.
static READY: AtomicU32 = AtomicU32::new(0);
static IS_SET: AtomicU32 = AtomicU32::new(0);
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

/// Waits until the counter has reached the value.
async fn wait(counter: &AtomicU32, value: u32) {
    while counter.load(Relaxed) < value {
        yield_now().await;
    }
}

/// Waits until the unwrapped task has set its tenant.
async fn wait_for_set() {
    add(&READY, 1);
    wait(&IS_SET, 1).await;
}

/// Waits for the other tasks, then ends the program with the result.
async fn finish(name: &str) {
    defmt::info!("{=str}: {}", name, TenantContext::get_optional());
    add(&DONE, 1);
    wait(&DONE, TASKS).await;
    let wrong = WRONG.load(Relaxed);
    defmt::info!("{=u32} checks, {=u32} wrong", CHECKS.load(Relaxed), wrong);
    firmware_kit::exit(wrong);
}

#[task]
async fn acme() {
    async {
        watch(Some(ACME)).await;
        wait_for_set().await;
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
        wait_for_set().await;
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
        wait_for_set().await;
        watch(Some(TenantId::PLATFORM)).await;
        finish("own context").await;
    }
    .in_own_context()
    .await;
}

/// Sets its tenant without a wrapper, after the others have watched.
#[task]
async fn unwrapped() {
    watch(None).await;
    wait(&READY, TASKS - 1).await;
    TenantContext::set(SHARED);
    add(&IS_SET, 1);
    watch(Some(SHARED)).await;
    finish("unwrapped").await;
}

/// Does not set a tenant. Sees none until the other unwrapped task sets one.
#[task]
async fn bystander() {
    watch(None).await;
    defmt::info!("bystander before: {}", TenantContext::get_optional());
    wait_for_set().await;
    watch(Some(SHARED)).await;
    finish("bystander after").await;
}

#[cortex_m_rt::entry]
fn main() -> ! {
    static mut EXECUTOR: Option<Executor> = None;

    let executor = EXECUTOR.insert(Executor::new());
    executor.run(|spawner| {
        let (Ok(acme), Ok(bolt), Ok(own_context), Ok(unwrapped), Ok(bystander)) =
            (acme(), bolt(), own_context(), unwrapped(), bystander())
        else {
            firmware_kit::exit(1)
        };
        spawner.spawn(acme);
        spawner.spawn(bolt);
        spawner.spawn(own_context);
        spawner.spawn(unwrapped);
        spawner.spawn(bystander);
    })
}
