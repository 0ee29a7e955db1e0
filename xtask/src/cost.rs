//! Wall time and CPU time, with the time of installations kept apart.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

/// What installations have cost so far.
static INSTALLED: Mutex<Cost> = Mutex::new(Cost::ZERO);

/// A span of wall time, and the CPU time that this process and its children used in it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Cost {
    pub(crate) wall: Duration,
    pub(crate) user: Duration,
    pub(crate) system: Duration,
}

impl Cost {
    const ZERO: Self = Self { wall: Duration::ZERO, user: Duration::ZERO, system: Duration::ZERO };

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            wall: self.wall + other.wall,
            user: self.user + other.user,
            system: self.system + other.system,
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            wall: self.wall.saturating_sub(other.wall),
            user: self.user.saturating_sub(other.user),
            system: self.system.saturating_sub(other.system),
        }
    }
}

/// A running measurement.
#[derive(Debug)]
pub(crate) struct Meter {
    started: Instant,
    before: Cost,
    installed: Cost,
}

impl Meter {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), before: cpu_time(), installed: installed() }
    }

    /// Returns the cost since the start, without that of installations.
    pub(crate) fn read(&self) -> Cost {
        self.read_with_installations().minus(installed().minus(self.installed))
    }

    fn read_with_installations(&self) -> Cost {
        let cost = cpu_time().minus(self.before);
        Cost { wall: self.started.elapsed(), ..cost }
    }
}

/// Runs an installation, prints how long it took, and counts its cost apart from that of the check.
pub(crate) fn installing<T>(what: &str, body: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("==> installing {what}");
    let meter = Meter::start();
    let result = body();
    let cost = meter.read_with_installations();
    println!("    installing {what} took {:.0} s", cost.wall.as_secs_f64());
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    *installed = installed.plus(cost);
    result
}

/// Returns the cost of all installations so far.
pub(crate) fn installed() -> Cost {
    *INSTALLED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the CPU time of this process so far, and of all child processes that have ended, with theirs.
fn cpu_time() -> Cost {
    let both = [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN];
    let usages = both.into_iter().flat_map(getrusage);
    let costs = usages.map(|usage| Cost {
        wall: Duration::ZERO,
        user: duration(usage.user_time()),
        system: duration(usage.system_time()),
    });
    costs.fold(Cost::ZERO, Cost::plus)
}

fn duration(time: TimeVal) -> Duration {
    let seconds = u64::try_from(time.tv_sec()).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_micros(u64::try_from(time.tv_usec()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn counts_cpu_time_of_children() {
        let meter = Meter::start();
        let script = "i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done";
        assert!(Command::new("sh").args(["-c", script]).status().unwrap().success());
        let cost = meter.read_with_installations();
        assert!(cost.user > Duration::ZERO, "{cost:?}");
        assert!(cost.wall > Duration::ZERO, "{cost:?}");
    }

    #[test]
    fn keeps_installations_apart() {
        let meter = Meter::start();
        let pause = Duration::from_millis(300);
        installing("nothing", || {
            std::thread::sleep(pause);
            Ok(())
        })
        .unwrap();
        let (without, with) = (meter.read().wall, meter.read_with_installations().wall);
        assert!(without + pause <= with, "{without:?} {with:?}");
    }
}
