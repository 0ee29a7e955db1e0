//! The modules of a crate, read from its source files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemMacro, ItemMod, ItemUse, Meta, UseTree, Visibility};

/// The modules of a crate. The first one is its root.
#[derive(Default)]
pub(super) struct Crate {
    files: Vec<PathBuf>,
    pub(super) modules: Vec<Module>,
    /// The files that define macros by `macro_rules!`, which are visible outside their module.
    pub(super) macros: BTreeMap<String, usize>,
}

#[derive(Default)]
pub(super) struct Module {
    pub(super) file: usize,
    pub(super) parent: Option<usize>,
    /// Several, if a module has variants for different configurations.
    pub(super) children: BTreeMap<String, Vec<usize>>,
    /// The names that the module defines.
    pub(super) items: BTreeSet<String>,
    pub(super) imports: Vec<Import>,
    /// Its own code, without that of modules inside.
    pub(super) code: Vec<Item>,
}

/// A `use` of one path.
#[derive(Clone, Debug)]
pub(super) struct Import {
    pub(super) path: Vec<String>,
    /// The name in this module; `None` for all names of another module.
    pub(super) name: Option<String>,
    pub(super) is_public: bool,
}

impl Crate {
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut read = Self::default();
        let folder = root.parent().context("a source file has a folder")?;
        read.file(root, folder, None)?;
        Ok(read)
    }

    pub(super) fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Reads a file whose child modules are in `folder`, and returns its module.
    fn file(&mut self, file: &Path, folder: &Path, parent: Option<usize>) -> Result<usize> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let parsed = syn::parse_file(&text).with_context(|| format!("cannot parse {}", file.display()))?;
        self.files.push(file.to_owned());
        let number = self.files.len() - 1;
        self.module(parsed.items, number, folder, parent)
    }

    fn module(
        &mut self,
        items: Vec<Item>,
        file: usize,
        folder: &Path,
        parent: Option<usize>,
    ) -> Result<usize> {
        let id = self.modules.len();
        self.modules.push(Module { file, parent, ..Module::default() });
        for item in items {
            if is_test(attributes(&item)) {
                continue;
            }
            let module = &mut self.modules[id];
            if let Some(name) = name(&item) {
                module.items.insert(name);
            }
            match item {
                Item::Mod(declared) => self.child(id, declared, file, folder)?,
                item => {
                    let mut uses = Uses(Vec::new());
                    uses.visit_item(&item);
                    module.imports.extend(uses.0);
                    if let Item::Macro(ItemMacro { ident: Some(name), .. }) = &item {
                        self.macros.insert(name.to_string(), file);
                    }
                    self.modules[id].code.push(item);
                }
            }
        }
        Ok(id)
    }

    fn child(&mut self, parent: usize, declared: ItemMod, file: usize, folder: &Path) -> Result<()> {
        let name = plain(&declared.ident);
        let inside = folder.join(&name);
        let mut variants = Vec::new();
        if let Some((_, items)) = declared.content {
            variants.push(self.module(items, file, &inside, Some(parent))?);
        } else {
            let named = paths(&declared.attrs);
            let beside = self.files[file].parent().map_or_else(PathBuf::new, Path::to_path_buf);
            for path in &named {
                let path = beside.join(path);
                let folder = path.parent().map_or_else(PathBuf::new, Path::to_path_buf);
                variants.push(self.file(&path, &folder, Some(parent))?);
            }
            let usual = [inside.with_extension("rs"), inside.join("mod.rs")];
            match usual.iter().find(|path| path.is_file()) {
                Some(path) if named.is_empty() || is_conditional(&declared.attrs) => {
                    variants.push(self.file(path, &inside, Some(parent))?);
                }
                _ => ensure!(!named.is_empty(), "no file for the module {name} in {}", folder.display()),
            }
        }
        self.modules[parent].children.entry(name).or_default().extend(variants);
        Ok(())
    }
}

/// Collects the `use` items of some code, also inside function bodies.
struct Uses(Vec<Import>);

impl<'ast> Visit<'ast> for Uses {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let is_public = !matches!(item.vis, Visibility::Inherited);
        // A path that begins with `::` names another crate.
        if !is_test(&item.attrs) && item.leading_colon.is_none() {
            flatten(&item.tree, &mut Vec::new(), is_public, &mut self.0);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }
}

fn flatten(tree: &UseTree, path: &mut Vec<String>, is_public: bool, imports: &mut Vec<Import>) {
    let mut push = |path: Vec<String>, name| imports.push(Import { path, name, is_public });
    match tree {
        UseTree::Path(part) => {
            path.push(plain(&part.ident));
            flatten(&part.tree, path, is_public, imports);
            path.pop();
        }
        // `use a::{self}` names `a`.
        UseTree::Name(last) if last.ident == "self" => push(path.clone(), path.last().cloned()),
        UseTree::Rename(last) if last.ident == "self" => push(path.clone(), Some(plain(&last.rename))),
        UseTree::Name(last) => push([&path[..], &[plain(&last.ident)]].concat(), Some(plain(&last.ident))),
        UseTree::Rename(last) => push([&path[..], &[plain(&last.ident)]].concat(), Some(plain(&last.rename))),
        UseTree::Glob(_) => push(path.clone(), None),
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, path, is_public, imports);
            }
        }
    }
}

/// Returns a name without `r#`.
pub(super) fn plain(name: &proc_macro2::Ident) -> String {
    let name = name.to_string();
    name.strip_prefix("r#").map_or_else(|| name.clone(), str::to_owned)
}

fn name(item: &Item) -> Option<String> {
    Some(plain(match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    }))
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// Returns whether an item exists in tests only: `#[cfg(test)]` or `#[cfg(all(test, ...))]`.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).any(|attribute| {
        attribute.parse_args::<Meta>().is_ok_and(|condition| match &condition {
            Meta::Path(path) => path.is_ident("test"),
            Meta::List(list) if list.path.is_ident("all") => {
                let mut tokens = list.tokens.clone().into_iter();
                tokens.any(|token| token.to_string() == "test")
            }
            _ => false,
        })
    })
}

fn is_conditional(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| attribute.path().is_ident("cfg_attr"))
}

/// Returns the files that `path = "..."` names, also under a condition.
fn paths(attributes: &[Attribute]) -> Vec<String> {
    let mut paths = Vec::new();
    for attribute in attributes {
        match &attribute.meta {
            Meta::NameValue(pair) if pair.path.is_ident("path") => paths.extend(text(&pair.value)),
            Meta::List(list) if list.path.is_ident("cfg_attr") => {
                let parser = syn::punctuated::Punctuated::<Meta, syn::Token![,]>::parse_terminated;
                for meta in attribute.parse_args_with(parser).into_iter().flatten() {
                    if let Meta::NameValue(pair) = meta
                        && pair.path.is_ident("path")
                    {
                        paths.extend(text(&pair.value));
                    }
                }
            }
            _ => {}
        }
    }
    paths
}

fn text(value: &syn::Expr) -> Option<String> {
    match value {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value()),
        _ => None,
    }
}
