//! Ctrl-C.

use std::io;

pub(super) struct Signals(());

impl Signals {
    #[allow(clippy::unnecessary_wraps, reason = "its twin can fail")]
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(()))
    }

    #[allow(clippy::unused_self, reason = "its twin has state")]
    pub(super) async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
