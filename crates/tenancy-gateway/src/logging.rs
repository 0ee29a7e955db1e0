//! The log, on stderr.

use std::io;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::Level;

/// Starts the log. A second time nothing happens.
pub fn start(level: Level) {
    let level = LevelFilter::from(level);
    // Below a warning others tell of each frame, and what they show of headers is not ours to say.
    let targets = Targets::new().with_default(level.min(LevelFilter::WARN)).with_targets([
        ("tenancy_gateway", level),
        ("tenancy", level),
        ("tenancy_tower", level),
    ]);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_target(false);
    let _ = tracing_subscriber::registry().with(targets).with(lines).try_init();
}

impl From<Level> for LevelFilter {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => Self::ERROR,
            Level::Warn => Self::WARN,
            Level::Info => Self::INFO,
            Level::Debug => Self::DEBUG,
            Level::Trace => Self::TRACE,
        }
    }
}
