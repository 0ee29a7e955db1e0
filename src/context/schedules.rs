//! Threads that run parts of tasks, in many orders that `shuttle` chooses: `cargo xtask nightly`.
//!
//! A task moves from thread to thread. The table of bare entries has two places here, so entries of tasks collide.

use std::collections::VecDeque;
use std::env;
use std::vec::Vec;

use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::{Arc, Mutex};
use shuttle::thread;

use super::sync::run_as_task;
use crate::{TenantContext, TenantFutureExt, TenantId};

const THREADS: usize = 3;
const TASKS: u64 = 4;
/// The number of parts that a task is run in.
const PARTS: u32 = 4;

/// A task: its number, what it has set last, and the parts that are left.
struct Task {
    number: u64,
    last: Option<TenantId>,
    parts: u32,
}

/// Tenants of different tasks differ.
fn tenant(task: u64, number: u32) -> TenantId {
    let mut bytes = [0xa5; 16];
    bytes[..8].copy_from_slice(&task.to_be_bytes());
    bytes[8..12].copy_from_slice(&number.to_be_bytes());
    TenantId::from_bytes(bytes).expect("neither nil nor all ones")
}

impl Task {
    /// A task sees what it has set last, or nothing: on another thread, or after another task has taken its entry.
    fn check(&self) {
        let seen = TenantContext::get_optional();
        assert!(seen.is_none() || seen == self.last, "task {}: {seen:?}, not {:?}", self.number, self.last);
    }

    fn run_part(&mut self) {
        self.check();
        let own = tenant(self.number, self.parts);
        match thread_rng().gen_range(0..6) {
            0 | 1 => {
                TenantContext::set(own);
                self.last = Some(own);
            }
            2 => {
                TenantContext::clear();
                self.last = None;
            }
            3 => {
                let guard = TenantContext::enter(own);
                let seen = TenantContext::get_optional();
                assert!(seen.is_none() || seen == Some(own), "{seen:?}");
                drop(guard);
            }
            4 => TenantContext::scope(own, || {
                thread::yield_now();
                assert_eq!(TenantContext::get(), Ok(own));
            }),
            _ => {
                let future = async { TenantContext::get() }.in_tenant(own);
                assert_eq!(shuttle::future::block_on(future), Ok(own));
            }
        }
        self.check();
    }
}

fn threads_run_tasks() {
    let tasks: VecDeque<_> = (1..=TASKS).map(|number| Task { number, last: None, parts: PARTS }).collect();
    let tasks = Arc::new(Mutex::new(tasks));
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let tasks = Arc::clone(&tasks);
            thread::spawn(move || {
                loop {
                    let next = tasks.lock().unwrap().pop_front();
                    let Some(mut task) = next else { break };
                    run_as_task(task.number, || task.run_part());
                    assert_eq!(TenantContext::get_optional(), None);
                    task.parts -= 1;
                    if task.parts > 0 {
                        tasks.lock().unwrap().push_back(task);
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}

#[test]
fn tasks_see_only_their_own_tenants_in_each_schedule() {
    let schedules = env::var("SCHEDULES").map_or(10_000, |number| number.parse().expect("a number"));
    shuttle::check_random(threads_run_tasks, schedules);
    // Few switches at the worst moments.
    shuttle::check_pct(threads_run_tasks, schedules / 10, 3);
}
