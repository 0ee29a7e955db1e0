//! The process's file descriptors.

use std::io;

/// The number of connections that are open by default if the process has no limit.
const MOST: usize = 1024;
/// The number by default under the lowest limit.
const FEWEST: usize = 16;

/// Returns the default number of open connections for this process's limit of open files.
pub(crate) fn default_max_open() -> usize {
    max_open_within(imp::limit())
}

/// A connection needs up to three descriptors, and a quarter of the limit is left to the rest of the program.
fn max_open_within(limit: Option<u64>) -> usize {
    let connections = limit.map_or(MOST, |limit| usize::try_from(limit / 4).unwrap_or(MOST));
    connections.clamp(FEWEST, MOST)
}

/// Whether the process, or the system, has run out of descriptors.
///
/// SQLite does not report this error by a code of its own. The function opens a file that is not a tenant's: closing a
/// descriptor of a tenant's file would release the locks of its connections (POSIX locks belong to the process).
pub(crate) fn is_out() -> bool {
    imp::probe().is_err_and(|error| is_out_error(&error))
}

/// Whether an error of the operating system says that there are no more descriptors.
pub(crate) fn is_out_error(error: &io::Error) -> bool {
    error.raw_os_error().is_some_and(|code| imp::OUT.contains(&code))
}

#[cfg(unix)]
mod imp {
    use std::fs::File;
    use std::io;

    use rustix::io::Errno;
    use rustix::process::{Resource, getrlimit};

    pub(super) const OUT: [i32; 2] = [Errno::MFILE.raw_os_error(), Errno::NFILE.raw_os_error()];

    pub(super) fn limit() -> Option<u64> {
        getrlimit(Resource::Nofile).current
    }

    pub(super) fn probe() -> io::Result<()> {
        File::open("/dev/null").map(drop)
    }
}

#[cfg(not(unix))]
mod imp {
    use std::io;

    /// `ERROR_TOO_MANY_OPEN_FILES`.
    pub(super) const OUT: [i32; 1] = [4];

    pub(super) fn limit() -> Option<u64> {
        None
    }

    #[expect(clippy::unnecessary_wraps, reason = "as on Unix")]
    pub(super) fn probe() -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_follows_the_limit_between_bounds() {
        let cases = [(Some(0), 16), (Some(256), 64), (Some(1024), 256), (Some(20_000), 1024), (None, 1024)];
        for (limit, expected) in cases {
            assert_eq!(max_open_within(limit), expected, "{limit:?}");
        }
        assert_eq!(max_open_within(Some(u64::MAX)), 1024);
    }

    #[test]
    fn recognizes_errors_of_descriptors_only() {
        assert!(!is_out());
        assert!(!is_out_error(&io::Error::from(io::ErrorKind::NotFound)));
        for code in imp::OUT {
            assert!(is_out_error(&io::Error::from_raw_os_error(code)));
        }
    }
}
