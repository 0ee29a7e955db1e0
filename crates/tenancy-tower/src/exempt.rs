//! Paths that need no tenant.

/// The paths that need no tenant.
#[derive(Debug, Default)]
pub(crate) struct Exempt {
    paths: Vec<String>,
    /// Prefixes that end with a slash.
    below: Vec<String>,
}

impl Exempt {
    /// Adds a path, or everything below it with `/*` at the end.
    pub(crate) fn add(&mut self, path: &str) {
        let (path, is_below) = match path.strip_suffix('*') {
            Some(below) => (below, true),
            None => (path, false),
        };
        assert!(path.starts_with('/') && !path.contains('*'), "an exempt path begins with `/`");
        assert!(!is_below || path.ends_with('/'), "`*` follows a slash");
        if is_below { &mut self.below } else { &mut self.paths }.push(path.to_owned());
    }

    #[inline]
    pub(crate) fn has(&self, path: &str) -> bool {
        self.paths.iter().any(|exempt| exempt == path)
            || self.below.iter().any(|below| path.starts_with(below))
    }
}
