//! Host programs that use the core link without a `critical-section` implementation.
//!
//! Optimization and the removal of unused sections hide an undefined symbol. Each step turns one of them off.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::packages;
use crate::process::{Step, cargo, root, target};
use crate::report::Report;

const WINDOWS: &str = "x86_64-pc-windows-gnu";
/// The features of a host program that decide where the context is stored.
const FEATURES: [&str; 2] = ["std", "tokio"];

const LIBRARY: &str = r#"//! A library with a C interface.

use tenancy::{TenantContext, TenantId};

/// Returns the number of tenants that the caller sees in a scope: 1.
#[unsafe(no_mangle)]
pub extern "C" fn tenants_in_scope() -> i32 {
    TenantContext::scope(TenantId::PLATFORM, || i32::from(TenantContext::is_set()))
}
"#;

const PROGRAM: &str = "fn main() { assert_eq!(links::tenants_in_scope(), 1); }\n";

const C: &str = "int tenants_in_scope(void);\nint main(void) { return tenants_in_scope() == 1 ? 0 : 1; }\n";

pub(super) fn check(report: &mut Report) {
    for feature in FEATURES {
        report.step(&format!("a program with `{feature}` that keeps unused code"), || dead_code(feature));
        report.step(&format!("a C program that links the static library with `{feature}`"), || c(feature));
        report.step(&format!("a program with `{feature}` for {WINDOWS}"), || windows(feature));
    }
}

/// Links a Linux program without the removal of unused sections, and runs it.
fn dead_code(feature: &str) -> Result<()> {
    let package = Package::write(feature)?;
    package.build().args(&["--bins"]).env("RUSTFLAGS", "-C link-dead-code").run()?;
    Step::new(package.results().join("debug/links")).run()
}

/// Links a C program with the debug static library, and runs it.
fn c(feature: &str) -> Result<()> {
    let package = Package::write(feature)?;
    package.build().args(&["--lib"]).run()?;
    let (source, program) = (package.folder.join("main.c"), package.folder.join("main"));
    fs::write(&source, C)?;
    Step::new("cc")
        .args(&[&source, &package.results().join("debug/liblinks.a")])
        .args(&["-lpthread", "-ldl", "-lm", "-o"])
        .arg(&program)
        .run()?;
    Step::new(program).run()
}

/// Links a Windows program. It is not run.
fn windows(feature: &str) -> Result<()> {
    packages::need("x86_64-w64-mingw32-gcc", &["gcc-mingw-w64-x86-64"], "links programs for Windows")?;
    Step::new("rustup").args(&["target", "add", WINDOWS]).run()?;
    let package = Package::write(feature)?;
    package.build().args(&["--bins", "--target", WINDOWS]).run()?;
    let program = package.results().join(WINDOWS).join("debug/links.exe");
    ensure!(program.is_file(), "{} was not built", program.display());
    Ok(())
}

/// A package outside the workspace, so that no other member enables a feature of its dependencies.
struct Package {
    folder: PathBuf,
}

impl Package {
    fn write(feature: &str) -> Result<Self> {
        let folder = target().join("links").join(feature);
        fs::create_dir_all(folder.join("src"))?;
        fs::write(folder.join("Cargo.toml"), manifest(&root(), feature))?;
        fs::write(folder.join("src/lib.rs"), LIBRARY)?;
        fs::write(folder.join("src/main.rs"), PROGRAM)?;
        // The same versions of the dependencies as in the workspace.
        fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock"))?;
        Ok(Self { folder })
    }

    fn build(&self) -> Step {
        cargo(&["build", "--quiet", "--manifest-path"])
            .arg(self.folder.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(self.results())
    }

    fn results(&self) -> PathBuf {
        self.folder.join("target")
    }
}

fn manifest(core: &Path, feature: &str) -> String {
    format!(
        r#"[package]
name = "links"
version = "0.0.0"
edition = "2024"
publish = false

[lib]
crate-type = ["staticlib", "rlib"]

[dependencies]
tenancy = {{ path = "{}", features = ["{feature}"] }}

[workspace]
"#,
        core.display()
    )
}
