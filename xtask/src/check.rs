//! `cargo xtask test`: the parts of the check, and their common report.

mod arch;
mod archives;
mod devices;
mod docs;
mod features;
mod links;
mod lint;
pub(crate) mod msrv;
mod package;
pub(crate) mod suites;

use crate::cli::Part;
use crate::report::Report;

type Check = fn(&mut Report);

/// The parts in the order in which they run: the fastest ones first.
const PARTS: [(Part, &str, Check); 10] = [
    (Part::Format, "format", lint::format),
    (Part::Arch, "arch", arch::check),
    (Part::Lint, "lint", lint::clippy),
    (Part::Features, "features", features::check),
    (Part::Links, "links", links::check),
    (Part::Msrv, "msrv", msrv::check),
    (Part::Test, "test", suites::check),
    (Part::Docs, "docs", docs::check),
    (Part::Package, "package", package::check),
    (Part::Devices, "devices", devices::check),
];

/// Runs these parts, or all if there are none, and returns whether every step passed.
pub(crate) fn run(wanted: &[Part], ci: bool) -> bool {
    if ci {
        println!("==> automatic run: the same steps as for a person");
    }
    let mut report = Report::new();
    for (part, name, check) in PARTS {
        if wanted.is_empty() || wanted.contains(&part) {
            report.part(name);
            check(&mut report);
        }
    }
    report.finish()
}
