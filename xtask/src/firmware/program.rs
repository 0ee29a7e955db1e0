//! The firmware programs, and the machines that they run on.

use std::path::PathBuf;

use anyhow::Result;

use super::cross::Cross;
use crate::process::root;

/// A program of `examples/firmware`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) package: &'static str,
    pub(crate) target: &'static str,
    pub(crate) machine: &'static [&'static str],
    /// The time after which the program is considered to hang, in seconds.
    pub(crate) limit: u64,
}

const LM3S: &[&str] = &["qemu-system-arm", "-machine", "lm3s6965evb"];

/// The names of the programs.
pub(crate) const NAMES: [&str; 6] = ["quickstart", "http", "interrupts", "tasks", "cores", "riscv"];

/// All programs; `quickstart` runs on two machines.
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

    /// Builds the program with these further arguments, and returns the path of its ELF file.
    pub(crate) fn build(&self, cross: Cross, more: &[&str]) -> Result<PathBuf> {
        let arguments = [&["-p", self.package, "--bin", self.name], more].concat();
        let folder = cross.build(&root().join("examples/firmware"), self.target, &arguments)?;
        Ok(folder.join(self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_has_a_name_on_the_command_line() {
        assert!(NAMES.iter().all(|name| Program::find(name).is_some()));
        assert!(PROGRAMS.iter().all(|program| NAMES.contains(&program.name)));
    }
}
