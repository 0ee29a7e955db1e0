//! Where the programs of the servers are.

use std::env;
use std::path::PathBuf;

/// Returns the path of a program: in the folder that the variable names, on `PATH`, or in one of the other folders.
pub(crate) fn find(program: &str, variable: &str, others: &[PathBuf]) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = match env::var_os(variable) {
        // A wrong folder is an error, not a reason to use another version.
        Some(folder) => vec![folder.into()],
        None => env::split_paths(&path).chain(others.iter().cloned()).collect(),
    };
    folders.into_iter().map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}
