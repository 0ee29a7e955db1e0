//! The signals that end the service.

use std::time::Duration;
use std::{io, process};

use tokio_util::sync::CancellationToken;

/// The exit code of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// The steps of a shutdown.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Cancelled at the first signal. The service is not ready any more, but still accepts connections.
    pub draining: CancellationToken,
    /// Cancelled after the delay. The service stops accepting connections, and completes its requests.
    pub closing: CancellationToken,
}

/// A shutdown without a delay.
impl From<CancellationToken> for Shutdown {
    fn from(closing: CancellationToken) -> Self {
        Self { draining: closing.clone(), closing }
    }
}

/// Begins the shutdown at the first signal. At the second one the process ends at once.
///
/// # Errors
///
/// If the system cannot register the signals.
pub fn shut_down_on_signal(shutdown: Shutdown, delay: Duration) -> io::Result<()> {
    let mut signals = Signals::new()?;
    tokio::spawn(async move {
        signals.next().await;
        shutdown.draining.cancel();
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            shutdown.closing.cancel();
        });
        signals.next().await;
        process::exit(INTERRUPTED);
    });
    Ok(())
}

/// Ctrl-C and SIGTERM.
#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// From here on neither signal ends the process by itself.
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Ctrl-C.
#[cfg(not(unix))]
struct Signals(());

#[cfg(not(unix))]
impl Signals {
    #[allow(clippy::unnecessary_wraps, reason = "it can fail on Unix")]
    fn new() -> io::Result<Self> {
        Ok(Self(()))
    }

    #[allow(clippy::unused_self, reason = "it has state on Unix")]
    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
