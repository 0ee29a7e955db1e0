//! Jobs in a Redis stream. The token travels in a field of the entry.

use std::error::Error;
use std::fmt;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use redis::aio::ConnectionLike;
use redis::{RedisError, RedisResult, Value, cmd};
use tenancy::{TenantContext, TenantContextNotSetError, TenantId};
use tenancy_token::{
    Issuer, JobOutcome, JobVerifier, MAX_TOKEN, TokenError, TokenErrorKind, Verified, Verifier,
};

const TOKEN: &str = "token";
const PAYLOAD: &str = "payload";

/// Adds jobs of the current tenant to a stream, each with a token that seals its payload.
///
/// The stream belongs to all tenants, so the connection is one without a tenant. Keep it from code that works for a
/// tenant.
///
/// ```no_run
/// use std::time::Duration;
/// use tenancy_redis::StreamProducer;
/// use tenancy_token::{Issuer, TokenKey};
///
/// # async fn example(mut connection: redis::aio::MultiplexedConnection, secret: [u8; 32])
/// # -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = Issuer::new(TokenKey::hmac(b"2026-12", &secret)?, "jobs", Duration::from_secs(3600))?;
/// let jobs = StreamProducer::new("jobs", issuer);
/// // In a tenant, for example in a request's handler.
/// jobs.enqueue(&mut connection, br#"{"invoice":17}"#).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[cfg_attr(docsrs, doc(cfg(feature = "token")))]
pub struct StreamProducer {
    stream: String,
    issuer: Issuer,
}

impl StreamProducer {
    /// Creates a producer for a stream, which it creates with the first job.
    pub fn new(stream: impl Into<String>, issuer: Issuer) -> Self {
        Self { stream: stream.into(), issuer }
    }

    /// Adds a job of the current tenant, and returns the id of its entry.
    ///
    /// # Errors
    ///
    /// [`EnqueueError::NoTenant`] if no tenant is set: nothing is sent then. [`EnqueueError::Token`] if no token can be
    /// minted, and [`EnqueueError::Redis`] if the server or the connection failed.
    pub async fn enqueue<C: ConnectionLike>(
        &self,
        connection: &mut C,
        payload: &[u8],
    ) -> Result<String, EnqueueError> {
        let tenant = TenantContext::get()?;
        let mut buffer = [0; MAX_TOKEN];
        let token = self.issuer.seal(tenant, payload, &mut buffer)?;
        let mut add = cmd("XADD");
        add.arg(&self.stream).arg("*").arg(TOKEN).arg(token).arg(PAYLOAD).arg(payload);
        Ok(add.query_async(connection).await?)
    }
}

/// Why a job was not added to a stream.
#[derive(Debug)]
#[non_exhaustive]
#[cfg_attr(docsrs, doc(cfg(feature = "token")))]
pub enum EnqueueError {
    /// No tenant is set.
    NoTenant(TenantContextNotSetError),
    /// No token can be minted.
    Token(TokenError),
    /// The server or the connection failed. The job may be in the stream.
    Redis(RedisError),
}

impl fmt::Display for EnqueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoTenant(_) => "cannot enqueue a job without a tenant",
            Self::Token(_) => "cannot mint the token of a job",
            Self::Redis(_) => "cannot add a job to the stream",
        })
    }
}

impl Error for EnqueueError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(match self {
            Self::NoTenant(error) => error,
            Self::Token(error) => error,
            Self::Redis(error) => error,
        })
    }
}

impl From<TenantContextNotSetError> for EnqueueError {
    fn from(error: TenantContextNotSetError) -> Self {
        Self::NoTenant(error)
    }
}

impl From<TokenError> for EnqueueError {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

impl From<RedisError> for EnqueueError {
    fn from(error: RedisError) -> Self {
        Self::Redis(error)
    }
}

/// A job that a [`StreamWorker`] runs.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[cfg_attr(docsrs, doc(cfg(feature = "token")))]
pub struct StreamJob {
    /// The tenant, which is also the current one while the handler runs.
    pub tenant: TenantId,
    /// The id of the job's entry in the stream.
    pub entry: String,
    /// What the producer added.
    pub payload: Vec<u8>,
    /// How often the job was started, this time included.
    pub attempt: u64,
}

/// Runs the jobs of a stream, each in the tenant of its token. It is a consumer of a consumer group.
///
/// A job is delivered at least once. It is removed from the stream after its handler succeeded. A job that failed,
/// panicked, or whose worker crashed is delivered again [`retry_after`](Self::retry_after) its last start.
///
/// A job without a valid token never runs: it is moved to the stream `{stream}:rejected`, and so is a job that was
/// started too often, and one whose token another entry has already used. The next job is not affected.
///
/// The worker stores the ids of tokens in keys `{stream}:token:…` until an hour after their expiry. A stream has one group, because a
/// completed job is removed. The worker needs Redis 6.2 or later.
///
/// ```no_run
/// use std::time::Duration;
/// use tenancy::TenantContext;
/// use tenancy_redis::{StreamJob, StreamWorker};
/// use tenancy_token::{TokenKey, Verifier};
///
/// # async fn example(mut connection: redis::aio::MultiplexedConnection, secret: [u8; 32])
/// # -> Result<(), Box<dyn std::error::Error>> {
/// let verifier = Verifier::<2>::new("jobs").key(TokenKey::hmac(b"2026-12", &secret)?)?;
/// let worker = StreamWorker::new("jobs", "billing", "worker-1", verifier);
/// worker.create_group(&mut connection).await?;
/// let handle = async |job: StreamJob| {
///     assert_eq!(TenantContext::get(), Ok(job.tenant));
///     Ok::<_, std::io::Error>(())
/// };
/// loop {
///     if worker.run_next(&mut connection, handle).await?.is_none() {
///         tokio::time::sleep(Duration::from_millis(100)).await;
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
#[cfg_attr(docsrs, doc(cfg(feature = "token")))]
pub struct StreamWorker<const KEYS: usize> {
    stream: String,
    group: String,
    consumer: String,
    verifier: JobVerifier<KEYS>,
    retry_after: Duration,
    max_attempts: u64,
    /// Where the search for jobs of crashed workers goes on.
    cursor: Mutex<String>,
}

/// An entry of the stream, as the server delivers it.
struct Delivery {
    entry: String,
    token: Vec<u8>,
    payload: Vec<u8>,
    attempt: u64,
}

const BEGINNING: &str = "0-0";

impl<const KEYS: usize> StreamWorker<KEYS> {
    /// Creates a worker for a stream: a consumer of a group. Each worker of the group needs a consumer name of its own.
    pub fn new(
        stream: impl Into<String>,
        group: impl Into<String>,
        consumer: impl Into<String>,
        verifier: Verifier<KEYS>,
    ) -> Self {
        Self {
            stream: stream.into(),
            group: group.into(),
            consumer: consumer.into(),
            verifier: JobVerifier::new(verifier),
            retry_after: Duration::from_secs(60),
            max_attempts: 5,
            cursor: Mutex::new(BEGINNING.to_owned()),
        }
    }

    /// Sets the time after which a job that was started and not completed is started again; the default is 60 s.
    ///
    /// It has to be longer than the longest job: a slow job is otherwise started twice.
    #[must_use]
    pub fn retry_after(self, retry_after: Duration) -> Self {
        Self { retry_after, ..self }
    }

    /// Sets how often a job is started; the default is 5.
    #[must_use]
    pub fn max_attempts(self, max_attempts: u64) -> Self {
        Self { max_attempts, ..self }
    }

    /// Creates the consumer group, and the stream if it does not exist. Does nothing if the group exists.
    ///
    /// # Errors
    ///
    /// If the server or the connection fails.
    pub async fn create_group<C: ConnectionLike>(&self, connection: &mut C) -> RedisResult<()> {
        let mut create = cmd("XGROUP");
        create.arg("CREATE").arg(&self.stream).arg(&self.group).arg(BEGINNING).arg("MKSTREAM");
        match create.query_async(connection).await {
            Err(error) if error.code() == Some("BUSYGROUP") => Ok(()),
            created => created,
        }
    }

    /// Runs the next job, and returns how it ended, or `None` if there is no job.
    ///
    /// The handler runs in the job's tenant. It may be cancelled by dropping the future; the job then runs again later.
    ///
    /// # Errors
    ///
    /// If the server or the connection fails. The job may have run; it then runs again.
    pub async fn run_next<C, H, E>(
        &self,
        connection: &mut C,
        handler: H,
    ) -> RedisResult<Option<JobOutcome<E>>>
    where
        C: ConnectionLike,
        H: AsyncFnOnce(StreamJob) -> Result<(), E>,
    {
        let delivery = match self.stalled(connection).await? {
            Some(delivery) => Some(delivery),
            None => self.new_entry(connection).await?,
        };
        let Some(Delivery { entry, token, payload, attempt }) = delivery else { return Ok(None) };
        let verified = match self.verifier.open(&token, &payload) {
            Ok(verified) => verified,
            Err(error) => return self.reject(connection, &entry, &token, &payload, error).await,
        };
        if !self.is_first_use(connection, &verified, &entry).await? {
            let error = TokenErrorKind::Replayed.into();
            return self.reject(connection, &entry, &token, &payload, error).await;
        }
        if attempt > self.max_attempts {
            self.set_aside(connection, &entry, &token, &payload, "attempts").await?;
            return Ok(Some(JobOutcome::Exhausted));
        }
        let job = StreamJob { tenant: verified.tenant(), entry: entry.clone(), payload, attempt };
        Ok(Some(match verified.run(async { handler(job).await }).await {
            Ok(Ok(())) => {
                self.remove(connection, &entry).await?;
                JobOutcome::Completed
            }
            Ok(Err(error)) => JobOutcome::Failed(error),
            Err(_) => JobOutcome::Panicked,
        }))
    }

    /// Takes over a job that was started `retry_after` ago and is not completed.
    async fn stalled<C: ConnectionLike>(&self, connection: &mut C) -> RedisResult<Option<Delivery>> {
        let cursor = self.cursor.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut claim = cmd("XAUTOCLAIM");
        let idle = u64::try_from(self.retry_after.as_millis()).unwrap_or(u64::MAX);
        claim.arg(&self.stream).arg(&self.group).arg(&self.consumer).arg(idle).arg(cursor);
        let reply: Value = claim.arg("COUNT").arg(1).query_async(connection).await?;
        let mut parts = elements(reply).into_iter();
        let next: String = redis::from_redis_value(parts.next().unwrap_or(Value::Nil))?;
        *self.cursor.lock().unwrap_or_else(PoisonError::into_inner) = next;
        let Some(mut delivery) = parts.next().and_then(|entries| delivery(elements(entries))) else {
            return Ok(None);
        };
        let mut pending = cmd("XPENDING");
        pending.arg(&self.stream).arg(&self.group).arg(&delivery.entry).arg(&delivery.entry).arg(1);
        let counts: Vec<(String, String, u64, u64)> = pending.query_async(connection).await?;
        delivery.attempt = counts.first().map_or(u64::MAX, |(.., count)| *count);
        Ok(Some(delivery))
    }

    async fn new_entry<C: ConnectionLike>(&self, connection: &mut C) -> RedisResult<Option<Delivery>> {
        let mut read = cmd("XREADGROUP");
        read.arg("GROUP").arg(&self.group).arg(&self.consumer).arg("COUNT").arg(1);
        let reply: Value = read.arg("STREAMS").arg(&self.stream).arg(">").query_async(connection).await?;
        // RESP2: [[stream, entries]]. RESP3: {stream: entries}.
        let entries = match reply {
            Value::Map(streams) => streams.into_iter().next().map(|(_, entries)| entries),
            reply => {
                elements(reply).into_iter().next().and_then(|stream| elements(stream).into_iter().nth(1))
            }
        };
        Ok(entries.and_then(|entries| delivery(elements(entries))))
    }

    /// Returns whether this entry is the first one with its token. A later delivery of the same entry is no second use.
    async fn is_first_use<C: ConnectionLike>(
        &self,
        connection: &mut C,
        verified: &Verified<'_>,
        entry: &str,
    ) -> RedisResult<bool> {
        let key = self.key_of(verified);
        let mut set = cmd("SET");
        set.arg(&key).arg(entry).arg("NX").arg("EX").arg(self.verifier.retention(verified).as_secs());
        let set: Option<String> = set.query_async(connection).await?;
        if set.is_some() {
            return Ok(true);
        }
        let first: Option<String> = cmd("GET").arg(&key).query_async(connection).await?;
        Ok(first.as_deref() == Some(entry))
    }

    /// Returns the key that remembers a token's id. The group is a part of it: each group runs each job.
    fn key_of(&self, verified: &Verified<'_>) -> String {
        let mut key = format!("{}:token:{}:{}:", self.stream, self.group, verified.tenant().simple());
        for byte in verified.id().unwrap_or_default() {
            fmt::Write::write_fmt(&mut key, format_args!("{byte:02x}")).unwrap_or_default();
        }
        key
    }

    async fn reject<C: ConnectionLike, E>(
        &self,
        connection: &mut C,
        entry: &str,
        token: &[u8],
        payload: &[u8],
        error: TokenError,
    ) -> RedisResult<Option<JobOutcome<E>>> {
        self.set_aside(connection, entry, token, payload, &error.to_string()).await?;
        Ok(Some(JobOutcome::Rejected(error)))
    }

    /// Moves an entry to the stream of jobs that do not run. If the worker crashes in between, the entry is in both.
    async fn set_aside<C: ConnectionLike>(
        &self,
        connection: &mut C,
        entry: &str,
        token: &[u8],
        payload: &[u8],
        reason: &str,
    ) -> RedisResult<()> {
        let mut add = cmd("XADD");
        add.arg(format!("{}:rejected", self.stream)).arg("*");
        add.arg("entry").arg(entry).arg("reason").arg(reason).arg(TOKEN).arg(token).arg(PAYLOAD).arg(payload);
        let () = add.query_async(connection).await?;
        self.remove(connection, entry).await
    }

    async fn remove<C: ConnectionLike>(&self, connection: &mut C, entry: &str) -> RedisResult<()> {
        let (): () =
            cmd("XACK").arg(&self.stream).arg(&self.group).arg(entry).query_async(connection).await?;
        cmd("XDEL").arg(&self.stream).arg(entry).query_async(connection).await
    }
}

fn elements(value: Value) -> Vec<Value> {
    match value {
        Value::Array(elements) => elements,
        _ => Vec::new(),
    }
}

/// Returns the first of the entries. A field that is missing is empty, and one that occurs twice makes the token invalid.
fn delivery(entries: Vec<Value>) -> Option<Delivery> {
    let mut parts = elements(entries.into_iter().next()?).into_iter();
    let entry = redis::from_redis_value(parts.next()?).ok()?;
    let fields: Vec<Vec<u8>> =
        parts.next().and_then(|fields| redis::from_redis_value(fields).ok()).unwrap_or_default();
    let only = |name: &str| {
        let mut values =
            fields.chunks_exact(2).filter(|pair| pair[0] == name.as_bytes()).map(|pair| &pair[1]);
        match (values.next(), values.next()) {
            (Some(value), None) => value.clone(),
            _ => Vec::new(),
        }
    };
    Some(Delivery { token: only(TOKEN), payload: only(PAYLOAD), entry, attempt: 1 })
}
