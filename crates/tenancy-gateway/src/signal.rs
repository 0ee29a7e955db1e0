//! The signals that end the service.

use std::process;

use tokio_util::sync::CancellationToken;

#[cfg_attr(unix, path = "signal/unix.rs")]
#[cfg_attr(not(unix), path = "signal/other.rs")]
mod system;

use system::Signals;

/// What a shell says of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

/// Cancels `closing` at the first signal; at the second the process ends at once.
///
/// # Errors
///
/// Where the system gives no signals.
pub fn close_on_signal(closing: CancellationToken) -> std::io::Result<()> {
    let mut signals = Signals::new()?;
    tokio::spawn(async move {
        signals.next().await;
        closing.cancel();
        signals.next().await;
        process::exit(INTERRUPTED);
    });
    Ok(())
}
