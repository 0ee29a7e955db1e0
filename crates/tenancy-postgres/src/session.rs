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
use futures_util::future::{try_join, try_join3, try_join4};
use tenancy::TenantId;
use tokio_postgres::error::{DbError, Severity, SqlState};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row, SimpleQueryMessage};
use uuid::Uuid;

use crate::db::Shared;
use crate::error::Error;
use crate::params::{Param, ParamTypes, typed};
use crate::pool::Lease;
use crate::scrub::{BEGIN_CLEAN, BEGIN_CLEAN_READ_ONLY};

/// The inner error is the server's, and the conversation goes on.
type Answered<T> = Result<T, tokio_postgres::Error>;

/// A connection in a transaction of one tenant.
pub(crate) struct Session<'a> {
    shared: &'a Shared,
    lease: Lease<'a>,
    tenant: TenantId,
    subject: Option<Uuid>,
    access: Access,
    is_entered: bool,
    /// What the database says of the context and of its transaction, since it is entered.
    mark: Option<String>,
    /// How many statements were sent that were not made here.
    raw: usize,
    has_escaped: bool,
    /// Until then nothing is committed, whatever breaks.
    is_commit_sent: AtomicBool,
    /// SQL left in the session what can't be taken out of it.
    is_altered: bool,
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
            subject: None,
            access,
            is_entered: false,
            mark: None,
            raw: 0,
            has_escaped: false,
            is_commit_sent: AtomicBool::new(false),
            is_altered: false,
        }
    }

    /// Who it is that acts for the tenant.
    pub(crate) fn with_subject(self, subject: Option<Uuid>) -> Self {
        Self { subject, ..self }
    }

    /// One statement of a transaction that goes on.
    pub(crate) async fn run(&mut self, statement: Statement<'_>) -> Result<Answer, Error> {
        let answers = match self.send(statement, None).await? {
            Ok(answers) => answers,
            Err(broken) => return Err(broken.into()),
        };
        match answers.read() {
            Ok(answer) => self.verify(statement, answer).await,
            Err(trouble) => Err(self.trouble(trouble, statement.sql)),
        }
    }

    /// One statement that is a transaction: all of it in one round trip.
    pub(crate) async fn run_and_commit(mut self, statement: Statement<'_>) -> Result<Answer, Error> {
        let answers = match self.send(statement, Some(End::of(statement.is_raw))).await? {
            Ok(answers) => answers,
            Err(broken) => return Err(self.broken(broken)),
        };
        match answers.read() {
            Ok(answer) => {
                let answer = self.verify(statement, answer).await?;
                self.give_back();
                Ok(answer)
            }
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
            Ok(_) => {
                self.give_back();
                Ok(())
            }
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
            let statements = self.shared.binding.statements();
            let sql = if self.raw > 0 { statements.rollback_and_scrub } else { "ROLLBACK" };
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
    async fn send(&mut self, statement: Statement<'_>, end: Option<End>) -> Result<Answered<Answers>, Error> {
        self.check()?;
        self.raw += usize::from(statement.is_raw);
        self.lease.is_busy = true;
        let answers = self.exchange(statement, end).await;
        match answers {
            Ok(_) => self.lease.is_busy = false,
            Err(_) => self.lease.close(),
        }
        Ok(answers)
    }

    async fn exchange(&mut self, statement: Statement<'_>, end: Option<End>) -> Answered<Answers> {
        let types = match statement.types(&self.shared.types) {
            Some(types) => types,
            None => match self.prepare(statement).await? {
                Ok(types) => types,
                Err(refused) => return Ok(refused),
            },
        };
        let params = typed(statement.params, &types);
        let Some(client) = self.lease.client() else { return Ok(Answers::default()) };
        let (entered, answer, held, ended) = try_join4(
            answer(self.enter(client)),
            answer(fetch(client, statement, &params)),
            answer(self.look(client, end.is_none())),
            answer(self.end(client, end)),
        )
        .await?;
        let entered = self.entered(entered);
        let (is_held, ended) = (self.is_held(held), self.ended(ended));
        Ok(Answers { entered, answer, is_held, ended })
    }

    /// The types of a statement's parameters, or why the server refuses it.
    async fn prepare(&mut self, statement: Statement<'_>) -> Answered<Result<Arc<[Type]>, Answers>> {
        let sql = statement.sql;
        let Some(client) = self.lease.client() else { return Ok(Err(Answers::default())) };
        let (entered, prepared, held) = try_join3(
            answer(self.enter(client)),
            answer(client.prepare(sql)),
            answer(self.look(client, true)),
        )
        .await?;
        let entered = self.entered(entered);
        Ok(match prepared {
            // Where others ran before it, its names may mean what they mean to this tenant alone.
            Ok(prepared) if self.raw == usize::from(statement.is_raw) => {
                Ok(self.shared.types.insert(sql, prepared.params()))
            }
            Ok(prepared) => Ok(Arc::from(prepared.params())),
            Err(error) => {
                let is_held = self.is_held(held);
                Err(Answers { entered, answer: Err(error), is_held, ..Answers::default() })
            }
        })
    }

    async fn exchange_commit(&mut self) -> Answered<Answers> {
        let Some(client) = self.lease.client() else { return Ok(Answers::default()) };
        let end = End::of(self.raw > 0);
        let looks = end == End::Commit;
        let (held, ended) =
            try_join(answer(self.look(client, looks)), answer(self.end(client, Some(end)))).await?;
        Ok(Answers { is_held: self.is_held(held), ended: self.ended(ended), ..Answers::default() })
    }

    /// Sends nothing where the tenant is entered; else it gives the mark.
    async fn enter(&self, client: &Client) -> Answered<Option<String>> {
        if self.is_entered {
            return Ok(None);
        }
        let begin = match (self.access, self.shared.is_direct) {
            (Access::ReadWrite, true) => "BEGIN",
            (Access::ReadOnly, true) => "BEGIN READ ONLY",
            (Access::ReadWrite, false) => BEGIN_CLEAN,
            (Access::ReadOnly, false) => BEGIN_CLEAN_READ_ONLY,
        };
        let Shared { binding, enter, .. } = self.shared;
        let enter = binding.enter(client, enter, self.tenant, self.subject);
        try_join(client.batch_execute(begin), enter).await.map(|((), mark)| mark)
    }

    fn entered(&mut self, entered: Answered<Option<String>>) -> Answered<()> {
        self.is_entered = true;
        self.mark = entered?.or(self.mark.take());
        Ok(())
    }

    async fn look(&self, client: &Client, looks: bool) -> Answered<Looked> {
        if !looks {
            return Ok(Looked::Not);
        }
        let rows = client.query_typed(self.shared.binding.statements().look, &[]).await?;
        Ok(Looked::Saw { mark: rows.first().and_then(|row| row.try_get(0).ok()), is_altered: false })
    }

    /// A scrub looks before it commits.
    async fn end(&self, client: &Client, end: Option<End>) -> Answered<Looked> {
        let Some(end) = end else { return Ok(Looked::Not) };
        self.is_commit_sent.store(self.access == Access::ReadWrite, Ordering::Relaxed);
        if end == End::Commit {
            return client.batch_execute("COMMIT").await.map(|()| Looked::Not);
        }
        let messages = client.simple_query(self.shared.binding.statements().scrub_and_commit).await?;
        let row = messages.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        let is_altered = row.is_some_and(|row| row.len() > 1 && row.get(1) != Some("f"));
        Ok(Looked::Saw { mark: row.and_then(|row| row.get(0)).map(Into::into), is_altered })
    }

    fn ended(&mut self, ended: Answered<Looked>) -> Answered<bool> {
        self.is_altered |= matches!(ended, Ok(Looked::Saw { is_altered: true, .. }));
        self.is_held(ended)
    }

    /// To the pool, unless the session is another than it was.
    fn give_back(mut self) {
        if self.is_altered {
            self.lease.close();
        }
        self.lease.give_back();
    }

    /// Whether the transaction is still the one that was entered, and its tenant's.
    fn is_held(&self, looked: Answered<Looked>) -> Answered<bool> {
        Ok(match looked? {
            Looked::Not => true,
            Looked::Saw { mark, .. } => mark.is_some() && mark == self.mark,
        })
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

    pub(crate) fn shared(&self) -> &'a Shared {
        self.shared
    }

    /// Returns whether a statement may have changed the session, by raw SQL, a default or a trigger.
    pub(crate) fn has_run_raw(&self) -> bool {
        self.raw > 0
    }

    /// Closes the connection: a row of the transaction belongs to another tenant.
    pub(crate) fn close(&mut self) {
        self.lease.close();
    }

    fn trouble(&mut self, trouble: Trouble, sql: &str) -> Error {
        match trouble {
            Trouble::Aborted(error) => {
                self.shared.types.forget(sql);
                if is_confused(&error) {
                    self.lease.close();
                }
                error.into()
            }
            Trouble::NotBegun(error) => {
                self.lease.close();
                error.into()
            }
            Trouble::NotEnded(error) if severity(&error) == Some(Severity::Error) => error.into(),
            Trouble::NotEnded(error) => {
                self.lease.close();
                self.broken(error)
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
    is_held: Answered<bool>,
    ended: Answered<bool>,
}

impl Default for Answers {
    fn default() -> Self {
        Self { entered: Ok(()), answer: Ok(Answer::default()), is_held: Ok(true), ended: Ok(true) }
    }
}

/// What a look at the mark gave.
enum Looked {
    Not,
    /// A look that scrubs also says whether the session is to be closed.
    Saw {
        mark: Option<String>,
        is_altered: bool,
    },
}

/// What becomes of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum End {
    Commit,
    ScrubAndCommit,
}

impl End {
    fn of(is_raw: bool) -> Self {
        if is_raw { Self::ScrubAndCommit } else { Self::Commit }
    }
}

/// What became of a transaction whose statement gave nothing.
enum Trouble {
    /// It can be rolled back, and nothing else.
    Aborted(tokio_postgres::Error),
    /// There is none: what follows would be one each.
    NotBegun(tokio_postgres::Error),
    /// The server did not commit it. Where the server itself ended, nobody knows.
    NotEnded(tokio_postgres::Error),
    /// The SQL ended it, or left its tenant.
    Escaped,
}

impl Answers {
    fn read(self) -> Result<Answer, Trouble> {
        let is_entered = self.entered.is_ok();
        match (self.entered.and(self.answer), self.is_held, self.ended) {
            (Ok(answer), Ok(true), Ok(true)) => Ok(answer),
            (Err(error), Ok(true), Ok(true)) => Err(Trouble::Aborted(error)),
            (refused, Err(error), _) | (refused, Ok(true), Err(error)) if is_failed(&error) => {
                Err(Trouble::Aborted(refused.err().unwrap_or(error)))
            }
            (Err(error), ..) if !is_entered => Err(Trouble::NotBegun(error)),
            (Err(error), Ok(true), Err(other)) if !is_without_context(&other) => {
                Err(Trouble::NotBegun(error))
            }
            (Ok(_), Ok(true), Err(error)) if !is_without_context(&error) => Err(Trouble::NotEnded(error)),
            _ => Err(Trouble::Escaped),
        }
    }
}

/// An earlier error ended the transaction.
fn is_failed(error: &tokio_postgres::Error) -> bool {
    error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION)
}

/// What `tokio-postgres` prepared is gone, or its name is taken: SQL did it, or a pooler gave another session.
fn is_confused(error: &tokio_postgres::Error) -> bool {
    [SqlState::INVALID_SQL_STATEMENT_NAME, SqlState::DUPLICATE_PSTATEMENT]
        .iter()
        .any(|code| error.code() == Some(code))
}

/// `tenancy.leave()` says that there is none.
fn is_without_context(error: &tokio_postgres::Error) -> bool {
    let is_ours = |error: &DbError| error.message().starts_with("tenancy: ");
    error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) && error.as_db_error().is_some_and(is_ours)
}

fn severity(error: &tokio_postgres::Error) -> Option<Severity> {
    error.as_db_error().and_then(DbError::parsed_severity)
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
