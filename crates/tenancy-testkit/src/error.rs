use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// An error of a test server: it is not installed, did not start, or did not answer.
///
/// Its text names the program and says what to do about it, so that `server.unwrap()` in a test explains itself.
#[derive(Debug)]
pub struct Error(Kind);

#[derive(Debug)]
enum Kind {
    NotInstalled {
        program: &'static str,
        packages: &'static str,
        variable: &'static str,
    },
    Io {
        action: String,
        source: io::Error,
    },
    Ended {
        program: String,
        log: String,
    },
    TimedOut {
        action: String,
        limit: Duration,
    },
    #[cfg(any(feature = "postgres", feature = "redis"))]
    Client {
        action: String,
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    pub(crate) fn not_installed(
        program: &'static str,
        packages: &'static str,
        variable: &'static str,
    ) -> Self {
        Self(Kind::NotInstalled { program, packages, variable })
    }

    pub(crate) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        |source| Self(Kind::Io { action, source })
    }

    /// A program that ended during its start, with the log that it wrote to `log`.
    pub(crate) fn ended(program: &str, log: &PathBuf) -> Self {
        let log = std::fs::read_to_string(log).unwrap_or_default();
        Self(Kind::Ended { program: program.to_owned(), log })
    }

    pub(crate) fn timed_out(action: impl Into<String>, limit: Duration) -> Self {
        Self(Kind::TimedOut { action: action.into(), limit })
    }

    #[cfg(any(feature = "postgres", feature = "redis"))]
    pub(crate) fn client<E: std::error::Error + Send + Sync + 'static>(
        action: impl Into<String>,
    ) -> impl FnOnce(E) -> Self {
        let action = action.into();
        |source| Self(Kind::Client { action, source: Box::new(source) })
    }

    /// Returns whether the error says that a program is not installed.
    pub fn is_not_installed(&self) -> bool {
        matches!(self.0, Kind::NotInstalled { .. })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::NotInstalled { program, packages, variable } => write!(
                f,
                "`{program}` is not installed: install it ({packages}) or set {variable} to the folder that contains it"
            ),
            Kind::Io { action, .. } => write!(f, "cannot {action}"),
            #[cfg(any(feature = "postgres", feature = "redis"))]
            Kind::Client { action, .. } => write!(f, "cannot {action}"),
            Kind::Ended { program, log } => write!(f, "`{program}` ended during its start; its log: {log}"),
            Kind::TimedOut { action, limit } => {
                write!(f, "cannot {action}: not done within {} s", limit.as_secs())
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Kind::Io { source, .. } => Some(source),
            #[cfg(any(feature = "postgres", feature = "redis"))]
            Kind::Client { source, .. } => Some(&**source),
            Kind::NotInstalled { .. } | Kind::Ended { .. } | Kind::TimedOut { .. } => None,
        }
    }
}
