//! The log on standard error, and the file of security events.

use std::fs::OpenOptions;
use std::io;
use std::sync::Mutex;

use anyhow::{Context, Result};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{Config, Level, LogFormat};
use crate::security;

/// Starts the log. Does nothing if it has been started.
///
/// # Errors
///
/// If the file of security events cannot be opened.
pub fn start(config: &Config) -> Result<()> {
    let level = LevelFilter::from(config.log);
    // Below warnings, other crates log each frame, which can contain header fields.
    let mut targets = Targets::new().with_default(level.min(LevelFilter::WARN)).with_targets([
        ("tenancy_gateway", level),
        ("tenancy", level),
        ("tenancy_tower", level),
    ]);
    let security = match &config.security_log {
        None => None,
        Some(path) => {
            targets = targets.with_target(security::TARGET, LevelFilter::OFF);
            let file = OpenOptions::new().create(true).append(true).open(path);
            let file = file.with_context(|| format!("cannot write to {}", path.display()))?;
            let events = Targets::new().with_target(security::TARGET, LevelFilter::INFO);
            // With the span of the request, which contains the caller.
            let lines = tracing_subscriber::fmt::layer().json().flatten_event(true);
            Some(
                lines
                    .with_writer(Mutex::new(file))
                    .with_filter(events.with_target("tenancy_gateway", LevelFilter::OFF)),
            )
        }
    };
    let stderr = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = match config.log_format {
        LogFormat::Text => stderr.with_target(false).boxed(),
        LogFormat::Json => stderr.json().flatten_event(true).boxed(),
    };
    let _ = tracing_subscriber::registry().with(security).with(lines.with_filter(targets)).try_init();
    Ok(())
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
