//! The commands of several servers as one list.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::entry::Entry;

/// Returns each command that one of the servers has, sorted by name, with its arity on each server.
///
/// # Errors
///
/// If two servers find the keys of a command in different places.
pub(super) fn merge(lists: Vec<Vec<Entry>>) -> Result<Vec<Entry>> {
    let servers = lists.len();
    let mut by_name: BTreeMap<String, Vec<(usize, Entry)>> = BTreeMap::new();
    for (server, list) in lists.into_iter().enumerate() {
        for entry in list {
            by_name.entry(entry.name.clone()).or_default().push((server, entry));
        }
    }
    by_name.into_iter().map(|(name, found)| one(name, found, servers)).collect()
}

fn one(name: String, found: Vec<(usize, Entry)>, servers: usize) -> Result<Entry> {
    let mut merged =
        Entry { name, arities: vec![0; servers], flags: vec![], specs: vec![], subcommands: vec![] };
    let mut subcommands: Vec<_> = (0..servers).map(|_| Vec::new()).collect();
    for (at, (server, entry)) in found.into_iter().enumerate() {
        let Entry { name, arities, flags, specs, subcommands: own } = entry;
        if at == 0 {
            merged.specs = specs;
        } else {
            ensure!(places(&merged.specs) == places(&specs), "servers differ in the keys of {name}");
        }
        merged.arities[server] = arities[0];
        merged.flags.extend(flags);
        subcommands[server] = own;
    }
    merged.flags.sort_unstable();
    merged.flags.dedup();
    merged.subcommands = merge(subcommands)?;
    Ok(merged)
}

/// Returns where a server looks for keys, without what the command does with them.
fn places(specs: &[Value]) -> Vec<(&Value, &Value)> {
    specs.iter().map(|spec| (&spec["begin_search"], &spec["find_keys"])).collect()
}
