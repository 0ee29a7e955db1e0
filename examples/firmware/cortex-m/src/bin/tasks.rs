//! Two tenants' tasks and a bystander take turns on one executor.

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
static TURNS: AtomicU32 = AtomicU32::new(0);
static DONE: AtomicU32 = AtomicU32::new(0);

fn add(counter: &AtomicU32, amount: u32) {
    counter.store(counter.load(Relaxed) + amount, Relaxed);
}

/// Lets the other tasks run once.
async fn turn() {
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

async fn watch(expected: Option<TenantId>) {
    for _ in 0..ROUNDS {
        add(&WRONG, u32::from(TenantContext::get_optional() != expected));
        add(&TURNS, 1);
        turn().await;
    }
}

async fn finish(name: &str) {
    defmt::info!("{=str}: {}", name, TenantContext::get_optional());
    add(&DONE, 1);
    while DONE.load(Relaxed) < 4 {
        turn().await;
    }
    let wrong = WRONG.load(Relaxed);
    defmt::info!("{=u32} turns, {=u32} wrong", TURNS.load(Relaxed), wrong);
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

/// Sets a tenant by itself, in a context of its own.
#[task]
async fn loner() {
    async {
        watch(None).await;
        TenantContext::set(TenantId::PLATFORM);
        watch(Some(TenantId::PLATFORM)).await;
        finish("loner").await;
    }
    .in_own_context()
    .await;
}

/// Does nothing about tenants, and sees none.
#[task]
async fn bystander() {
    watch(None).await;
    finish("bystander").await;
}

static mut EXECUTOR: Option<Executor> = None;

#[cortex_m_rt::entry]
fn main() -> ! {
    // SAFETY: `main` runs once, and nothing else names the static.
    let executor = unsafe { (*(&raw mut EXECUTOR)).insert(Executor::new()) };
    executor.run(|spawner| {
        let (Ok(acme), Ok(bolt), Ok(loner), Ok(bystander)) = (acme(), bolt(), loner(), bystander()) else {
            firmware_kit::exit(1)
        };
        spawner.spawn(acme);
        spawner.spawn(bolt);
        spawner.spawn(loner);
        spawner.spawn(bystander);
    })
}
