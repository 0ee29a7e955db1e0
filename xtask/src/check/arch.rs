//! Fails if files of a crate import each other in a circle.
//!
//! A file depends on another file of its crate if it names an item that is defined there. Re-exports are followed to
//! the definition. These are not dependencies:
//!
//! - `mod child;`, and `pub use child::Item` in a file that does not use the item itself: a parent may show what its
//!   children define, and the children may use what the parent defines;
//! - `use crate::module` alone: the paths that begin with `module::` count, by the items that they name;
//! - code under `#[cfg(test)]`, which the crate does not contain.

mod crates;
mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

use crate::process::root;
use crate::report::Report;
use crate::workspace::packages;
use crates::Crate;

/// Files that may be part of a circle. Every file of the list must be in one, so that the list can only shrink.
const EXCEPTIONS: &str = include_str!("../../circles.txt");

pub(super) fn check(report: &mut Report) {
    report.step("imports without circles", || {
        let mut roots = Vec::new();
        for manifest in ["Cargo.toml", "examples/firmware/Cargo.toml"] {
            for package in packages(&root().join(manifest))? {
                let targets = package.targets.iter().filter(|target| !target.is_custom_build());
                roots.extend(targets.map(|target| target.src_path.clone().into_std_path_buf()));
            }
        }
        compare(&root(), &roots, EXCEPTIONS)
    });
}

/// Files of a circle, with the dependencies between them: from, to, and an item that is named.
type Circle = Vec<(PathBuf, PathBuf, String)>;

/// Compares the circles of crates with the exceptions.
fn compare(folder: &Path, roots: &[PathBuf], exceptions: &str) -> Result<()> {
    let mut circles = Vec::new();
    let mut files = 0;
    for root in roots {
        let found = Crate::read(root)?;
        files += found.files().len();
        circles.extend(circles_of(&found));
    }
    let relative = |file: &Path| file.strip_prefix(folder).unwrap_or(file).to_string_lossy().into_owned();
    let allowed: BTreeSet<_> =
        exceptions.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let mut in_circles = BTreeSet::new();
    let mut errors = Vec::new();
    for circle in circles {
        let members: BTreeSet<_> = circle.iter().map(|(from, ..)| relative(from)).collect();
        if members.iter().any(|file| !allowed.contains(&**file)) {
            let lines = circle
                .iter()
                .map(|(from, to, item)| format!("  {} -> {} ({item})", relative(from), relative(to)));
            errors.push(format!(
                "{} files import each other:\n{}",
                members.len(),
                lines.collect::<Vec<_>>().join("\n")
            ));
        }
        in_circles.extend(members);
    }
    for file in allowed.iter().filter(|file| !in_circles.contains(**file)) {
        errors.push(format!("{file} is an exception, but is in no circle: remove it from xtask/circles.txt"));
    }
    if !errors.is_empty() {
        bail!("{}", errors.join("\n"));
    }
    println!(
        "    {files} files in {} crates; {} files in circles are exceptions",
        roots.len(),
        allowed.len()
    );
    Ok(())
}

fn circles_of(of: &Crate) -> Vec<Circle> {
    let mut graph: DiGraphMap<usize, &str> = DiGraphMap::new();
    let edges: BTreeMap<(usize, usize), String> = imports::between_files(of);
    for ((from, to), item) in &edges {
        graph.add_edge(*from, *to, item.as_str());
    }
    let components = tarjan_scc(&graph).into_iter().filter(|files| files.len() > 1);
    let path = |file: usize| of.files()[file].clone();
    components
        .map(|files| {
            let inside = graph.all_edges().filter(|(from, to, _)| files.contains(from) && files.contains(to));
            let mut circle: Circle =
                inside.map(|(from, to, item)| (path(from), path(to), (*item).to_owned())).collect();
            circle.sort();
            circle
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Writes files of a crate, whose root is the first, and compares its circles with the exceptions.
    fn compare_files(files: &[(&str, &str)], exceptions: &str) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        let root = folder.path().join(files[0].0);
        compare(folder.path(), &[root], exceptions).map_err(|error| error.to_string())
    }

    const CIRCLE: [(&str, &str); 3] = [
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::B; pub struct A(B);"),
        ("b.rs", "pub struct B; fn f(_: &crate::a::A) {}"),
    ];

    #[test]
    fn a_tree_passes() {
        let tree = [
            ("lib.rs", "mod a; mod b; pub use a::A;"),
            ("a.rs", "use crate::b::B; pub struct A(B);"),
            ("b.rs", "pub struct B;"),
        ];
        compare_files(&tree, "").unwrap();
    }

    #[test]
    fn a_circle_is_shown_with_its_items() {
        let error = compare_files(&CIRCLE, "").unwrap_err();
        assert_eq!(
            error,
            "2 files import each other:\n  a.rs -> b.rs (crate::b::B)\n  b.rs -> a.rs (crate::a::A)"
        );
    }

    #[test]
    fn a_circle_of_exceptions_passes() {
        compare_files(&CIRCLE, "# both\na.rs\nb.rs\n").unwrap();
    }

    #[test]
    fn a_circle_larger_than_its_exceptions_fails() {
        assert!(compare_files(&CIRCLE, "a.rs\n").unwrap_err().starts_with("2 files import each other"));
    }

    #[test]
    fn a_stale_exception_fails() {
        let error = compare_files(&CIRCLE, "a.rs\nb.rs\nlib.rs\n").unwrap_err();
        assert!(error.starts_with("lib.rs is an exception, but is in no circle"), "{error}");
    }

    #[test]
    fn a_path_in_a_macro_counts() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "pub const A: u8 = crate::b::B;"),
            ("b.rs", "pub const B: u8 = 1; fn f() { println!(\"{}\", crate::a::A) }"),
        ];
        assert!(compare_files(&files, "").is_err());
    }

    #[test]
    fn a_re_export_is_followed_to_its_definition() {
        // `a` and `b` name each other by the root, which defines neither.
        let files = [
            ("lib.rs", "mod a; mod b; pub use a::A; pub use b::*;"),
            ("a.rs", "pub struct A(crate::B);"),
            ("b.rs", "pub struct B; fn f(_: crate::A) {}"),
        ];
        let error = compare_files(&files, "").unwrap_err();
        assert!(error.starts_with("2 files import each other:\n  a.rs -> b.rs (crate::B)"), "{error}");
    }

    #[test]
    fn a_child_may_use_its_parent_unless_the_parent_uses_the_child() {
        let child = ("a/child.rs", "use super::A; pub fn f(_: A) {}");
        let files = |parent| [("lib.rs", "mod a;"), ("a.rs", parent), child];
        compare_files(&files("mod child; pub use child::f; pub struct A;"), "").unwrap();
        for parent in [
            "mod child; use child::f; pub struct A;",
            "mod child; pub use child::f; pub struct A; fn g() { f(A) }",
            "mod child; pub struct A; fn g() { child::f(A) }",
        ] {
            assert!(compare_files(&files(parent), "").is_err(), "{parent}");
        }
    }

    #[test]
    fn tests_do_not_count() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "pub struct A(crate::b::B);"),
            ("b.rs", "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }"),
        ];
        compare_files(&files, "").unwrap();
    }

    #[test]
    fn variants_of_a_module_all_count() {
        let files = [
            ("lib.rs", "mod a; mod b;"),
            (
                "a.rs",
                "#[cfg(unix)] mod imp { pub use crate::b::B; fn f(_: B) {} } #[cfg(not(unix))] mod imp {} pub struct A;",
            ),
            (
                "b.rs",
                "#[cfg_attr(unix, path = \"unix.rs\")] #[cfg_attr(not(unix), path = \"other.rs\")] mod imp; pub use imp::*;",
            ),
            ("unix.rs", "pub struct B;"),
            ("other.rs", "pub struct B(crate::a::A);"),
        ];
        let error = compare_files(&files, "").unwrap_err();
        assert!(error.contains("a.rs -> other.rs") && error.contains("other.rs -> a.rs"), "{error}");
    }

    #[test]
    fn a_missing_file_is_an_error() {
        assert!(compare_files(&[("lib.rs", "mod a;")], "").is_err());
    }
}
