//! `cargo xtask size`: what the core costs on a Cortex-M3, held against its limits.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, SymbolKind, elf};

use crate::cross::Cross;
use crate::device::Program;
use crate::owned::Owned;
use crate::process::root;
use crate::{qemu, thumb};

const TARGET: &str = "thumbv7m-none-eabi";

/// One figure: its name, its unit, what it is, what the design aims at, and what it may never be more than.
struct Row(String, &'static str, u64, Aim);

#[derive(Clone, Copy)]
enum Aim {
    /// Printed, for comparison.
    Figure,
    /// Met, and a failure if it is missed.
    Limit(u64),
    /// Aimed at and missed so far; a failure above the second.
    Missed(u64, u64),
}

/// Prints the table; whether every figure is within its limit.
pub(crate) fn report(cross: Cross) -> Result<bool> {
    crate::packages::need("qemu-system-arm", &["qemu-system-arm"], "it counts instructions")?;
    println!("==> building the probes for {TARGET}");
    let mut rows = Vec::new();
    flash(cross, &mut rows)?;
    instructions(cross, &mut rows)?;

    println!("\n| what | is | target | |\n| --- | --- | --- | --- |");
    let mut met = true;
    for Row(name, unit, figure, aim) in rows {
        let (target, verdict) = match aim {
            Aim::Figure => (String::new(), ""),
            Aim::Limit(limit) if figure <= limit => (format!("{limit} {unit}"), "ok"),
            Aim::Missed(target, limit) if figure <= limit => {
                (format!("{target} {unit}"), if figure <= target { "ok" } else { "missed" })
            }
            Aim::Limit(limit) | Aim::Missed(_, limit) => {
                met = false;
                (format!("{limit} {unit}"), "TOO MUCH")
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
    ];
    for (name, limit) in limits {
        let image = Image::read(&build(cross, name)?)?;
        let title = if name == "all" { "context, parse and encode" } else { name };
        rows.push(Row(format!("flash of {title}"), "B", image.flash - empty.flash, limit));
        if name == "all" {
            rows.push(Row("RAM".into(), "B", image.ram - empty.ram, Aim::Limit(20)));
            rows.push(Row(
                "panic and formatting symbols".into(),
                "",
                image.panics.len() as u64,
                Aim::Limit(0),
            ));
            for symbol in image.panics {
                println!("    linked: {symbol}");
            }
        }
        if name == "context" {
            rows.push(Row(
                "longest way with interrupts off".into(),
                "instructions",
                image.interrupts_off,
                Aim::Limit(10),
            ));
        }
    }
    Ok(())
}

/// What the linker made.
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
            // The probe's own handler is there to be linked where something can panic.
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
    // Not the core's: the functions that other code calls for a critical section are nothing but its halves.
    if name.starts_with("_critical_section") || name.starts_with("__") {
        return Ok(0);
    }
    let Some(section) = symbol.section_index() else { return Ok(0) };
    // The lowest bit of an address says that it is Thumb code.
    let address = symbol.address() & !1;
    let section = file.section_by_index(section)?;
    let Some(code) = section.data_range(address, symbol.size())? else { return Ok(0) };
    let ways = thumb::interrupts_off(code).with_context(|| format!("in {name}"))?;
    Ok(ways.into_iter().max().unwrap_or(0) as u64)
}

/// The counts that the `count` probe prints under `-icount`, where an instruction is a nanosecond.
fn instructions(cross: Cross, rows: &mut Vec<Row>) -> Result<()> {
    let elf = build(cross, "count")?;
    let program = Program::find("quickstart").context("its machine is the probe's")?;
    let mut command = qemu::qemu(&program, &elf, &["-icount", "shift=0"]);
    let mut child = Owned::start(command.stdout(Stdio::piped()))?;
    let code = child.wait(Duration::from_mins(1))?;
    let mut printed = String::new();
    std::io::Read::read_to_string(&mut child.take_output()?, &mut printed)?;
    if code != Some(0) {
        bail!("the count probe ended with {code:?}: {printed}");
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
