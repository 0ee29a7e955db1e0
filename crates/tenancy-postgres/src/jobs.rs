//! Jobs in a table. The token travels in a column, and seals the payload.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use tenancy_token::{
    Issuer, JobOutcome, JobVerifier, MAX_TOKEN, TokenError, TokenErrorKind, Verified, Verifier,
};
use tokio_postgres::Client;

use crate::db::TenantDb;
use crate::error::Error;
use crate::id::PgTenantId;
use crate::tx::TenantTx;

/// The SQL that creates the tables of the job queue. The operator runs it after the migrations.
///
/// It creates `public.tenancy_jobs`, which is enabled for tenants, and `public.tenancy_job_tokens`, to which services
/// have no access. A worker's login needs `BYPASSRLS`, and privileges on these two tables alone:
///
/// ```sql
/// CREATE ROLE jobs_worker LOGIN BYPASSRLS;
/// GRANT SELECT, UPDATE ON public.tenancy_jobs TO jobs_worker;
/// GRANT SELECT, INSERT, DELETE ON public.tenancy_job_tokens TO jobs_worker;
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "token")))]
pub const JOBS_SQL: &str = "
CREATE TABLE public.tenancy_jobs (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token bytea NOT NULL,
    payload bytea NOT NULL,
    attempt bigint NOT NULL DEFAULT 0,
    run_after timestamptz NOT NULL DEFAULT now(),
    rejected text
);
CREATE INDEX tenancy_jobs_next ON public.tenancy_jobs (run_after, id) WHERE rejected IS NULL;
SELECT tenancy.enable_table('public.tenancy_jobs');
CREATE TABLE public.tenancy_job_tokens (
    tenant_id uuid NOT NULL,
    token_id bytea NOT NULL,
    job bigint NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, token_id)
);
CREATE INDEX tenancy_job_tokens_expiry ON public.tenancy_job_tokens (expires_at);
REVOKE ALL ON public.tenancy_job_tokens FROM PUBLIC;
";

const ADD: &str = "INSERT INTO public.tenancy_jobs (token, payload) VALUES ($1, $2)";

/// Takes the next job and delays its next start. A job that another worker is taking is skipped.
const TAKE: &str = "
WITH next AS (
    SELECT id FROM public.tenancy_jobs WHERE rejected IS NULL AND run_after <= now()
    ORDER BY run_after, id LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE public.tenancy_jobs AS job SET attempt = job.attempt + 1, run_after = now() + make_interval(secs => $1)
FROM next WHERE job.id = next.id
RETURNING job.id, job.tenant_id, job.token, job.payload, job.attempt";

/// Remembers the job that uses a token first, and forgets tokens that have expired.
const REMEMBER: &str = "
WITH expired AS (DELETE FROM public.tenancy_job_tokens WHERE expires_at < now())
INSERT INTO public.tenancy_job_tokens VALUES ($1, $2, $3, now() + make_interval(secs => $4)) ON CONFLICT DO NOTHING";

const FIRST: &str = "SELECT job FROM public.tenancy_job_tokens WHERE tenant_id = $1 AND token_id = $2";

const SET_ASIDE: &str = "UPDATE public.tenancy_jobs SET rejected = $2 WHERE id = $1";

/// Completes a job, unless another worker has taken it since.
const COMPLETE: &str = "DELETE FROM public.tenancy_jobs WHERE id = $1 AND attempt = $2";

/// Adds jobs in a tenant's transaction, each with a token that seals its payload.
///
/// A job is added if the transaction commits. [`JOBS_SQL`] creates the table.
///
/// ```no_run
/// # async fn example(db: &tenancy_postgres::TenantDb, secret: [u8; 32]) -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tenancy_postgres::JobProducer;
/// use tenancy_token::{Issuer, TokenKey};
///
/// let issuer = Issuer::new(TokenKey::hmac(b"2026-12", &secret)?, "jobs", Duration::from_secs(3600))?;
/// let jobs = JobProducer::new(issuer);
/// db.tx(async |tx| {
///     tx.execute("INSERT INTO notes (title) VALUES ($1)", &[&"first"]).await?;
///     jobs.enqueue(tx, br#"{"note":"first"}"#).await
/// })
/// .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[cfg_attr(docsrs, doc(cfg(feature = "token")))]
pub struct JobProducer {
    issuer: Issuer,
}

impl JobProducer {
    /// Creates a producer.
    pub fn new(issuer: Issuer) -> Self {
        Self { issuer }
    }

    /// Adds a job of the transaction's tenant.
    ///
    /// There is no way to add a job without a tenant: a transaction has one, or does not begin.
    ///
    /// # Errors
    ///
    /// [`EnqueueError::Token`] if no token can be minted, and [`EnqueueError::Database`] if the statement failed.
    pub async fn enqueue(&self, tx: &TenantTx<'_>, payload: &[u8]) -> Result<(), EnqueueError> {
        let mut buffer = [0; MAX_TOKEN];
        let token = self.issuer.seal(tx.tenant(), payload, &mut buffer)?;
        tx.execute(ADD, &[&token, &payload]).await?;
        Ok(())
    }
}

/// Why a job was not added.
#[derive(Debug)]
#[non_exhaustive]
#[cfg_attr(docsrs, doc(cfg(feature = "token")))]
pub enum EnqueueError {
    /// No token can be minted.
    Token(TokenError),
    /// The statement or the transaction failed.
    Database(Error),
}

impl fmt::Display for EnqueueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "cannot mint the token of a job",
            Self::Database(_) => "cannot add a job to the table",
        })
    }
}

impl StdError for EnqueueError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(match self {
            Self::Token(error) => error,
            Self::Database(error) => error,
        })
    }
}

impl From<TokenError> for EnqueueError {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

impl From<Error> for EnqueueError {
    fn from(error: Error) -> Self {
        Self::Database(error)
    }
}

/// A job that a [`JobWorker`] runs.
#[derive(Clone, Debug)]
#[non_exhaustive]
#[cfg_attr(docsrs, doc(cfg(feature = "token")))]
pub struct PgJob {
    /// The job's number in the table.
    pub id: i64,
    /// What the producer added.
    pub payload: Vec<u8>,
    /// How often the job was started, this time included.
    pub attempt: i64,
}

/// Runs the jobs of the table, each in a transaction of the tenant of its token.
///
/// The handler's statements and the removal of the job are one transaction, so what a job does in this database happens
/// once, although a job may be started more often. A job that failed, panicked, or whose worker crashed starts again
/// [`retry_after`](Self::retry_after) its last start.
///
/// A job without a valid token never runs, and neither does one whose token another job has already used, or one that
/// was started too often. It stays in the table with the reason in the column `rejected`. The next job is not affected.
///
/// ```no_run
/// # async fn example(db: tenancy_postgres::TenantDb, client: tokio_postgres::Client, secret: [u8; 32])
/// # -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use tenancy_postgres::{Error, JobWorker, PgJob, TenantTx};
/// use tenancy_token::{TokenKey, Verifier};
///
/// let verifier = Verifier::<2>::new("jobs").key(TokenKey::hmac(b"2026-12", &secret)?)?;
/// let worker = JobWorker::new(db, client, verifier);
/// let handle = async |tx: &TenantTx<'_>, job: PgJob| {
///     tx.execute("UPDATE notes SET title = upper(title)", &[]).await?;
///     Ok::<_, Error>(())
/// };
/// loop {
///     if worker.run_next(handle).await?.is_none() {
///         tokio::time::sleep(Duration::from_millis(100)).await;
///     }
/// }
/// # }
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "token")))]
pub struct JobWorker<const KEYS: usize> {
    db: TenantDb,
    client: Client,
    verifier: JobVerifier<KEYS>,
    retry_after: Duration,
    max_attempts: i64,
}

impl<const KEYS: usize> JobWorker<KEYS> {
    /// Creates a worker. `client` is a connection to the same database by the worker's login: see [`JOBS_SQL`].
    ///
    /// Handlers get transactions of `db`, and never see `client`.
    pub fn new(db: TenantDb, client: Client, verifier: Verifier<KEYS>) -> Self {
        let verifier = JobVerifier::new(verifier);
        Self { db, client, verifier, retry_after: Duration::from_secs(60), max_attempts: 5 }
    }

    /// Sets the time after which a job that was started and not completed is started again; the default is 60 s.
    ///
    /// A job that takes longer is started a second time, and only one of the two transactions commits.
    #[must_use]
    pub fn retry_after(self, retry_after: Duration) -> Self {
        Self { retry_after, ..self }
    }

    /// Sets how often a job is started; the default is 5.
    #[must_use]
    pub fn max_attempts(self, max_attempts: u32) -> Self {
        Self { max_attempts: max_attempts.into(), ..self }
    }

    /// Runs the next job, and returns how it ended, or `None` if there is no job.
    ///
    /// The handler runs in the job's tenant, and in a transaction that is rolled back unless the handler succeeds. It may
    /// be cancelled by dropping the future; the job then runs again later.
    ///
    /// # Errors
    ///
    /// If the database fails. After [`Error::CommitUnknown`] the job may be completed; if it is not, it runs again.
    pub async fn run_next<H, E>(&self, handler: H) -> Result<Option<JobOutcome<E>>, Error>
    where
        H: AsyncFnOnce(&TenantTx<'_>, PgJob) -> Result<(), E>,
    {
        let lease = self.retry_after.as_secs_f64();
        let Some(row) = self.client.query_opt(TAKE, &[&lease]).await? else { return Ok(None) };
        let (token, tenant): (Vec<u8>, uuid::Uuid) = (row.get("token"), row.get("tenant_id"));
        let job = PgJob { id: row.get("id"), payload: row.get("payload"), attempt: row.get("attempt") };
        let verified = match self.verifier.open(&token, &job.payload) {
            Ok(verified) if uuid::Uuid::from(verified.tenant()) == tenant => verified,
            Ok(_) => return self.reject(job.id, TokenErrorKind::Tenant.into()).await,
            Err(error) => return self.reject(job.id, error).await,
        };
        if !self.is_first_use(&verified, job.id).await? {
            return self.reject(job.id, TokenErrorKind::Replayed.into()).await;
        }
        if job.attempt > self.max_attempts {
            self.set_aside(job.id, "started too often").await?;
            return Ok(Some(JobOutcome::Exhausted));
        }
        self.run(&verified, job, handler).await.map(Some)
    }

    async fn run<H, E>(&self, verified: &Verified<'_>, job: PgJob, handler: H) -> Result<JobOutcome<E>, Error>
    where
        H: AsyncFnOnce(&TenantTx<'_>, PgJob) -> Result<(), E>,
    {
        let tx = match self.db.begin_in(verified.tenant()).await {
            Ok(tx) => tx,
            Err(error) => return rolled_back(error),
        };
        let (id, attempt) = (job.id, job.attempt);
        let outcome = match verified.run(async { handler(&tx, job).await }).await {
            Ok(Ok(())) => return complete(tx, id, attempt).await,
            Ok(Err(error)) => JobOutcome::Failed(error),
            Err(_) => JobOutcome::Panicked,
        };
        // If the connection broke, the server rolls back by itself.
        let _ = tx.rollback().await;
        Ok(outcome)
    }

    /// Returns whether this job is the first one with its token. Another start of the same job is no second use.
    async fn is_first_use(&self, verified: &Verified<'_>, job: i64) -> Result<bool, Error> {
        let (tenant, id) = (PgTenantId::from(verified.tenant()), verified.id().unwrap_or_default());
        let retention = self.verifier.retention(verified).as_secs_f64();
        if self.client.execute(REMEMBER, &[&tenant, &id, &job, &retention]).await? == 1 {
            return Ok(true);
        }
        let first = self.client.query_opt(FIRST, &[&tenant, &id]).await?;
        Ok(first.is_some_and(|first| first.get::<_, i64>("job") == job))
    }

    async fn reject<E>(&self, job: i64, error: TokenError) -> Result<Option<JobOutcome<E>>, Error> {
        self.set_aside(job, &error.to_string()).await?;
        Ok(Some(JobOutcome::Rejected(error)))
    }

    async fn set_aside(&self, job: i64, reason: &str) -> Result<(), Error> {
        self.client.execute(SET_ASIDE, &[&job, &reason]).await?;
        Ok(())
    }
}

/// Removes a job and commits, unless another worker has started the job since.
async fn complete<E>(tx: TenantTx<'_>, job: i64, attempt: i64) -> Result<JobOutcome<E>, Error> {
    match tx.execute(COMPLETE, &[&job, &attempt]).await {
        Ok(1) => tx.commit().await.map_or_else(rolled_back, |()| Ok(JobOutcome::Completed)),
        Ok(_) => {
            let _ = tx.rollback().await;
            Ok(JobOutcome::RolledBack)
        }
        Err(error) => rolled_back(error),
    }
}

/// Returns the outcome of a job whose transaction failed, or the error if the database cannot be reached.
///
/// A job must not stop the queue: a statement that failed, or SQL that left the tenant, is the job's own fault.
fn rolled_back<E>(error: Error) -> Result<JobOutcome<E>, Error> {
    match error {
        Error::Connection(_) | Error::CommitUnknown(_) | Error::Directory(_) | Error::PoolTimeout => {
            Err(error)
        }
        _ => Ok(JobOutcome::RolledBack),
    }
}

impl<const KEYS: usize> fmt::Debug for JobWorker<KEYS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobWorker")
            .field("retry_after", &self.retry_after)
            .field("max_attempts", &self.max_attempts)
            .finish_non_exhaustive()
    }
}
