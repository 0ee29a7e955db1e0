//! Where the programs of the servers are.

use std::env;
use std::path::PathBuf;

/// Returns the path of a program: in the folder that the variable names, on `PATH`, or in one of the other folders.
pub(crate) fn find(program: &str, variable: &str, others: &[PathBuf]) -> Option<PathBuf> {
    match env::var_os(variable) {
        // A wrong folder is an error, not a reason to use another version.
        Some(folder) => in_folders(program, [folder.into()]),
        None => on_path(program).or_else(|| in_folders(program, others.iter().cloned())),
    }
}

/// Returns the path of a program on `PATH`.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    in_folders(program, env::split_paths(&env::var_os("PATH").unwrap_or_default()))
}

fn in_folders(program: &str, folders: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    folders.into_iter().map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}
