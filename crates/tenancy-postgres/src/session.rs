//! What is sent in a transaction, and what its answers mean.
//!
//! Statements are pipelined: the future of each sends its message when it is first polled, and `try_join` polls them
//! in the order in which they stand. So a statement brings `BEGIN` and the context with it, and behind it goes a look
//! whether the context still stands: SQL that ends its transaction is found by its own answer, before another
//! statement is sent. No statement is prepared, but to learn its parameters' types for the first time.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::TryStreamExt;
use futures_util::future::{try_join, try_join3, try_join5};
use tenancy::TenantId;
use tokio_postgres::error::{Severity, SqlState};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};
use uuid::Uuid;

use crate::db::Shared;
use crate::error::Error;
use crate::params::{Param, ParamTypes, typed};
use crate::pool::Lease;
use crate::scrub;

const ENTER: &str = "SELECT tenancy.enter($1, $2, $3, $4)";
const HELD: &str = "SELECT tenancy.tenant_id()";

/// The inner error is the server's, and the conversation goes on.
type Answered<T> = Result<T, tokio_postgres::Error>;

/// A connection in a transaction of one tenant.
pub(crate) struct Session<'a> {
    shared: &'a Shared,
    lease: Lease<'a>,
    tenant: TenantId,
    access: Access,
    is_entered: bool,
    /// SQL ran that was not made here.
    is_raw: bool,
    has_escaped: bool,
    /// Until then nothing is committed, whatever breaks.
    is_commit_sent: AtomicBool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    ReadWrite,
    ReadOnly,
}

/// What is to be sent.
#[derive(Clone, Copy)]
pub(crate) struct Statement<'a> {
    pub(crate) sql: &'a str,
    pub(crate) params: &'a [Param<'a>],
    /// It was not made here: it may do anything.
    pub(crate) is_raw: bool,
    /// Its parameters are texts, and the server knows what it makes of them: it is not asked for their types.
    pub(crate) is_text: bool,
    /// Each row must be the tenant's.
    pub(crate) is_verified: bool,
}

impl Statement<'_> {
    fn types(&self, known: &ParamTypes) -> Option<Arc<[Type]>> {
        if self.is_text { Some(Arc::new([])) } else { known.get(self.sql, self.params) }
    }
}

#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) rows: Vec<Row>,
    pub(crate) affected: u64,
}

impl<'a> Session<'a> {
    pub(crate) fn new(shared: &'a Shared, lease: Lease<'a>, tenant: TenantId, access: Access) -> Self {
        Self {
            shared,
            lease,
            tenant,
            access,
            is_entered: false,
            is_raw: false,
            has_escaped: false,
            is_commit_sent: AtomicBool::new(false),
        }
    }

    /// One statement of a transaction that goes on.
    pub(crate) async fn run(&mut self, statement: Statement<'_>) -> Result<Answer, Error> {
        let answers = match self.send(statement, None).await? {
            Ok(answers) => answers,
            Err(broken) => return Err(broken.into()),
        };
        match answers.read() {
            Ok((answer, _)) => self.verify(statement, answer).await,
            Err(trouble) => Err(self.trouble(trouble, statement.sql)),
        }
    }

    /// One statement that is a transaction: all of it in one round trip.
    pub(crate) async fn run_and_commit(mut self, statement: Statement<'_>) -> Result<Answer, Error> {
        let commit = if statement.is_raw { scrub::SCRUB_AND_COMMIT } else { "COMMIT" };
        let answers = match self.send(statement, Some(commit)).await? {
            Ok(answers) => answers,
            Err(broken) => return Err(self.broken(broken)),
        };
        match answers.read() {
            Ok((answer, Ok(()))) => {
                let answer = self.verify(statement, answer).await?;
                self.lease.give_back();
                Ok(answer)
            }
            Ok((_, Err(error))) => Err(not_committed(error)),
            Err(trouble) => {
                let error = self.trouble(trouble, statement.sql);
                // It closes the connection where it fails.
                let _ = self.rollback().await;
                Err(error)
            }
        }
    }

    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        self.check()?;
        if !self.is_entered {
            self.lease.give_back();
            return Ok(());
        }
        self.lease.is_busy = true;
        let answers = self.exchange_commit().await.map_err(|error| self.broken(error))?;
        self.lease.is_busy = false;
        match answers.read() {
            Ok((_, Ok(()))) => {
                self.lease.give_back();
                Ok(())
            }
            Ok((_, Err(error))) => Err(not_committed(error)),
            Err(trouble) => {
                let error = self.trouble(trouble, "");
                let _ = self.rollback().await;
                Err(error)
            }
        }
    }

    /// Where it can't be told to, the connection is closed, which is the same.
    pub(crate) async fn rollback(mut self) -> Result<(), Error> {
        if self.check().is_err() {
            return Ok(());
        }
        if self.is_entered {
            let sql = if self.is_raw { scrub::ROLLBACK_AND_SCRUB } else { "ROLLBACK" };
            self.lease.is_busy = true;
            self.client()?.batch_execute(sql).await?;
            self.lease.is_busy = false;
        }
        self.lease.give_back();
        Ok(())
    }

    /// Whether it can go on.
    fn check(&mut self) -> Result<(), Error> {
        if self.has_escaped {
            return Err(Error::TxEscaped);
        }
        if self.lease.is_busy {
            // A statement was dropped on the way: whether it left the transaction is not known.
            self.lease.close();
        }
        self.client().map(drop)
    }

    fn client(&self) -> Result<&Client, Error> {
        self.lease.client().ok_or(Error::TxClosed)
    }

    /// The outer error: nothing was sent. The inner: the conversation broke off, and the connection is closed.
    async fn send(
        &mut self,
        statement: Statement<'_>,
        commit: Option<&'static str>,
    ) -> Result<Answered<Answers>, Error> {
        self.check()?;
        self.is_raw |= statement.is_raw;
        self.lease.is_busy = true;
        let answers = self.exchange(statement, commit).await;
        match answers {
            Ok(_) => self.lease.is_busy = false,
            Err(_) => self.lease.close(),
        }
        Ok(answers)
    }

    async fn exchange(
        &mut self,
        statement: Statement<'_>,
        commit: Option<&'static str>,
    ) -> Answered<Answers> {
        let types = match statement.types(&self.shared.types) {
            Some(types) => types,
            None => match self.prepare(statement.sql).await? {
                Ok(types) => types,
                Err(refused) => return Ok(refused),
            },
        };
        let params = typed(statement.params, &types);
        let Some(client) = self.lease.client() else { return Ok(Answers::default()) };
        let looks = statement.is_raw || commit.is_none();
        let (entered, answer, constraints, is_held, committed) = try_join5(
            answer(self.enter(client)),
            answer(fetch(client, statement, &params)),
            answer(optional(client, (statement.is_raw && commit.is_some()).then_some(scrub::CONSTRAINTS))),
            answer(held(client, looks.then_some(self.tenant))),
            answer(self.commit_by(client, commit)),
        )
        .await?;
        self.is_entered = true;
        Ok(Answers { entered, answer, constraints, is_held, committed })
    }

    /// The types of a statement's parameters, or why the server refuses it.
    async fn prepare(&mut self, sql: &str) -> Answered<Result<Arc<[Type]>, Answers>> {
        let Some(client) = self.lease.client() else { return Ok(Err(Answers::default())) };
        let (entered, prepared, is_held) = try_join3(
            answer(self.enter(client)),
            answer(client.prepare(sql)),
            answer(held(client, Some(self.tenant))),
        )
        .await?;
        self.is_entered = true;
        Ok(match prepared {
            Ok(prepared) => Ok(self.shared.types.insert(sql, prepared.params())),
            Err(error) => Err(Answers { entered, answer: Err(error), is_held, ..Answers::default() }),
        })
    }

    async fn exchange_commit(&self) -> Answered<Answers> {
        let Some(client) = self.lease.client() else { return Ok(Answers::default()) };
        let commit = if self.is_raw { scrub::SCRUB_AND_COMMIT } else { "COMMIT" };
        let (constraints, is_held, committed) = try_join3(
            answer(optional(client, self.is_raw.then_some(scrub::CONSTRAINTS))),
            answer(held(client, Some(self.tenant))),
            answer(self.commit_by(client, Some(commit))),
        )
        .await?;
        Ok(Answers { constraints, is_held, committed, ..Answers::default() })
    }

    /// Sends nothing where the tenant is entered.
    async fn enter(&self, client: &Client) -> Answered<()> {
        if self.is_entered {
            return Ok(());
        }
        let begin = match self.access {
            Access::ReadWrite => "BEGIN",
            Access::ReadOnly => "BEGIN READ ONLY",
        };
        let (key, tenant) = (&self.shared.key, Uuid::from(self.tenant));
        let expires = self.shared.expiry();
        let signature = key.sign(self.tenant, expires);
        let (id, signature) = (key.id(), &signature[..]);
        let params: [(Param<'_>, Type); 4] =
            [(&tenant, Type::UUID), (&id, Type::INT4), (&expires, Type::INT8), (&signature, Type::BYTEA)];
        try_join(client.batch_execute(begin), client.query_typed(ENTER, &params)).await.map(drop)
    }

    async fn commit_by(&self, client: &Client, sql: Option<&str>) -> Answered<()> {
        let commits = sql.is_some() && self.access == Access::ReadWrite;
        self.is_commit_sent.store(commits, Ordering::Relaxed);
        optional(client, sql).await
    }

    fn broken(&self, error: tokio_postgres::Error) -> Error {
        if self.is_commit_sent.load(Ordering::Relaxed) {
            Error::CommitUnknown(error)
        } else {
            Error::Postgres(error)
        }
    }

    async fn verify(&mut self, statement: Statement<'_>, answer: Answer) -> Result<Answer, Error> {
        if !statement.is_verified {
            return Ok(answer);
        }
        self.lease.is_busy = true;
        let verified = self.shared.columns.verify(self.client()?, &answer.rows, self.tenant).await;
        match &verified {
            Ok(()) | Err(Error::MissingTenantColumn) => self.lease.is_busy = false,
            Err(_) => self.lease.close(),
        }
        verified.map(|()| answer)
    }

    fn trouble(&mut self, trouble: Trouble, sql: &str) -> Error {
        match trouble {
            Trouble::Aborted(error) => {
                self.shared.types.forget(sql);
                if error.code() == Some(&SqlState::INVALID_SQL_STATEMENT_NAME) {
                    // SQL took away what `tokio-postgres` looks up types with.
                    self.lease.close();
                }
                error.into()
            }
            Trouble::NotBegun(error) => {
                self.lease.close();
                error.into()
            }
            Trouble::Escaped => {
                self.has_escaped = true;
                self.lease.close();
                Error::TxEscaped
            }
        }
    }
}

/// What came back for a statement and for what was sent with it; for what was not sent, that all is well.
struct Answers {
    entered: Answered<()>,
    answer: Answered<Answer>,
    constraints: Answered<()>,
    is_held: Answered<bool>,
    committed: Answered<()>,
}

impl Default for Answers {
    fn default() -> Self {
        let answer = Ok(Answer::default());
        Self { entered: Ok(()), answer, constraints: Ok(()), is_held: Ok(true), committed: Ok(()) }
    }
}

/// What became of a transaction whose statement gave nothing.
enum Trouble {
    /// It can be rolled back, and nothing else.
    Aborted(tokio_postgres::Error),
    /// There is none: what follows would be one each.
    NotBegun(tokio_postgres::Error),
    /// The SQL ended it, or left its tenant.
    Escaped,
}

impl Answers {
    fn read(self) -> Result<(Answer, Answered<()>), Trouble> {
        let is_entered = self.entered.is_ok();
        let refused = self.entered.and(self.answer).and_then(|answer| self.constraints.map(|()| answer));
        match (refused, self.is_held) {
            (Ok(answer), Ok(true)) => Ok((answer, self.committed)),
            (Err(error), Ok(true)) => Err(Trouble::Aborted(error)),
            (refused, Err(error)) if error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION) => {
                Err(Trouble::Aborted(refused.err().unwrap_or(error)))
            }
            (Err(error), _) if !is_entered => Err(Trouble::NotBegun(error)),
            _ => Err(Trouble::Escaped),
        }
    }
}

/// What the server refuses is an answer. What breaks the conversation ends the whole exchange at once: after `COPY`,
/// for one, the others would wait for ever.
async fn answer<T>(future: impl Future<Output = Answered<T>>) -> Answered<Answered<T>> {
    match future.await {
        Err(error) if error.as_db_error().is_none() => Err(error),
        answered => Ok(answered),
    }
}

async fn fetch(client: &Client, statement: Statement<'_>, params: &[(Param<'_>, Type)]) -> Answered<Answer> {
    let params = params.iter().map(|(param, r#type)| (*param, r#type.clone()));
    let mut stream = pin!(client.query_typed_raw(statement.sql, params).await?);
    let mut rows = Vec::new();
    while let Some(row) = stream.try_next().await? {
        rows.push(row);
    }
    Ok(Answer { rows, affected: stream.rows_affected().unwrap_or_default() })
}

async fn optional(client: &Client, sql: Option<&str>) -> Answered<()> {
    match sql {
        Some(sql) => client.batch_execute(sql).await,
        None => Ok(()),
    }
}

/// Whether the context stands, and is still the tenant's.
async fn held(client: &Client, tenant: Option<TenantId>) -> Answered<bool> {
    let Some(tenant) = tenant else { return Ok(true) };
    let rows = client.query_typed(HELD, &[]).await?;
    let found = rows.first().and_then(|row| row.try_get::<_, Uuid>(0).ok());
    Ok(found == Some(tenant.into()))
}

/// Where the server says no, it is not committed; where it ends, nobody knows.
fn not_committed(error: tokio_postgres::Error) -> Error {
    match error.as_db_error().and_then(tokio_postgres::error::DbError::parsed_severity) {
        Some(Severity::Error) => Error::Postgres(error),
        _ => Error::CommitUnknown(error),
    }
}
