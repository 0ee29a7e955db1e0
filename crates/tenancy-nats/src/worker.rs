//! Jobs in a stream of JetStream, which are delivered at least once.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::context::Context;
use async_nats::jetstream::kv::{CreateErrorKind, Store};
use async_nats::jetstream::{AckKind, Message, stream};
use bytes::Bytes;
use futures_util::StreamExt;
use tenancy::TenantId;
use tenancy_token::{JobOutcome, JobVerifier, MAX_TOKEN, TokenError, TokenErrorKind, Verified, Verifier};

use crate::header::open;

/// Creates a bucket in which workers remember tokens, or opens it if it exists.
///
/// `lifetime` is the longest lifetime of a token, including the verifier's leeway. The bucket remembers tokens for an hour
/// more. A token that is valid for longer is rejected, because the bucket would forget it too early.
///
/// # Errors
///
/// If the client or the server failed, or if the bucket exists with other settings.
pub async fn create_token_bucket(
    jetstream: &Context,
    bucket: &str,
    lifetime: Duration,
) -> Result<Store, WorkerError> {
    let max_age = lifetime.saturating_add(JobVerifier::<0>::MARGIN);
    // The client's `create_key_value` needs a field that servers have had since version 2.10.
    let config = stream::Config {
        name: format!("KV_{bucket}"),
        subjects: vec![format!("$KV.{bucket}.>")],
        max_messages_per_subject: 1,
        max_age,
        discard: stream::DiscardPolicy::New,
        allow_direct: true,
        allow_rollup: true,
        deny_delete: true,
        ..Default::default()
    };
    jetstream.get_or_create_stream(config).await.map_err(WorkerError::new)?;
    jetstream.get_key_value(bucket).await.map_err(WorkerError::new)
}

/// A job that a [`JobWorker`] runs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Job {
    /// The tenant, which is also the current one while the handler runs.
    pub tenant: TenantId,
    /// The subject to which the job was published. The token does not seal it.
    pub subject: String,
    /// What the publisher sent.
    pub payload: Bytes,
    /// How often the job was delivered, this time included.
    pub attempt: u64,
}

/// An error of the client or the server. It does not concern a job.
#[derive(Debug)]
pub struct WorkerError(async_nats::Error);

impl WorkerError {
    fn new(error: impl Into<async_nats::Error>) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for WorkerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the NATS client or server failed")
    }
}

impl Error for WorkerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.0.as_ref())
    }
}

/// Runs the jobs of a pull consumer, each in the tenant of its token.
///
/// A job is delivered at least once. It is acknowledged after its handler succeeded. A job that failed or panicked is
/// delivered again after [`retry_after`](Self::retry_after); one whose worker crashed or was cancelled, after the
/// consumer's `ack_wait`.
///
/// A job without a valid token never runs: it is terminated, and so is a job that was delivered too often, and one whose
/// token another job has already used. The next job is not affected.
///
/// ```no_run
/// use std::time::Duration;
/// use async_nats::jetstream::{self, consumer::pull, stream};
/// use tenancy_nats::{Job, JobWorker, create_token_bucket};
/// use tenancy_token::{TokenKey, Verifier};
///
/// # async fn example(client: async_nats::Client, secret: [u8; 32]) -> Result<(), Box<dyn std::error::Error>> {
/// let jetstream = jetstream::new(client);
/// let stream = stream::Config { name: "JOBS".into(), subjects: vec!["jobs".into()], ..Default::default() };
/// let stream = jetstream.get_or_create_stream(stream).await?;
/// let consumer = pull::Config { durable_name: Some("billing".into()), ..Default::default() };
/// let consumer = stream.get_or_create_consumer("billing", consumer).await?;
/// let tokens = create_token_bucket(&jetstream, "job-tokens", Duration::from_secs(3600)).await?;
///
/// let verifier = Verifier::<2>::new("jobs").key(TokenKey::hmac(b"2026-12", &secret)?)?;
/// let worker = JobWorker::new(consumer, tokens, verifier).await?;
/// let handle = async |job: Job| Ok::<_, std::io::Error>(println!("{:?}", job.payload));
/// loop {
///     if worker.run_next(handle).await?.is_none() {
///         tokio::time::sleep(Duration::from_millis(100)).await;
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct JobWorker<const KEYS: usize> {
    consumer: PullConsumer,
    tokens: Store,
    verifier: JobVerifier<KEYS>,
    /// For how long the bucket remembers a token.
    remembers: Duration,
    retry_after: Duration,
    max_attempts: u64,
}

impl<const KEYS: usize> JobWorker<KEYS> {
    /// Creates a worker. `tokens` is a bucket of [`create_token_bucket`], which only workers can write.
    ///
    /// # Errors
    ///
    /// If the client or the server fails.
    pub async fn new(
        consumer: PullConsumer,
        tokens: Store,
        verifier: Verifier<KEYS>,
    ) -> Result<Self, WorkerError> {
        let remembers = match tokens.status().await.map_err(WorkerError::new)?.max_age() {
            // A bucket without a limit.
            Duration::ZERO => Duration::MAX,
            age => age,
        };
        let (verifier, retry_after) = (JobVerifier::new(verifier), Duration::from_secs(60));
        Ok(Self { consumer, tokens, verifier, remembers, retry_after, max_attempts: 5 })
    }

    /// Sets after which time a job that failed or panicked is delivered again; the default is 60 s.
    #[must_use]
    pub fn retry_after(self, retry_after: Duration) -> Self {
        Self { retry_after, ..self }
    }

    /// Sets how often a job is started; the default is 5.
    #[must_use]
    pub fn max_attempts(self, max_attempts: u64) -> Self {
        Self { max_attempts, ..self }
    }

    /// Runs the next job, and returns how it ended, or `None` if there is no job.
    ///
    /// The handler runs in the job's tenant. It may be cancelled by dropping the future; the job then runs again later.
    ///
    /// # Errors
    ///
    /// If the client or the server fails. The job may have run; it then runs again.
    pub async fn run_next<H, E>(&self, handler: H) -> Result<Option<JobOutcome<E>>, WorkerError>
    where
        H: AsyncFnOnce(Job) -> Result<(), E>,
    {
        let mut batch = self.consumer.fetch().max_messages(1).messages().await.map_err(WorkerError::new)?;
        let Some(message) = batch.next().await else { return Ok(None) };
        let message = message.map_err(WorkerError)?;
        let (delivery, attempt) = {
            let info = message.info().map_err(WorkerError)?;
            (format!("{}:{}", info.stream, info.stream_sequence), info.delivered.unsigned_abs())
        };
        let mut buffer = [0; MAX_TOKEN];
        let opened = open(&self.verifier, message.headers.as_ref(), &message.payload, &mut buffer);
        let accepted = match opened {
            Ok(verified) => self.accept(&verified, &delivery).await?.map(|()| verified),
            Err(error) => Err(error),
        };
        let (outcome, answer) = match accepted {
            Err(error) => (JobOutcome::Rejected(error), AckKind::Term),
            Ok(_) if attempt > self.max_attempts => (JobOutcome::Exhausted, AckKind::Term),
            Ok(verified) => self.run(&verified, &message, attempt, handler).await,
        };
        message.ack_with(answer).await.map_err(WorkerError)?;
        Ok(Some(outcome))
    }

    async fn run<H, E>(
        &self,
        verified: &Verified<'_>,
        message: &Message,
        attempt: u64,
        handler: H,
    ) -> (JobOutcome<E>, AckKind)
    where
        H: AsyncFnOnce(Job) -> Result<(), E>,
    {
        let job = Job {
            tenant: verified.tenant(),
            subject: message.subject.to_string(),
            payload: message.payload.clone(),
            attempt,
        };
        let again = AckKind::Nak(Some(self.retry_after));
        match verified.run(async { handler(job).await }).await {
            Ok(Ok(())) => (JobOutcome::Completed, AckKind::Ack),
            Ok(Err(error)) => (JobOutcome::Failed(error), again),
            Err(_) => (JobOutcome::Panicked, again),
        }
    }

    /// Remembers the delivery that uses a token first. A later delivery of the same job is no second use.
    async fn accept(
        &self,
        verified: &Verified<'_>,
        delivery: &str,
    ) -> Result<Result<(), TokenError>, WorkerError> {
        if self.verifier.retention(verified) > self.remembers {
            return Ok(Err(TokenErrorKind::Full.into()));
        }
        let key = key_of(verified);
        match self.tokens.create(&key, delivery.to_owned().into()).await {
            Ok(_) => Ok(Ok(())),
            Err(error) if error.kind() == CreateErrorKind::AlreadyExists => {
                let first = self.tokens.get(key).await.map_err(WorkerError::new)?;
                let is_same = first.is_some_and(|first| first == delivery.as_bytes());
                Ok(if is_same { Ok(()) } else { Err(TokenErrorKind::Replayed.into()) })
            }
            Err(error) => Err(WorkerError::new(error)),
        }
    }
}

/// Returns the key that remembers a token.
fn key_of(verified: &Verified<'_>) -> String {
    let mut key = format!("{}.", verified.tenant().simple());
    for byte in verified.id().unwrap_or_default() {
        fmt::Write::write_fmt(&mut key, format_args!("{byte:02x}")).unwrap_or_default();
    }
    key
}
