//! The steps of the check, and the summary of what passed and failed.

use anyhow::Result;

use crate::cost::{self, Cost, Meter};

/// The steps that have run.
#[derive(Debug)]
pub(crate) struct Report {
    part: &'static str,
    steps: Vec<Step>,
    whole: Meter,
}

#[derive(Debug)]
struct Step {
    part: &'static str,
    name: String,
    cost: Cost,
    error: Option<String>,
}

impl Report {
    pub(crate) fn new() -> Self {
        Self { part: "", steps: Vec::new(), whole: Meter::start() }
    }

    /// Starts a part: the steps from now on belong to it.
    pub(crate) fn part(&mut self, name: &'static str) {
        self.part = name;
    }

    /// Runs a step, prints its name, time and error, and returns whether it passed.
    pub(crate) fn step(&mut self, name: &str, body: impl FnOnce() -> Result<()>) -> bool {
        println!("==> {name}");
        let meter = Meter::start();
        let error = body().err().map(|error| format!("{error:#}"));
        let cost = meter.read();
        match &error {
            Some(error) => println!("    FAILED after {:.0} s: {error}", cost.wall.as_secs_f64()),
            None => println!("    passed in {:.0} s", cost.wall.as_secs_f64()),
        }
        let passed = error.is_none();
        self.steps.push(Step { part: self.part, name: name.to_owned(), cost, error });
        passed
    }

    /// Prints the summary, whose last line is `N passed, N failed`, and returns whether no step failed.
    pub(crate) fn finish(self) -> bool {
        println!("\n==> summary");
        for Step { name, cost, error, .. } in &self.steps {
            let verdict = if error.is_none() { "passed" } else { "FAILED" };
            println!("{verdict} {name} ({})", show(*cost));
        }
        println!("\n==> cost (wall time, CPU time of user + system)");
        let mut parts: Vec<&str> = self.steps.iter().map(|step| step.part).collect();
        parts.dedup();
        for part in parts {
            let of_part = self.steps.iter().filter(|step| step.part == part);
            let cost = of_part.map(|step| step.cost).fold(Cost::default(), Cost::plus);
            println!("{part}: {}", show(cost));
        }
        println!("total: {}", show(self.whole.read()));
        println!("installed tools: {}", show(cost::installed()));
        let failed = self.steps.iter().filter(|step| step.error.is_some()).count();
        println!("{} passed, {failed} failed", self.steps.len() - failed);
        failed == 0
    }
}

fn show(cost: Cost) -> String {
    let Cost { wall, user, system } = cost;
    format!("{:.0} s, CPU {:.0} + {:.0} s", wall.as_secs_f64(), user.as_secs_f64(), system.as_secs_f64())
}
