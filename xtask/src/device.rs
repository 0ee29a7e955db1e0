//! The programs, and the machines that they run on.

use std::path::PathBuf;

use anyhow::Result;

use crate::cross::Cross;
use crate::process::root;

/// A program of `examples/firmware`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
    pub(crate) target: &'static str,
    pub(crate) machine: &'static [&'static str],
    /// Seconds after which it has hung.
    pub(crate) limit: u64,
}

const LM3S: &[&str] = &["qemu-system-arm", "-machine", "lm3s6965evb"];

/// All of them; `quickstart` on two machines.
pub(crate) const PROGRAMS: [Program; 7] = [
    Program {
        name: "quickstart",
        package: "firmware-quickstart",
        target: "thumbv7m-none-eabi",
        machine: LM3S,
        limit: 30,
    },
    Program {
        name: "quickstart",
        package: "firmware-quickstart",
        target: "thumbv6m-none-eabi",
        machine: &["qemu-system-arm", "-machine", "microbit"],
        limit: 30,
    },
    Program {
        name: "http",
        package: "firmware-cortex-m",
        target: "thumbv7m-none-eabi",
        machine: LM3S,
        limit: 600,
    },
    Program {
        name: "interrupts",
        package: "firmware-interrupts",
        target: "thumbv7m-none-eabi",
        machine: LM3S,
        limit: 60,
    },
    Program {
        name: "tasks",
        package: "firmware-cortex-m",
        target: "thumbv7m-none-eabi",
        machine: LM3S,
        limit: 30,
    },
    Program {
        name: "cores",
        package: "firmware-cores",
        target: "thumbv8m.main-none-eabi",
        machine: &["qemu-system-arm", "-machine", "mps2-an521"],
        limit: 60,
    },
    Program {
        name: "riscv",
        package: "firmware-riscv",
        target: "riscv32imac-unknown-none-elf",
        machine: &["qemu-system-riscv32", "-machine", "virt", "-bios", "none"],
        limit: 60,
    },
];

impl Program {
    pub(crate) fn find(name: &str) -> Option<Self> {
        PROGRAMS.into_iter().find(|program| program.name == name)
    }

    /// Builds it, and gives the place of its ELF file.
    pub(crate) fn build(&self, cross: Cross, more: &[&str]) -> Result<PathBuf> {
        let arguments = [&["-p", self.package, "--bin", self.name], more].concat();
        let folder = cross.build(&root().join("examples/firmware"), self.target, &arguments)?;
        Ok(folder.join(self.name))
    }
}
