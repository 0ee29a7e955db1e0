//! The Markdown files of the repository, and the code blocks in them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

use crate::process::root;
use crate::workspace::files_below;

/// A fenced code block.
#[derive(Debug, PartialEq)]
pub(super) struct Block {
    /// The words after the fence, such as `rust` and `no_run`.
    pub(super) labels: Vec<String>,
    pub(super) text: String,
}

impl Block {
    pub(super) fn has(&self, label: &str) -> bool {
        self.labels.iter().any(|own| own == label)
    }
}

/// Returns the Markdown files that belong to the repository.
pub(super) fn files() -> Result<Vec<PathBuf>> {
    let files = files_below(&root(), "md")?;
    ensure!(!files.is_empty(), "no Markdown file found");
    Ok(files)
}

/// Returns the code blocks of a Markdown file.
pub(super) fn blocks(file: &Path) -> Result<Vec<Block>> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(parse(&text))
}

fn parse(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for event in Parser::new(text) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                let labels =
                    info.split([',', ' ']).filter(|label| !label.is_empty()).map(str::to_owned).collect();
                open = Some(Block { labels, text: String::new() });
            }
            Event::Text(text) => {
                if let Some(block) = &mut open {
                    block.text.push_str(&text);
                }
            }
            Event::End(TagEnd::CodeBlock) => blocks.extend(open.take()),
            _ => {}
        }
    }
    blocks
}

/// Checks that each file with a Rust example is part of the documentation of a crate, whose examples are tested.
pub(super) fn rust_is_compiled() -> Result<()> {
    let included = included()?;
    let mut count = 0;
    let mut errors = Vec::new();
    for file in files()? {
        let blocks = blocks(&file)?;
        let tested = blocks.iter().filter(|block| block.has("rust") && !block.has("ignore")).count();
        count += tested;
        if tested > 0 && !included.contains(&file) {
            errors.push(format!(
                "{}: no `doc = include_str!` names it, so its Rust examples are not tested",
                file.display()
            ));
        }
    }
    if !errors.is_empty() {
        bail!("{}", errors.join("\n"));
    }
    ensure!(count > 0, "no Rust example found");
    println!("    {count} examples");
    Ok(())
}

/// Returns the files that are included as documentation.
fn included() -> Result<BTreeSet<PathBuf>> {
    let mut included = BTreeSet::new();
    for source in files_below(&root(), "rs")? {
        let text = fs::read_to_string(&source)?;
        let folder = source.parent().context("a source file has a folder")?;
        // Tests also read files by `include_str!`, which does not compile the examples.
        let attributes = text.split("doc = include_str!(\"").skip(1);
        for name in attributes.filter_map(|rest| rest.split('"').next()) {
            let file = folder.join(name);
            included
                .insert(file.canonicalize().with_context(|| format!("{} does not exist", file.display()))?);
        }
    }
    Ok(included)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_fenced_blocks_and_their_labels() {
        let text = "a\n```rust,no_run\nlet a;\n```\n\n- b\n  ```sh\n  ls\n  ```\n\n    indented\n";
        let block = |labels: &[&str], text: &str| Block {
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            text: text.to_owned(),
        };
        assert_eq!(parse(text), [block(&["rust", "no_run"], "let a;\n"), block(&["sh"], "ls\n")]);
    }
}
