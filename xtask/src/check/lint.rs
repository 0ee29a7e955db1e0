//! Formatting and lints.

use crate::process::{cargo, root};
use crate::report::Report;

pub(super) fn format(report: &mut Report) {
    report.step("format", || cargo(&["fmt", "--all", "--check"]).run());
    report.step("format of the firmware", || {
        let manifest = root().join("examples/firmware/Cargo.toml");
        cargo(&["fmt", "--all", "--check", "--manifest-path"]).arg(manifest).run()
    });
}

/// Lints every target, and so compiles the benchmarks and examples too.
pub(super) fn clippy(report: &mut Report) {
    report.step("clippy", || {
        let what = ["clippy", "--quiet", "--workspace", "--all-targets", "--all-features"];
        cargo(&what).args(&["--", "-D", "warnings"]).run()
    });
}
