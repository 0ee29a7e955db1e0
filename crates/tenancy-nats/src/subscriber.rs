//! Messages that are delivered at most once.

use std::sync::atomic::{AtomicU64, Ordering};

use async_nats::Message;
use tenancy_token::{DeliveryGuard, JobOutcome, JobVerifier, MAX_TOKEN, Verifier};

use crate::header::open;

/// Runs the messages of subscriptions, each in the tenant of its token.
///
/// A message without a valid token does not run, and neither does a second message with the same token. The tokens are
/// remembered in memory: give all subscriptions of a process the same subscriber. A process that restarts, and another
/// process, do not know them; [`JobWorker`](crate::JobWorker) stores them in JetStream.
///
/// ```no_run
/// use futures_util::StreamExt;
/// use tenancy_nats::TenantSubscriber;
/// use tenancy_token::{JobOutcome, TokenKey, Verifier};
///
/// # async fn example(client: async_nats::Client, secret: [u8; 32]) -> Result<(), Box<dyn std::error::Error>> {
/// let verifier = Verifier::<2>::new("invoices").key(TokenKey::hmac(b"2026-12", &secret)?)?;
/// let subscriber = TenantSubscriber::new(verifier, 100_000);
/// let mut messages = client.subscribe("invoices").await?;
/// while let Some(message) = messages.next().await {
///     let handle = async || Ok::<_, std::io::Error>(println!("{:?}", message.payload));
///     if let JobOutcome::Rejected(error) = subscriber.run(&message, handle).await {
///         eprintln!("message rejected: {error}");
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TenantSubscriber<const KEYS: usize> {
    verifier: JobVerifier<KEYS>,
    seen: DeliveryGuard,
    /// Each message is a delivery of its own.
    next: AtomicU64,
}

impl<const KEYS: usize> TenantSubscriber<KEYS> {
    /// Creates a subscriber that remembers up to `capacity` tokens that have not expired.
    pub fn new(verifier: Verifier<KEYS>, capacity: usize) -> Self {
        Self {
            verifier: JobVerifier::new(verifier),
            seen: DeliveryGuard::new(capacity),
            next: AtomicU64::new(0),
        }
    }

    /// Runs the handler of a message in the tenant of the message's token, and returns how it ended.
    ///
    /// The message is not delivered again.
    pub async fn run<H, E>(&self, message: &Message, handler: H) -> JobOutcome<E>
    where
        H: AsyncFnOnce() -> Result<(), E>,
    {
        let mut buffer = [0; MAX_TOKEN];
        let opened = open(&self.verifier, message.headers.as_ref(), &message.payload, &mut buffer);
        let accepted = opened.and_then(|verified| {
            let delivery = self.next.fetch_add(1, Ordering::Relaxed).to_string();
            self.seen.accept(&verified, &delivery, self.verifier.now()?)?;
            Ok(verified)
        });
        match accepted {
            Err(error) => JobOutcome::Rejected(error),
            Ok(verified) => match verified.run(async { handler().await }).await {
                Ok(Ok(())) => JobOutcome::Completed,
                Ok(Err(error)) => JobOutcome::Failed(error),
                Err(_) => JobOutcome::Panicked,
            },
        }
    }
}
