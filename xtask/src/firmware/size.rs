//! `cargo xtask size`: flash, memory and instructions of the core and of tokens on a Cortex-M3, compared with their limits.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, SymbolKind, elf};
use tenancy_testkit::process::ChildGroup;

use super::cross::Cross;
use super::program::Program;
use super::{qemu, thumb};
use crate::packages::need;
use crate::process::{exit_code, root};

const TARGET: &str = "thumbv7m-none-eabi";

/// A figure: its name, unit and value, and the target and limit of the design.
struct Row(String, &'static str, u64, Aim);

#[derive(Clone, Copy)]
enum Aim {
    /// Printed for comparison.
    Figure,
    /// A target that is met; missing it is a failure.
    Limit(u64),
    /// A target that is not met yet, and a limit whose excess is a failure.
    Missed(u64, u64),
}

/// Prints the table, and returns whether every figure is within its limit.
pub(crate) fn report(cross: Cross) -> Result<bool> {
    need("qemu-system-arm", &["qemu-system-arm"], "it counts instructions")?;
    println!("==> building the probes for {TARGET}");
    let mut rows = Vec::new();
    flash(cross, &mut rows)?;
    instructions(cross, &mut rows)?;

    println!("\n| figure | value | target | |\n| --- | --- | --- | --- |");
    let mut met = true;
    for Row(name, unit, figure, aim) in rows {
        let (target, verdict) = match aim {
            Aim::Figure => (String::new(), ""),
            Aim::Limit(limit) if figure <= limit => (format!("{limit} {unit}"), "ok"),
            Aim::Missed(target, limit) if figure <= limit => {
                (format!("{target} {unit}"), if figure <= target { "ok" } else { "target not met" })
            }
            Aim::Limit(limit) | Aim::Missed(_, limit) => {
                met = false;
                (format!("{limit} {unit}"), "OVER THE LIMIT")
            }
        };
        println!("| {name} | {figure} {unit} | {target} | {verdict} |");
    }
    Ok(met)
}

fn build(cross: Cross, name: &str) -> Result<PathBuf> {
    let folder =
        cross.build(&root().join("examples/firmware"), TARGET, &["-p", "firmware-probe", "--bin", name])?;
    Ok(folder.join(name))
}

fn flash(cross: Cross, rows: &mut Vec<Row>) -> Result<()> {
    let empty = Image::read(&build(cross, "empty")?)?;
    let limits = [
        ("context", Aim::Missed(360, 600)),
        ("parse", Aim::Figure),
        ("encode", Aim::Figure),
        ("all", Aim::Limit(1_300)),
        ("token", Aim::Limit(8_192)),
    ];
    for (name, limit) in limits {
        let image = Image::read(&build(cross, name)?)?;
        let title = match name {
            "all" => "context, parse and encode",
            "token" => "mint and verify a token",
            name => name,
        };
        rows.push(Row(format!("flash of {title}"), "B", image.flash - empty.flash, limit));
        if name == "all" {
            rows.push(Row("RAM".into(), "B", image.ram - empty.ram, Aim::Limit(20)));
        }
        if name == "all" || name == "token" {
            let count = image.panics.len() as u64;
            rows.push(Row(format!("panic and formatting symbols of {title}"), "", count, Aim::Limit(0)));
            for symbol in image.panics {
                println!("    linked: {symbol}");
            }
        }
        if name == "context" {
            rows.push(Row(
                "longest path with interrupts off".into(),
                "instructions",
                image.interrupts_off,
                Aim::Limit(10),
            ));
        }
    }
    Ok(())
}

/// A linked program.
struct Image {
    flash: u64,
    ram: u64,
    panics: Vec<String>,
    interrupts_off: u64,
}

impl Image {
    fn read(elf: &Path) -> Result<Self> {
        let bytes = fs::read(elf).with_context(|| format!("{} was not built", elf.display()))?;
        let file = object::File::parse(&*bytes)?;
        let mut image = Self { flash: 0, ram: 0, panics: Vec::new(), interrupts_off: 0 };
        for section in file.sections() {
            let SectionFlags::Elf { sh_flags } = section.flags() else { bail!("not an ELF file") };
            if sh_flags & u64::from(elf::SHF_ALLOC) == 0 {
                continue;
            }
            let writable = sh_flags & u64::from(elf::SHF_WRITE) != 0;
            let stored = section.kind() != object::SectionKind::UninitializedData;
            image.flash += if stored { section.size() } else { 0 };
            image.ram += if writable { section.size() } else { 0 };
        }
        for symbol in file.symbols().filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0) {
            let name = symbol.name()?;
            // The linker includes the probe's panic handler if something can panic, and the panic itself is counted.
            let own_handler = name.contains("rust_begin_unwind");
            if (name.contains("panic") || name.contains("core3fmt")) && !own_handler {
                image.panics.push(name.to_owned());
            }
            image.interrupts_off = image.interrupts_off.max(longest(&file, &symbol)?);
        }
        Ok(image)
    }
}

fn longest<'d>(file: &object::File<'d>, symbol: &impl ObjectSymbol<'d>) -> Result<u64> {
    let name = symbol.name()?;
    // Functions that enter or leave a critical section for other code contain only half of it.
    if name.starts_with("_critical_section") || name.starts_with("__") {
        return Ok(0);
    }
    let Some(section) = symbol.section_index() else { return Ok(0) };
    // The lowest bit of an address marks Thumb code.
    let address = symbol.address() & !1;
    let section = file.section_by_index(section)?;
    let Some(code) = section.data_range(address, symbol.size())? else { return Ok(0) };
    let paths = thumb::interrupts_off(code).with_context(|| format!("in {name}"))?;
    Ok(paths.into_iter().max().unwrap_or(0) as u64)
}

/// Adds the counts that the `count` probe prints under `-icount`, which makes an instruction take one nanosecond.
fn instructions(cross: Cross, rows: &mut Vec<Row>) -> Result<()> {
    let elf = build(cross, "count")?;
    let program = Program::find("quickstart").context("the probe runs on the machine of quickstart")?;
    let mut command = qemu::qemu(&program, &elf, &["-icount", "shift=0"]);
    let mut child = ChildGroup::spawn(command.stdout(Stdio::piped()))?;
    let code = exit_code(&mut child, Duration::from_mins(1))?;
    let mut printed = String::new();
    std::io::Read::read_to_string(
        &mut child.take_stdout().context("standard output is piped")?,
        &mut printed,
    )?;
    if code != Some(0) {
        bail!("the count probe ended with status {code:?}: {printed}");
    }
    let limits = [
        ("critical-section", Aim::Figure),
        ("get", Aim::Limit(30)),
        ("set", Aim::Limit(30)),
        ("scope", Aim::Limit(44)),
        ("parse", Aim::Figure),
        ("encode", Aim::Figure),
    ];
    for (name, limit) in limits {
        let count = printed
            .lines()
            .find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
            .with_context(|| format!("the count probe did not count {name}: {printed}"))?;
        rows.push(Row(name.replace('-', " "), "instructions", count, limit));
    }
    Ok(())
}
